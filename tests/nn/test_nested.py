"""Jagged nested tensors go in and come out, and mean what the padded batch with lengths= means."""

import pytest
import torch

from elman.errors import ShapeError
from elman.nn import GRU, LSTM, RNN, TextRNN
from tolerances import close

LENGTHS = [3, 0, 7, 1, 7]


def nested_batch(*rows):
    return torch.nested.nested_tensor(list(rows), layout=torch.jagged)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("layer", [RNN, LSTM, GRU])
def test_equals_the_padded_batch_with_lengths(layer, bidirectional):
    model = layer(4, 6, num_layers=2, bidirectional=bidirectional, batch_first=True)
    rows = [torch.randn(n, 4) for n in LENGTHS]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).requires_grad_()
    expected, state = model(padded, lengths=LENGTHS)
    jagged = nested_batch(*rows).requires_grad_()
    output, own_state = model(jagged)
    assert output.is_nested and output.layout == torch.jagged
    assert torch.equal(output.offsets(), jagged.offsets())
    upstream = torch.randn_like(expected)
    for row, n in enumerate(LENGTHS):
        close(output.unbind()[row], expected[row, :n])
    for mine, theirs in zip(
        torch.utils._pytree.tree_leaves(own_state), torch.utils._pytree.tree_leaves(state), strict=True
    ):
        close(mine, theirs)
    real = [upstream[row, :n] for row, n in enumerate(LENGTHS)]
    (found,) = torch.autograd.grad(output.values(), jagged, torch.cat(real))
    (wanted,) = torch.autograd.grad(expected, padded, torch.nn.utils.rnn.pad_sequence(real, batch_first=True))
    for row, n in enumerate(LENGTHS):
        close(found.unbind()[row], wanted[row, :n])


def test_the_result_goes_on_as_a_nested_tensor():
    first, second = LSTM(4, 6, batch_first=True), GRU(6, 2, batch_first=True)
    x = nested_batch(torch.randn(2, 4), torch.randn(5, 4))
    output, _ = second(first(x)[0])
    assert [len(row) for row in output.unbind()] == [2, 5]


def test_token_ids():
    model = TextRNN(20, 3).eval()
    rows = [torch.randint(0, 20, (n,)) for n in LENGTHS]
    padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    close(model(nested_batch(*rows)), model(padded, lengths=LENGTHS))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_other_nested_tensors_are_refused():
    rows = [torch.randn(2, 4), torch.randn(3, 4)]
    with pytest.raises(ShapeError, match="Expected a jagged nested tensor"):
        LSTM(4, 6)(torch.nested.nested_tensor(rows, layout=torch.strided))
    with pytest.raises(ShapeError, match=r"without lengths="):
        LSTM(4, 6)(nested_batch(*rows), lengths=[2, 3])
