"""One run: what it learns, when it ends, what is measured; and the networks it starts from."""

import json
import math
from dataclasses import replace

import pytest
import torch

from elman.bench import VARIANTS, Spec, Variant, start
from elman.bench.digits import Digits
from elman.bench.remembered import first_rows, remembered
from elman.bench.run import _Training, build, run
from elman.bench.tasks import TASKS
from elman.bench.temporal_order import TemporalOrder
from elman.bench.variants import OMEGA
from elman.training import TrainingSettings, build_optimizer

SMALL = {"updates": 4, "hidden_size": 4}


def test_the_weights_after_the_last_update_are_measured(quick):
    row = run(Spec("temporal-order", "gru", "10", 0, hidden_size=4, updates=3))
    assert row["updates"] == 3 and len(row["curve"]) == 2
    row = run(Spec("adding", "gru", "10", 0, updates=100))
    assert row["error"] < 0.5 and len(row["curve"]) == 1  # with its start values 1.2


def test_runs_leave_the_global_generator_and_threads_alone(quick):
    torch.manual_seed(5)
    expected, threads = torch.rand(3), torch.get_num_threads()
    torch.manual_seed(5)
    run(Spec("temporal-order", "gru", "10", 0, threads=threads + 1, **SMALL))
    assert torch.equal(torch.rand(3), expected) and torch.get_num_threads() == threads


def test_a_task_that_can_be_learned_is_solved_and_stops_early():
    row = run(Spec("temporal-order", "lstm", "12", 1, updates=20_000, hidden_size=24, also=(10, 14)))
    assert row["outcome"] == "solved" and row["solved"] is True and row["error"] < 0.01
    assert row["updates"] < 20_000 and row["updates"] == row["check_every"] * len(row["curve"])
    assert all(row["memory"][when]["steps"] > 0 for when in ("start", "end"))
    assert set(row["longer"]) == {"10", "14"} and row["longer"]["10"] < 0.1
    json.dumps(row, allow_nan=False)


def test_a_goal_seen_on_validation_has_to_hold_on_the_test_sequences(monkeypatch, quick):
    monkeypatch.setattr(TemporalOrder, "goal", 0.5)
    monkeypatch.setattr(_Training, "_measure", lambda self, split, lengths=None: 0.4 + (split == "test"))
    row = run(Spec("temporal-order", "gru", "10", 0, **SMALL))
    assert row["outcome"] == "updates" and row["solved"] is False and row["error"] == 1.4


@pytest.mark.parametrize("end", ["updates", "seconds", "diverged"])
def test_the_figure_of_the_kept_weights_is_the_verdict(monkeypatch, quick, end):
    """However it ended: the few sequences of the last check had said otherwise."""
    monkeypatch.setattr(TemporalOrder, "goal", 0.5)
    for figure, outcome in ((0.4, "solved"), (0.6, end)):
        monkeypatch.setattr(_Training, "_measure", lambda self, split, _, f=figure: f if split == "test" else 0.7)
        monkeypatch.setattr(_Training, "_train", lambda self, started: end)
        row = run(Spec("temporal-order", "gru", "10", 0, **SMALL))
        assert (row["outcome"], row["solved"], row["error"]) == (outcome, outcome == "solved", figure)


def test_the_figure_that_decided_is_that_of_the_run(monkeypatch, quick):
    """Ten thousand other sequences might be on the other side of the line."""
    monkeypatch.setattr(TemporalOrder, "goal", 0.5)
    figures = iter([0.3, 0.49])  # a check and its test
    monkeypatch.setattr(_Training, "_measure", lambda *_: next(figures))
    row = run(Spec("temporal-order", "gru", "10", 0, **SMALL))
    assert (row["outcome"], row["solved"], row["error"]) == ("solved", True, 0.49)


def test_lengths_grow_once_the_shorter_ones_are_easy(monkeypatch, quick):
    drawn, draw = {20: [], 100: []}, TemporalOrder.draw

    def watched(self, length, size, generator):
        drawn[size].append(length)
        return draw(self, length, size, generator)

    monkeypatch.setattr(TemporalOrder, "draw", watched)
    monkeypatch.setattr(TemporalOrder, "goal", 0.25)  # five of them are more than any figure
    spec = Spec("temporal-order", "tanh-clip-omega-settled", "20-40", 0, hidden_size=4, updates=16)
    row = run(spec)
    limits = [20, 24, 28, 33, 39, 40, 40, 40]
    pairs = [drawn[20][n : n + 2] for n in range(0, 16, 2)]
    assert all(min(pair) >= 20 and max(pair) <= limit for pair, limit in zip(pairs, limits, strict=True))
    assert max(max(pair) for pair in pairs) > 28 and max(drawn[100][-100:]) > 33
    assert row["outcome"] == "updates" and row["length"] == "20-40"
    task, variant = TASKS["temporal-order"](None), VARIANTS["tanh-clip-omega-settled"]
    training = _Training(spec, task, variant, lambda *_: None)
    training._grow()
    assert training.lengths == (20, 24)
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(5e-4 * 20 / 24)
    monkeypatch.setattr(TemporalOrder, "goal", 0.0)
    drawn[20].clear()
    run(spec)
    assert set(drawn[20]) == {20}


@pytest.mark.parametrize("spoiled", [False, True])
def test_what_is_solved_settles_without_information_flow(monkeypatch, quick, spoiled):
    figures = [0.5, 0.0, 0.0, 0.9 if spoiled else 0.0]  # a check, another and its test, the last of the settling
    monkeypatch.setattr(_Training, "_measure", lambda *_: figures.pop(0) if len(figures) > 1 else figures[0])
    monkeypatch.setitem(VARIANTS, "tanh-clip-omega-settled", replace(VARIANTS["tanh-clip-omega-settled"], settling=3))
    task, variant = TASKS["temporal-order"](None), VARIANTS["tanh-clip-omega-settled"]
    training = _Training(Spec("temporal-order", "-", "20", 0, **SMALL), task, variant, lambda *_: None)
    steps, update = [], training._update

    def watched():
        before = training.network.readout.weight.clone()
        rate, flow = training.optimizer.param_groups[0]["lr"], training.network.layer.information_flow
        assert update()
        steps.append((flow, rate, (training.network.readout.weight - before).norm().item()))
        return True

    monkeypatch.setattr(training, "_update", watched)
    training.most = 100
    assert training._train(0.0) == "solved"
    learning, settling = steps[:-3], steps[-3:]
    assert {flow for flow, _, _ in learning} == {OMEGA} and {flow for flow, _, _ in settling} == {0.0}
    assert [rate for _, rate, _ in settling] == pytest.approx([0.01, 0.01 * 2 / 3, 0.01 / 3])
    assert all(moved > 0 for *_, moved in steps) and training.updates == len(steps)
    kept = torch.equal(training.weights["readout.weight"], training.network.readout.weight)
    assert kept is not spoiled


def test_noise_on_the_weights_moves_the_gradient_and_is_gone_after_it(quick):
    task, deviation = TASKS["temporal-order"](None), 0.5
    seen = {}
    for name, noise in (("plain", 0.0), ("noisy", deviation)):
        torch.manual_seed(0)
        training = _Training(
            Spec("temporal-order", "tanh", "10", 0, hidden_size=200),
            task,
            Variant(
                "rnn", settings=TrainingSettings(optimizer="sgd", learning_rate=1e-30), weight_noise=noise
            ),  # moves nothing
            lambda *progress: None,
        )
        before = {key: weight.clone() for key, weight in training.network.state_dict().items()}
        inside = {}
        training.network.register_forward_pre_hook(
            lambda network, _, into=inside: into.update({k: w.clone() for k, w in network.state_dict().items()})
        )
        training._update()
        after = training.network.state_dict()
        assert all(torch.equal(after[key], weight) for key, weight in before.items())
        for key, weight in before.items():
            moved = (inside[key] - weight).std().item()
            assert moved == (pytest.approx(noise, rel=0.1) if "weight" in key else 0)
        seen[name] = training.network.layer.weight_hh_l0.grad.clone()
    assert not torch.allclose(seen["plain"], seen["noisy"])


def test_limits(monkeypatch, quick):
    assert run(Spec("digits", "gru", "data", 0, updates=6))["updates"] == 6
    assert run(Spec("digits", "gru", "data", 0, seconds=1e-9))["outcome"] == "seconds"
    monkeypatch.setattr(Digits, "patience", 1)
    figures = iter([0.5, 0.4, 0.4, 9.0])
    monkeypatch.setattr(_Training, "_measure", lambda *_: next(figures))
    row = run(Spec("digits", "gru", "data", 0))
    assert row["outcome"] == "patience" and row["curve"] == [0.5, 0.4, 0.4] and row["solved"] is None


def test_a_gradient_that_is_no_number_ends_a_run_that_does_not_clip(monkeypatch, quick):
    def blow_up(network):
        with torch.no_grad():
            network.readout.weight.fill_(math.inf)

    settings = TrainingSettings(optimizer="sgd", learning_rate=1.0)
    monkeypatch.setitem(VARIANTS, "loud", Variant("gru", start=blow_up, settings=settings))
    row = run(Spec("temporal-order", "loud", "10", 0, **SMALL))
    assert row["outcome"] == "diverged" and row["updates"] == 0 and row["solved"] is False
    monkeypatch.setitem(VARIANTS, "loud", replace(VARIANTS["loud"], settings=replace(settings, clip_norm=1.0)))
    assert run(Spec("temporal-order", "loud", "10", 0, **SMALL))["outcome"] == "updates"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_runs_and_learns_from_its_gradient(variant):
    torch.manual_seed(0)
    task = TASKS["adding"](None)
    network = build(task, VARIANTS[variant], 8)
    batch = task.draw(20, 6, torch.Generator().manual_seed(0))
    assert network(batch.inputs).shape == (6, 1)
    task.loss(network(batch.inputs), batch).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
    assert network.readout.weight.grad.norm() > 0


def test_width_from_a_number_of_parameters():
    task = TASKS["adding"](None)
    task.hidden_size, task.parameters = 0, 1000
    for cell in ("gru", "lstm", "tanh"):
        size = build(task, VARIANTS[cell]).layer.hidden_size
        layers = [VARIANTS[cell].layer(2, hidden, 0) for hidden in (size, size + 1)]
        counts = [sum(p.numel() for p in layer.parameters()) for layer in layers]
        assert counts[0] <= 1000 < counts[1]


def test_starts():
    torch.manual_seed(0)
    task = TASKS["temporal-order"](None)
    sparse = build(task, Variant("rnn", start=start.sparse_tanh))
    matrix = sparse.layer.weight_hh_l0.detach()
    assert (matrix != 0).sum(1).tolist() == [15] * 50
    assert torch.linalg.eigvals(matrix.double()).abs().max().item() == pytest.approx(0.95, rel=1e-4)
    assert not sparse.layer.bias_hh_l0.any() and not sparse.readout.bias.any()
    assert 0.008 < sparse.layer.weight_ih_l0.std() < 0.012
    biases = [build(task, VARIANTS["gru-chrono"], 50, longest).layer.bias_ih_l0.detach() for longest in (200, 1000)]
    assert math.log(100) < biases[0].abs().max() < math.log(199) < biases[1].abs().max() < math.log(999)


def test_a_wide_identity_survives_the_first_updates():
    """Adam writes over input weights of the size of its rate; the recurrence starts alike."""
    task, kept = TASKS["adding"](None), {}
    for name in ("irnn", "irnn-wide"):
        torch.manual_seed(0)
        network = build(task, VARIANTS[name])
        assert torch.equal(network.layer.weight_hh_l0, torch.eye(50)) and not network.layer.bias_ih_l0.any()
        weight, settings = network.layer.weight_ih_l0, VARIANTS["irnn-wide"].settings
        before, optimizer = weight.detach().clone(), build_optimizer(network.parameters(), settings)
        generator = torch.Generator().manual_seed(0)
        for _ in range(30):
            optimizer.zero_grad()
            batch = task.draw(50, 20, generator)
            task.loss(network(batch.inputs), batch).backward()
            optimizer.step()
        kept[name] = torch.corrcoef(torch.stack((before.flatten(), weight.detach().flatten())))[0, 1]
    assert kept["irnn-wide"] > 0.99 > 0.9 > kept["irnn"]


def test_remembered_steps():
    """A linear unit that keeps 0.9 of itself: 0.9^k stays above 1/100 up to k = 43; nothing is trained by looking."""
    task = TASKS["adding"](None)
    network = build(task, Variant("indrnn"), 1)
    with torch.no_grad():
        for name, value in (("weight_ih_l0", 1.0), ("recurrent_l0", 0.9), ("bias_ih_l0", 0.0)):
            network.get_parameter(f"layer.{name}").fill_(value)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    batch = first_rows(task.draw(100, 50, torch.Generator().manual_seed(0)), 4)
    assert batch.inputs.shape == (100, 4, 2) and batch.targets.shape == (4,)
    found = remembered(network, task, batch)
    assert (found["steps"], found["end"], found["projected"]) == (43, "below", 43.0)
    assert found["steps"] == math.floor(math.log(100) / -math.log(0.9))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert remembered(build(task, VARIANTS["scrn"], 8), task, batch) is None
    dilated = build(task, Variant("dilated_rnn", {"num_layers": 3, "dilation": 5}), 8)
    assert remembered(dilated, task, batch)["steps"] % 5 == 0
