"""Start values: what they set, what they leave, and for which cells they are."""

import math

import pytest
import torch

from elman import nn
from elman.errors import UsageError
from elman.nn import CELLS, INITS, TextRNN


def gate(layer, letter, bias):
    place = layer.gates.index(letter) * layer.hidden_size
    return bias.detach()[place : place + layer.hidden_size]


def both(layer, letter, suffix="_l0"):
    """The gate's whole bias: a cell with a recurrent matrix has two that are added."""
    names = [name + suffix for name in ("bias_ih", "bias_hh") if hasattr(layer, name + suffix)]
    return sum(gate(layer, letter, getattr(layer, name)) for name in names)


def test_identity_remembers_without_end():
    layer = nn.RNN(3, 8, nonlinearity="relu", num_layers=2, init="identity")
    for weight in (layer.weight_hh_l0, layer.weight_hh_l1):
        assert torch.equal(weight, torch.eye(8))
    assert (layer.bias_ih_l0 == 0).all() and (layer.bias_hh_l1 == 0).all()
    assert 0 < layer.weight_ih_l0.abs().max() < 0.006
    h_0 = torch.rand(2, 1, 8)
    _, h_n = layer(torch.zeros(500, 1, 3), h_0)
    assert torch.equal(h_n[0], h_0[0])


def test_orthogonal_keeps_norms_in_every_gate():
    layer = nn.LSTM(3, 8, 2, bidirectional=True, init="orthogonal")
    for weight in layer.parameters_named("weight_hh"):
        for part in weight.detach().chunk(4):
            torch.testing.assert_close(part @ part.T, torch.eye(8))
    assert len(layer.parameters_named("weight_hh")) == 4


@pytest.mark.parametrize(
    ("name", "letter", "sign"),
    [(n, "f", 1) for n in ("lstm", "peephole", "coupled", "layer_lstm", "min_lstm", "dilated_lstm")]
    + [("gru", "z", 1), ("gru_before", "z", 1), ("layer_gru", "z", 1), ("min_gru", "z", -1)],
)
def test_the_forget_bias_opens_the_way_of_the_state(name, letter, sign):
    torch.manual_seed(0)
    layer = CELLS[name](3, 64, 2, bidirectional=True, forget_bias=5.0)
    torch.manual_seed(0)
    before = CELLS[name](3, 64, 2, bidirectional=True)
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        assert (both(layer, letter, suffix) == 5.0 * sign).all()
        others = [other for other in layer.gates if other != letter]
        assert all(torch.equal(both(layer, other, suffix), both(before, other, suffix)) for other in others)
    # What the bias is for: with a strong one, a state that nothing is written to stays.
    with torch.no_grad():
        for key, parameter in layer.named_parameters():
            if not key.startswith("bias"):
                parameter.zero_()
        for bias in (*layer.parameters_named("bias_ih"), *layer.parameters_named("bias_hh")):
            kept = gate(layer, letter, bias).clone()
            bias.zero_()
            gate(layer, letter, bias).copy_(kept * 10)
    state = torch.ones(layer._slots, 1, 64)
    _, final = layer(torch.zeros(20, 1, 3), (state, state) if len(layer._state_sizes()) > 1 else state)
    kept = final[1] if isinstance(final, tuple) else final
    if name == "min_lstm":  # whose gates share: f / (f + i) with i = 1/2
        torch.testing.assert_close(kept, torch.full_like(kept, (2 / 3) ** 20))
    else:
        torch.testing.assert_close(kept, torch.ones_like(kept))


@pytest.mark.parametrize("name", ["lstm", "peephole", "layer_lstm", "coupled", "gru", "min_gru", "min_lstm"])
def test_chrono_spreads_the_time_constants(name):
    torch.manual_seed(0)
    layer = CELLS[name](3, 64, init="chrono", memory=100)
    log_steps = both(layer, layer.keep_gates) if layer.keep_gates else -both(layer, layer.write_gates)
    steps = log_steps.exp()
    assert 1 <= steps.min() < 15 and 85 < steps.max() <= 99 + 1e-3
    assert abs(steps.mean() - 50) < 4 * 28.3 / math.sqrt(64)
    if layer.keep_gates and layer.write_gates:
        assert torch.equal(both(layer, layer.write_gates), -both(layer, layer.keep_gates))


def test_chrono_of_learned_leaks():
    layer = nn.LeakyRNN(3, 64, leak="learned", init="chrono", memory=100)
    steps = 1 / torch.sigmoid(layer.leak_logit_l0.detach())
    assert 2 <= steps.min() < 16 and 85 < steps.max() <= 100.01


def test_the_recurrent_range_fits_the_memory():
    layer = nn.IndRNN(3, 500, 2, init="recurrent_range", memory=50)
    low, high = (layer.recurrent_l0.detach(), layer.recurrent_l1.detach())
    assert 0 <= low.min() < 0.05 and low.max() <= 2 ** (1 / 50)
    assert (high**50).min() >= 0.5 - 1e-4 and (high**50).max() <= 2 + 1e-4
    assert nn.IndRNN(3, 500).recurrent_l0.min() >= 0


@pytest.mark.parametrize("name", CELLS)
def test_without_a_name_weights_are_torch_nns(name):
    torch.manual_seed(3)
    layer = CELLS[name](3, 16)
    bound = 16**-0.5
    for key, parameter in layer.named_parameters():
        if key.startswith(("weight", "bias")):
            assert parameter.abs().max() <= bound and parameter.std() > bound / 3
        if key.startswith("norm"):
            assert torch.equal(parameter[0], torch.ones_like(parameter[0]))
    if hasattr(torch.nn, type(layer).__name__):
        torch.manual_seed(3)
        twin = getattr(torch.nn, type(layer).__name__)(3, 16)
        for ours, theirs in zip(layer.parameters(), twin.parameters(), strict=True):
            assert torch.equal(ours, theirs)


def test_reset_parameters_starts_again():
    layer = nn.PeepholeLSTM(3, 4, init="chrono", memory=30, learn_state=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(7.0)
    layer.reset_parameters()
    assert all((parameter != 7).all() for parameter in layer.parameters())
    assert torch.equal(both(layer, "i"), -both(layer, "f")) and (layer.h_0 == 0).all()


def test_names_and_cells_that_do_not_go_together():
    for name, given, message in [
        ("identity", nn.LSTM(3, 4), "init identity is for cells with one recurrent matrix and no gates, got LSTM"),
        ("orthogonal", nn.MinGRU(3, 4), "init orthogonal is for cells with a recurrent matrix, got MinGRU"),
        ("forget_bias", nn.RNN(3, 4), "a gate that keeps or writes the state, and with biases, got RNN"),
        ("forget_bias", nn.LSTM(3, 4, bias=False), "with biases, got LSTM"),
        ("chrono", nn.LeakyRNN(3, 4), "init chrono is for cells with gates and biases, and learned leaks, got Leaky"),
        ("recurrent_range", nn.GRU(3, 4), "init recurrent_range is for the cell indrnn, got GRU"),
    ]:
        with pytest.raises(UsageError, match=message):
            INITS[name].apply(given)
    with pytest.raises(UsageError, match="unknown init 'chronos': choose one of uniform, identity"):
        nn.LSTM(3, 4, init="chronos")
    with pytest.raises(UsageError, match="at least 3 steps, got 2"):
        nn.LSTM(3, 4, init="chrono", memory=2)
    with pytest.raises(UsageError, match="at least 1 step, got 0"):
        nn.IndRNN(3, 4, init="recurrent_range", memory=0)


def test_text_rnn_applies_them_over_its_own():
    model = TextRNN(9, 2, cell="lstm", hidden_size=8, init="chrono", memory=50, forget_bias=3.0)
    assert (both(model.recurrent, "f") >= 0).all() and (both(model.recurrent, "f") != 3).any()
    assert (both(model.recurrent, "g") == 0).all()
    model = TextRNN(9, 2, cell="coupled", hidden_size=8, forget_bias=3.0)
    assert (both(model.recurrent, "f") == 3).all()
    torch.manual_seed(1)
    model = TextRNN(9, 2, cell="gru", hidden_size=8, init="uniform")
    assert (model.recurrent.bias_ih_l0 != 0).all()
    with pytest.raises(UsageError, match="init identity is for"):
        TextRNN(9, 2, cell="gru", init="identity")
    with pytest.raises(UsageError, match="unknown init 'keras': choose one of default, uniform"):
        TextRNN(9, 2, init="keras")


@pytest.mark.parametrize("name", ["LSTM", "GRU"])
def test_the_forget_bias_is_the_one_asked_for(name):
    layer = getattr(nn, name)(5, 6, init="forget_bias", forget_bias=3.0)
    assert both(layer, layer.keep_gates).tolist() == [3.0] * 6
    cell = name.lower()
    (own,) = TextRNN(20, 4, cell=cell, init="forget_bias", forget_bias=3.0, bidirectional=False).recurrent_layers
    assert both(own, own.keep_gates).eq(3.0).all()


def test_the_recurrent_range_of_a_stack_is_wide_below_its_top():
    stack = nn.Stack(3, [200, 200, 200], "indrnn", init="recurrent_range", memory=5)
    lowest = [float(layer.recurrent_l0.detach().min()) for layer in stack.layers]
    assert max(lowest[:2]) < 0.1 < 2 ** (-1 / 5) <= lowest[2]
    model = TextRNN(20, 4, cell="indrnn", hidden_sizes=[200, 200], init="recurrent_range", memory=5)
    lower, top = (float(layer.recurrent_l0.detach().min()) for layer in model.recurrent_layers)
    assert lower < 0.1 < 2 ** (-1 / 5) <= top
