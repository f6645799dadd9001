"""Every setting of the recurrence reaches the layers, and settings that do not go together are refused at once."""

from dataclasses import fields

import pytest
import torch

import elman
from elman.classify import resolve
from elman.classify.model import build_network
from elman.errors import UsageError
from elman.nn import CELLS, RecurrentSettings, Stack, TextRNN

REACHED = [
    ("lstm", {"zoneout": 0.1, "zoneout_cell": 0.2, "weight_drop": 0.3, "recurrent_dropout": 0.4, "input_dropout": 0.5}),
    ("peephole", {"bptt_truncate": 20, "clip_recurrent": 0.5, "memory": 70}),
    ("rnn", {"information_flow": 2.0, "nonlinearity": "relu"}),
    ("lstm", {"proj_size": 16}),
    ("dilated_lstm", {"dilation": 3}),
    ("scrn", {"context_size": 9}),
    ("leaky", {"leak": "learned"}),
]


@pytest.mark.parametrize(("cell", "settings"), REACHED, ids=str)
def test_a_setting_is_an_attribute_of_the_layer(cell, settings):
    layer = build_network(resolve(cell=cell, **settings), 30, 2).recurrent
    assert isinstance(layer, CELLS[cell])
    assert {name: getattr(layer, name) for name in settings} == settings


def test_settings_that_are_written_otherwise():
    assert build_network(resolve(cell="leaky", leak="0.25"), 30, 2).recurrent.leak == 0.25
    assert build_network(resolve(cell="clockwork", periods="1,3,9"), 30, 2).recurrent.periods == (1, 3, 9)
    assert build_network(resolve(learn_state=True), 30, 2).recurrent.h_0.shape == (2, 64)
    assert build_network(resolve(bptt_truncate=0), 30, 2).recurrent.bptt_truncate is None
    network = build_network(resolve(hidden_sizes="32,16", merge="sum", merge_layers=True, ngrams=0), 30, 2)
    assert isinstance(network.recurrent, Stack)
    assert [layer.input_size for layer in network.recurrent.layers] == [128, 32]
    biased = build_network(resolve(cell="coupled", forget_bias=2.5), 30, 2).recurrent
    assert (biased.bias_ih_l0[:64] == 2.5).all()


def test_no_setting_of_the_network_is_forgotten():
    known = {field.name for field in fields(RecurrentSettings)}
    known |= {
        "embedding_dim",
        "merge",
        "merge_layers",
        "pooling",
        "bptt",
        "dropout",
        "embedding_dropout",
        "word_dropout",
    }
    config = resolve(cell="lstm")
    of_cells = {"nonlinearity", "leak", "periods", "context_size", "dilation"}
    assert known - of_cells <= set(config.network)
    assert of_cells <= {name for cell in CELLS for name in resolve(cell=cell, leak="0.5").network}


def test_a_configuration_draws_nothing_and_the_default_network_is_as_ever():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for cell in CELLS:
        resolve(cell=cell)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(0)
    network = build_network(resolve(), 30, 2)
    torch.manual_seed(0)
    plain = TextRNN(30, 2, embedding_dim=128, hidden_size=64, embedding_dropout=0.5, word_dropout=0.4, feature_dim=3)
    assert network.state_dict().keys() == plain.state_dict().keys()
    for ours, theirs in zip(network.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"zoneout": 1.0}, "zoneout must be at least 0 and below 1, got 1"),
        ({"weight_drop": -0.5}, "weight_drop must be at least 0 and below 1, got -0.5"),
        ({"bptt_truncate": -1}, "bptt_truncate must be at least 0, got -1"),
        ({"init": "chronos"}, "init must be one of default, uniform, .*got 'chronos'"),
        ({"memory": 2}, "memory must be at least 3, got 2"),
        ({"cell": "gru", "zoneout_cell": 0.1}, "zoneout_cell is for cells with a state c"),
        ({"cell": "lstm", "init": "identity"}, "init identity is for cells with one recurrent matrix"),
        ({"cell": "rnn", "bptt_truncate": 3, "information_flow": 1.0}, "does not go with bptt_truncate"),
        ({"cell": "leaky", "leak": "slow"}, "or 'log' or 'learned', got 'slow'"),
        (
            {"direction": "backward"},
            "direction backward is for networks .* one direction, .* --no-bidirectional",
        ),
        ({"direction": "both"}, "direction both is for networks that read in one direction"),
        ({"bptt": 5}, "bptt 5 is for networks that read in one direction"),
        ({"cell": "clockwork", "periods": "1,x"}, "periods must be whole numbers from 1 on .*got '1,x'"),
        ({"hidden_sizes": "64,0"}, "hidden_sizes must be whole numbers from 1 on .*got '64,0'"),
        ({"hidden_sizes": "64,32", "num_layers": 3}, "names 2 layers, but num_layers is 3"),
        ({"cell": "lstm", "proj_size": 64}, "proj_size has to be smaller than hidden_size 64, got 64"),
    ],
    ids=str,
)
def test_refused_before_any_text_is_read(settings, message):
    with pytest.raises(UsageError, match=message):
        resolve(**settings)


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_trains_is_saved_and_comes_back(cell, reviews, tmp_path):
    settings = {"epochs": 1, "hidden_size": 8, "embedding_dim": 8, "batch_size": 64, "zoneout": 0.1, "num_layers": 2}
    texts, labels = (part[:120] for part in reviews)
    model = elman.TextClassifier(cell=cell, learn_state=True, leak="learned", **settings).fit(texts, labels)
    model.save(tmp_path / "model")
    again = elman.TextClassifier.load(tmp_path / "model")
    assert (again.predict_proba(texts) == model.predict_proba(texts)).all()
