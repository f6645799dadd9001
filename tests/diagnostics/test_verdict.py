"""Verdicts, remedies, and the diagnosis as a whole."""

import json
import math

import pytest
import torch

import elman
from elman.diagnostics import GATES, Memory, diagnose, plain, record, remedies, verdict
from elman.nn import LSTM, RNN


@pytest.mark.parametrize(
    ("memory", "squashed", "kind", "parts"),
    [
        (Memory(12, "below", 12.0), 0.1, "vanishing", ["after 12 steps", "1/100", "of 200 steps"]),
        (Memory(12, "below", 12.0), None, "vanishing", ["after 12 steps"]),
        (Memory(12, "below", 12.0), 0.7, "saturated", ["70%", "beyond 0.9", "after 12 steps"]),
        (Memory(1, "above", 1.0), 0.7, "exploding", ["after 1 step the", "100-fold"]),
        (Memory(300, "open", 900.0), 0.7, "healthy", ["all 300 steps"]),
        (Memory(200, "below", 200.0), 0.7, "healthy", ["200 steps (texts have 200)"]),
        (Memory(199, "below", 199.0), 0.1, "vanishing", ["after 199 steps"]),
        (Memory(5, "cut", 5.0), 0.7, "truncated", ["bptt_truncate", "after 5 steps, of 200", "factor of 100"]),
        (Memory(200, "cut", 200.0), 0.1, "healthy", ["200 steps"]),
    ],
)
def test_verdict(memory, squashed, kind, parts):
    found = verdict(memory, 200, squashed)
    assert found.kind == kind and "\n" not in found.reason
    for part in parts:
        assert part in found.reason


@pytest.mark.parametrize("cell", GATES)
@pytest.mark.parametrize("kind", ["vanishing", "exploding", "saturated"])
def test_there_is_something_to_try_and_nothing_that_is_there(cell, kind):
    found = remedies(kind, cell, memory=7, length=200, gradient_norm=3.14159)
    assert found and len({remedy.flag for remedy in found}) == len(found)
    assert not [r for r in found if r.settings.get("cell") == cell]
    for remedy in found:
        left = remedies(kind, cell, memory=7, length=200, gradient_norm=3.14159, settings=remedy.settings)
        assert remedy.flag not in {r.flag for r in left} and len(left) == len(found) - 1


def test_flags_hold_the_figures():
    assert "--clip-norm 3.1" in {r.flag for r in remedies("exploding", "lstm", memory=7, length=9, gradient_norm=3.14)}
    flags = {r.flag for r in remedies("vanishing", "rnn_tanh", memory=7, length=200)}
    assert {"--cell lstm", "--init orthogonal", "--cell leaky --memory 200"} <= flags
    assert remedies("healthy", "lstm", memory=7, length=9) == []


@pytest.mark.parametrize("norm", [None, 0.0, math.inf, math.nan])
def test_a_mean_that_was_not_seen_is_not_named(norm):
    clip = remedies("exploding", "lstm", memory=7, length=9, gradient_norm=norm)[0]
    assert clip.flag == "--clip-norm 1.0" and "mean" not in clip.why
    assert "its mean" in remedies("exploding", "lstm", memory=7, length=9, gradient_norm=3.0)[0].why


def test_what_the_settings_forbid_is_not_proposed():
    def flags(kind, **settings):
        return {r.flag for r in remedies(kind, "rnn_relu", memory=7, length=200, settings=settings)}

    assert "--clip-recurrent 1" not in flags("exploding", information_flow=1.0)
    assert "--information-flow 1" not in flags("vanishing", clip_recurrent=1.0, bptt_truncate=None)
    assert "--init default --cell lstm" in flags("vanishing", init="identity")


def test_what_the_settings_go_beyond_is_not_proposed():
    def flags(kind, cell="rnn_tanh", memory=20, **settings):
        return {r.flag for r in remedies(kind, cell, memory=memory, length=200, gradient_norm=3.0, settings=settings)}

    assert "--clip-norm 3.0" in flags("exploding", clip_norm=0.0)
    assert "--clip-norm 3.0" in flags("exploding", clip_norm=9.0)
    assert "--clip-norm 3.0" not in flags("exploding", clip_norm=1.0)
    assert "--clip-recurrent 1" not in flags("exploding", clip_recurrent=0.1)
    assert "--learning-rate 0.0003" in flags("saturated", learning_rate=0.001)
    assert "--learning-rate 0.0003" in flags("saturated", learning_rate=0.0)
    assert "--learning-rate 0.0003" not in flags("saturated", learning_rate=0.0001)
    assert "--pooling mean" in flags("vanishing", pooling="last")
    assert "--pooling mean" not in flags("vanishing", pooling="last+mean+max")


def test_a_gradient_that_is_cut_off_is_not_the_cells_fault():
    torch.manual_seed(0)
    layer = LSTM(3, 16, batch_first=True, init="chrono", memory=90, bptt_truncate=5)
    with record(layer) as flow:
        output, _ = layer(torch.randn(4, 80, 3))
        output[:, -1].square().sum().backward()
    settings = {"bptt_truncate": 5, "pooling": "last", "init": "chrono", "memory": 90}
    found = diagnose(flow, settings=settings)
    assert found["memory"] == {"steps": 5, "end": "cut", "projected": 5.0}
    assert found["verdict"]["kind"] == "truncated" and "bptt_truncate ends" in found["verdict"]["reason"]
    assert [r["flag"] for r in found["remedies"]] == ["--bptt-truncate 0", "--pooling mean"]
    assert "dc" not in found["layers"][0]["gradient"]
    layer.bptt_truncate = None
    whole = pass_over(layer, torch.randn(4, 80, 3))
    assert whole["memory"]["steps"] > 5 and "dc" in whole["layers"][0]["gradient"]


def test_a_network_whose_numbers_overflow():
    layer = RNN(3, 16, nonlinearity="relu", batch_first=True)
    times_identity(layer.weight_hh_l0, 10)
    found = pass_over(layer, torch.rand(2, 200, 3))
    assert found["verdict"]["kind"] == "exploding"
    with torch.no_grad():
        layer.weight_hh_l0.fill_(math.nan)
    found = pass_over(layer, torch.rand(2, 20, 3))
    assert found["verdict"]["kind"] == "exploding" and "no finite numbers" in found["verdict"]["reason"]
    assert found["layers"][0]["matrix"] == [{"gate": "h", "radius": None, "norm": None}]
    json.dumps(plain(found), allow_nan=False)


def test_zoneout_leaves_a_plain_cell_a_plain_cell():
    torch.manual_seed(0)
    found = pass_over(RNN(3, 8, zoneout=0.1, batch_first=True), torch.rand(2, 30, 3))
    assert found["layers"][0]["cell"] == "rnn_tanh" and found["layers"][0]["time_constants"] is None


def times_identity(weight, scale):
    with torch.no_grad():
        torch.nn.init.eye_(weight).mul_(scale)


def pass_over(layer, x):
    with record(layer) as flow:
        output, _ = layer(x)
        output[:, -1].square().sum().backward()
    return diagnose(flow)


def test_a_shrinking_a_growing_and_a_lasting_network():
    torch.manual_seed(0)
    x = 0.1 * torch.randn(6, 120, 3)
    layer = RNN(3, 16, batch_first=True)
    torch.nn.init.zeros_(layer.bias_ih_l0)
    torch.nn.init.zeros_(layer.bias_hh_l0)
    for scale, kind in ((0.5, "vanishing"), (1.0, "healthy")):
        torch.nn.init.orthogonal_(layer.weight_hh_l0, scale)
        found = pass_over(layer, 0.01 * x)
        assert found["verdict"]["kind"] == kind and found["layer"] == "l0"
    growing = RNN(3, 16, batch_first=True, nonlinearity="relu")
    times_identity(growing.weight_hh_l0, 1.2)
    torch.nn.init.constant_(growing.bias_ih_l0, 1.0)
    assert pass_over(growing, 0.01 * x)["verdict"]["kind"] == "exploding"
    torch.nn.init.normal_(layer.weight_hh_l0, std=0.1)
    torch.nn.init.constant_(layer.bias_ih_l0, 5.0)
    assert pass_over(layer, x)["verdict"]["kind"] == "saturated"


def test_the_network_has_the_memory_of_its_longest_layer_unless_one_explodes():
    torch.manual_seed(0)
    x = 0.001 * torch.randn(4, 60, 3)
    layer = RNN(3, 8, 2, batch_first=True, nonlinearity="relu", bias=False)
    for name, scale in (("weight_hh_l0", 0.99), ("weight_hh_l1", 0.5)):
        times_identity(getattr(layer, name), scale)
    for name in ("weight_ih_l0", "weight_ih_l1"):
        torch.nn.init.uniform_(getattr(layer, name), 0, 1)
    x = x.abs()
    found = pass_over(layer, x)
    assert found["layer"] == "l0" and found["verdict"]["kind"] == "healthy"
    times_identity(layer.weight_hh_l1, 1.5)
    found = pass_over(layer, x)
    assert found["layer"] == "l1" and found["verdict"]["kind"] == "exploding"
    assert [layer["verdict"]["kind"] for layer in found["layers"]] == ["healthy", "exploding"]


def test_lags_of_dilated_layers_are_counted_in_elements_of_the_text():
    torch.manual_seed(0)
    layer = elman.nn.DilatedRNN(3, 8, 2, dilation=2, nonlinearity="relu", batch_first=True, bias=False)
    for name in ("weight_hh_l0", "weight_hh_l1"):
        times_identity(getattr(layer, name), 0.1)
    for name in ("weight_ih_l0", "weight_ih_l1"):
        torch.nn.init.uniform_(getattr(layer, name), 0, 1)
    found = pass_over(layer, torch.rand(3, 40, 3))
    assert [each["skip"] for each in found["layers"]] == [2, 4]
    assert [each["memory"]["steps"] for each in found["layers"]] == [2 * 2, 2 * 4]  # 0.1^2 is 1/100, not below it
    assert set(found["layers"][0]["lengths"]) == {40}


def test_the_diagnosis_is_plain_data():
    torch.manual_seed(0)
    layer = LSTM(3, 5, batch_first=True, bidirectional=True)
    found = plain(pass_over(layer, torch.randn(4, 9, 3)))
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found and [each["name"] for each in found["layers"]] == ["l0", "l0_reverse"]
    assert plain({"a": [float("inf"), 1 / 3, float("nan"), 7, True, "x", None]}) == {
        "a": [None, 0.333333, None, 7, True, "x", None]
    }
