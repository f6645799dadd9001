"""Stack: layers of different sizes, residual connections and merges are what they say, in every form of input."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from elman import nn
from elman.errors import ShapeError, UsageError
from elman.nn import CELLS, MERGES, Stack, TextRNN
from tolerances import close

LENGTHS = [3, 0, 7, 5]


def merged(output, merge):
    if merge == "concat":
        return output
    forward, backward = output.chunk(2, dim=-1)
    return {"sum": forward + backward, "mean": (forward + backward) / 2, "product": forward * backward}[merge]


def by_hand(stack, x, lengths):
    """Layer after layer on padded tensors."""
    for layer in stack.layers:
        output = layer(x, lengths=lengths)[0]
        output = merged(output, stack.merge) if stack.bidirectional else output
        x = output + x if stack.residual and output.shape == x.shape else output
    return x


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("merge", [*MERGES, None])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "min_gru", "leaky"])
def test_equals_layer_after_layer(cell, merge, residual):
    torch.manual_seed(0)
    wide = 12 if merge == "concat" else 6
    stack = Stack(wide, (6, 6, 4), cell, bidirectional=merge is not None, merge=merge or "concat", residual=residual)
    x = torch.randn(7, 4, wide, requires_grad=True)
    output, states = stack(x, lengths=LENGTHS)
    assert output.shape == (7, 4, stack.output_size) and len(states) == 3
    expected = by_hand(stack, x, LENGTHS)
    # A text of length zero is nothing but its padding, to which the residual connection by hand adds its own.
    kept = torch.arange(7)[:, None] < torch.tensor(LENGTHS)
    close(output[kept], expected[kept])
    assert (output[~kept] == 0).all()
    leaves = [x, *stack.parameters()]
    upstream = torch.randn_like(output) * kept[..., None]
    for a, e in zip(*(torch.autograd.grad(y, leaves, upstream) for y in (output, expected)), strict=True):
        close(a, e)
    rows = [2, 0, 3]
    packed = pack_padded_sequence(x[:, rows], torch.tensor([7, 3, 5]), enforce_sorted=False)
    close(pad_packed_sequence(stack(packed)[0])[0], output[:, rows])
    alone, state = stack(x[:5, 3])
    close(alone, output[:5, 3])
    close(state[1][0], states[1][0][:, 3])
    again, _ = stack(x, [tuple(part for part in layer) for layer in stack(x)[1]])
    assert not torch.allclose(again, stack(x)[0])


def test_batch_first_and_states_go_on():
    torch.manual_seed(0)
    stack = Stack(3, (5, 4), "peephole", batch_first=True)
    x = torch.randn(2, 8, 3)
    whole, final = stack(x)
    first, state = stack(x[:, :3])
    second, state = stack(x[:, 3:], state)
    close(torch.cat([first, second], 1), whole)
    for layer, expected in zip(state, final, strict=True):
        for a, e in zip(layer, expected, strict=True):
            close(a, e)


def test_equal_layers_are_one_layer_of_many():
    torch.manual_seed(0)
    for cell in CELLS:
        one = CELLS[cell](4, 6, 3, bidirectional=True)
        stack = Stack(4, (6, 6, 6), cell, bidirectional=True)
        for index, layer in enumerate(stack.layers):
            names = {name: name.replace("_l0", f"_l{index}") for name in layer.state_dict()}
            layer.load_state_dict({name: one.state_dict()[there] for name, there in names.items()})
        x = torch.randn(7, 4, 4)
        close(stack(x, lengths=LENGTHS)[0], one(x, lengths=LENGTHS)[0], kind="classifier")


def test_dropout_is_between_layers_in_training():
    stack, x = Stack(3, (5, 5), dropout=0.5), torch.randn(7, 4, 3)
    assert not torch.equal(stack(x)[0], stack(x)[0])
    assert torch.equal(stack.eval()(x)[0], stack(x)[0])
    assert torch.equal(stack(x)[0], by_hand(stack, x, None))
    alone = Stack(3, (5,), dropout=0.5)
    assert torch.equal(alone(x)[0], alone(x)[0])


def test_options_reach_every_layer():
    stack = Stack(3, (5, 4), "lstm", zoneout=0.2, learn_state=True, init="chrono", memory=30, bptt_truncate=7)
    for layer in stack.layers:
        assert (layer.zoneout, layer.bptt_truncate, layer.init, layer.memory) == (0.2, 7, "chrono", 30)
        assert layer.h_0.shape == (1, layer.hidden_size)
    assert [layer.dilation for layer in Stack(3, (4, 4, 4), "dilated_gru", dilation=3).layers] == [3, 6, 12]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Stack(3, ()), "at least one layer"),
        (lambda: Stack(3, (4,), "lstn"), "unknown cell 'lstn': choose one of rnn"),
        (lambda: Stack(3, (4,), merge="max"), "unknown merge 'max'"),
        (lambda: Stack(3, (4, 5), residual=True), r"as wide as its input, got the widths \[3, 4, 5\]"),
        (lambda: Stack(3, (4,), dropout=1.0), "dropout must be at least 0 and below 1, got 1"),
        (lambda: Stack(3, (4,), zoneout=1.0), "zoneout must be at least 0 and below 1"),
        (lambda: TextRNN(9, 2, hidden_sizes=(4, 5), num_layers=3), "names 2 layers, but num_layers is 3"),
        (lambda: TextRNN(9, 2, cell="gru", zonout=0.1), "GRU has no argument 'zonout'"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(UsageError, match=message):
        make()


def test_the_skip_of_dilated_layers_doubles_and_others_have_none():
    stack = nn.Stack(3, [4, 4, 4], "dilated_gru", dilation=3)
    assert [layer.dilation for layer in stack.layers] == [3, 6, 12]
    with pytest.raises(UsageError, match="dilation"):
        nn.Stack(3, [4, 4], "lstm", dilation=3)


def test_states_that_are_no_list_of_layers():
    with pytest.raises(ShapeError, match="states of 2 layers, got Tensor"):
        nn.Stack(3, [4, 4], "gru")(torch.zeros(5, 2, 3), torch.zeros(2, 2, 4))


def test_sizes_that_do_not_fit():
    stack = Stack(3, (5, 4))
    with pytest.raises(ShapeError, match="Expected input of size 3, got 2"):
        stack(torch.zeros(7, 4, 2))
    with pytest.raises(ShapeError, match="Expected states of 2 layers, got 1"):
        stack(torch.zeros(7, 4, 3), [stack(torch.zeros(7, 4, 3))[1][0]])
    with pytest.raises(ShapeError, match=r"Expected hidden\[0\] size \(1, 4, 5\)"):
        stack(torch.zeros(7, 4, 3), stack(torch.zeros(7, 2, 3))[1])


@pytest.mark.parametrize("merge_layers", [False, True])
@pytest.mark.parametrize("merge", MERGES)
def test_text_rnn_merges_once_or_after_every_layer(merge, merge_layers):
    torch.manual_seed(0)
    options = {"residual": True, "merge_layers": merge_layers, "pooling": "last", "num_layers": 2}
    model = TextRNN(9, 2, embedding_dim=12, hidden_size=6, cell="gru", merge=merge, **options).eval()
    text = torch.tensor([3, 4, 5, 6])
    stack = model.recurrent
    assert isinstance(stack, Stack)
    x = by_hand(stack, model.embedding(text), None)
    assert x.shape[-1] == (12 if not merge_layers or merge == "concat" else 6)
    _, states = stack(model.embedding(text))
    last = torch.cat(states[-1][0].unbind(0), -1)
    close(model(text[None])[0], model.output(merged(last, merge)), kind="classifier")


@pytest.mark.parametrize("cell", CELLS)
def test_every_parameter_of_a_text_rnn_learns(cell):
    torch.manual_seed(0)
    model = TextRNN(9, 2, cell=cell, hidden_sizes=(8, 6), learn_state=True, zoneout=0.1, input_dropout=0.1)
    ids = torch.tensor([[3, 4, 5, 6, 7, 8], [4, 3, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]])
    model(ids, torch.tensor([6, 2, 0])).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_parametrized_weights_of_a_variant():
    layer = nn.PeepholeLSTM(3, 4)
    x = torch.randn(5, 2, 3)
    torch.nn.utils.parametrizations.orthogonal(layer, "weight_hh_l0")
    before = layer(x)[0]
    layer.parametrizations.weight_hh_l0.original.data.mul_(-1)
    assert not torch.allclose(layer(x)[0], before)
