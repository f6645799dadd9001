"""`layer.step`: a stream step by step is the sequence in one call, with and without gradients."""

import pytest
import torch

from elman.errors import ShapeError, UsageError
from elman.nn import CELLS, GRU, LSTM, RNN, ClockworkRNN
from tolerances import close


def states(hx):
    return hx if isinstance(hx, tuple) else (hx,)


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2}, {"bias": False}], ids=str)
@pytest.mark.parametrize("layer", [RNN, LSTM, GRU])
def test_steps_equal_the_sequence(layer, options, batch_first, gradients):
    model = layer(3, 17, batch_first=batch_first, **options)
    x = torch.randn(6, 4, 3)
    with torch.set_grad_enabled(gradients):
        whole, final = model(x.transpose(0, 1) if batch_first else x)
        state, outputs = None, []
        for x_t in x:
            output, state = model.step(x_t, state)
            outputs.append(output)
        stepped = torch.stack(outputs, 1 if batch_first else 0)
    close(stepped, whole)
    for actual, expected in zip(states(state), states(final), strict=True):
        close(actual, expected)
    assert stepped.requires_grad == gradients


def test_a_step_leaves_the_state_it_was_given():
    model = LSTM(3, 4)
    with torch.no_grad():
        _, state = model.step(torch.randn(2, 3))
        before = [s.clone() for s in state]
        model.step(torch.randn(2, 3), state)
    for now, then in zip(state, before, strict=True):
        assert torch.equal(now, then)


@pytest.mark.parametrize("name", [name for name in CELLS if name != "clockwork"])
@pytest.mark.parametrize("gradients", [False, True])
def test_an_output_is_not_the_state(name, gradients):
    model = CELLS[name](3, 8)
    with torch.set_grad_enabled(gradients):
        output, state = model.step(torch.randn(2, 3))
    before = [s.clone() for s in states(state)]
    output.detach().fill_(9.0)
    assert all(torch.equal(s, old) for s, old in zip(states(state), before, strict=True))


def test_a_projected_layer_steps_too():
    model = LSTM(3, 6, proj_size=2)
    x = torch.randn(2, 5, 3)
    with torch.no_grad():
        state = None
        for x_t in x:
            output, state = model.step(x_t, state)
        close(output, model(x)[0][-1])


def test_refusals():
    with pytest.raises(UsageError, match="bidirectional"):
        GRU(3, 4, bidirectional=True).step(torch.zeros(1, 3))
    with torch.no_grad():
        with pytest.raises(ShapeError, match=r"Expected x_t \[B, 3\], got \(1, 1, 3\)"):
            GRU(3, 4).step(torch.zeros(1, 1, 3))
        with pytest.raises(ShapeError, match="Expected 3, got 2"):
            GRU(3, 4).step(torch.zeros(1, 2))
        with pytest.raises(ShapeError, match=r"hidden\[0\]"):
            GRU(3, 4).step(torch.zeros(1, 3), torch.zeros(1, 2, 4))


@pytest.mark.parametrize("layer", [RNN, LSTM, GRU])
def test_inference_leaves_the_learned_state(layer):
    model = layer(3, 8, learn_state=True)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    x = torch.randn(5, 1, 3)
    with torch.no_grad():
        first, again = model(x)[0], model(x)[0]
        model.step(x[0])
    close(again, first)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_layer_that_counts_its_steps_has_no_single_one():
    with pytest.raises(UsageError, match="starts its clocks at every call"):
        ClockworkRNN(3, 8).step(torch.randn(2, 3))
