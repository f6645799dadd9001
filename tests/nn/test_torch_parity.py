"""elman.nn layers are torch.nn's: outputs, final states, every gradient, names and checkpoints."""

import copy
import pickle

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from elman import nn, ops
from tolerances import close

LAYERS = [
    ("RNN", {"nonlinearity": "tanh"}),
    ("RNN", {"nonlinearity": "relu"}),
    ("LSTM", {}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {}),
]
STACKS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"bidirectional": True, "bias": False},
    {"num_layers": 3, "batch_first": True},
]
LENGTHS = [3, 7, 1, 5]


def twins(name, **options):
    torch.manual_seed(1)
    theirs = getattr(torch.nn, name)(5, 6, dtype=torch.float64, **options)
    ours = getattr(nn, name)(5, 6, dtype=torch.float64, **options)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def states(layer, batch):
    slots = layer.num_layers * (2 if layer.bidirectional else 1)
    size = () if batch is None else (batch,)
    h_0 = torch.randn(slots, *size, layer.proj_size or 6, dtype=torch.float64, requires_grad=True)
    if not isinstance(layer, nn.LSTM):
        return h_0
    return h_0, torch.randn(slots, *size, 6, dtype=torch.float64, requires_grad=True)


def flat(result):
    output, state = result
    output = output.data if isinstance(output, PackedSequence) else output
    return [output, *(state if isinstance(state, tuple) else (state,))]


def compare(theirs, ours, x, hx, their_result, our_result):
    """Values, and gradients of input, initial states and parameters, from random upstream gradients."""
    leaves = [x, *(() if hx is None else hx if isinstance(hx, tuple) else (hx,))]
    expected, actual = flat(their_result), flat(our_result)
    upstream = [torch.randn_like(e) for e in expected]
    for a, e in zip(actual, expected, strict=True):
        assert a.shape == e.shape
        close(a, e)
    e_grads = torch.autograd.grad(expected, [*leaves, *theirs.parameters()], upstream, retain_graph=True)
    a_grads = torch.autograd.grad(actual, [*leaves, *ours.parameters()], upstream)
    for a, e in zip(a_grads, e_grads, strict=True):
        close(a, e)


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("given", [True, False], ids=["state", "zeros"])
@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_padded(name, options, stack, given, backend):
    theirs, ours = twins(name, **options, **stack)
    size = (4, 7, 5) if ours.batch_first else (7, 4, 5)
    x = torch.randn(size, dtype=torch.float64, requires_grad=True)
    hx = states(ours, 4) if given else None
    with ops.use_backend(backend):
        compare(theirs, ours, x, hx, theirs(x, hx), ours(x, hx))


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_packed(name, options, stack):
    theirs, ours = twins(name, **options, **stack)
    x = torch.randn(7, 4, 5, dtype=torch.float64, requires_grad=True)
    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), enforce_sorted=False)
    hx = states(ours, 4)
    expected, actual = theirs(packed, hx), ours(packed, hx)
    assert torch.equal(actual[0].batch_sizes, expected[0].batch_sizes)
    assert torch.equal(actual[0].unsorted_indices, expected[0].unsorted_indices)
    compare(theirs, ours, x, hx, expected, actual)


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_lengths_equal_packing_and_padding_again(name, options, stack):
    theirs, ours = twins(name, **options, **stack)
    first = ours.batch_first
    x = torch.randn((4, 9, 5) if first else (9, 4, 5), dtype=torch.float64, requires_grad=True)
    hx = states(ours, 4)
    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=first, enforce_sorted=False)
    output, state = theirs(packed, hx)
    padded, _ = pad_packed_sequence(output, batch_first=first, total_length=9)
    compare(theirs, ours, x, hx, (padded, state), ours(x, hx, lengths=LENGTHS))


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_unbatched(name, options, stack):
    theirs, ours = twins(name, **options, **stack)
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    hx = states(ours, None)
    compare(theirs, ours, x, hx, theirs(x, hx), ours(x, hx))


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_what_stands_in_the_padding_does_not_matter(name, options):
    _, ours = twins(name, bidirectional=True, **options)
    x = torch.randn(7, 4, 5, dtype=torch.float64)
    poisoned = x.clone()
    for row, length in enumerate(LENGTHS):
        poisoned[length:, row] = float("nan")
    for clean, dirty in zip(flat(ours(x, lengths=LENGTHS)), flat(ours(poisoned, lengths=LENGTHS)), strict=True):
        assert torch.equal(clean, dirty)


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_the_reverse_direction_is_the_forward_one_on_flipped_rows(name, options):
    _, both = twins(name, bidirectional=True, **options)
    alone = getattr(nn, name)(5, 6, dtype=torch.float64, **options)
    alone.load_state_dict(
        {k.removesuffix("_reverse"): v for k, v in both.state_dict().items() if k.endswith("_reverse")}
    )
    x = torch.randn(7, 4, 5, dtype=torch.float64)
    flipped = torch.zeros_like(x)
    for row, length in enumerate(LENGTHS):
        flipped[:length, row] = x[:length, row].flip(0)
    backward = both(x, lengths=LENGTHS)[0].chunk(2, dim=2)[1]
    forward = alone(flipped, lengths=LENGTHS)[0]
    for row, length in enumerate(LENGTHS):
        close(backward[:length, row], forward[:length, row].flip(0))


@pytest.mark.parametrize(("name", "options"), LAYERS, ids=str)
def test_rows_of_length_zero_keep_their_initial_state(name, options):
    _, ours = twins(name, bidirectional=True, **options)
    x, hx = torch.randn(7, 3, 5, dtype=torch.float64), states(ours, 3)
    output, *finals = flat(ours(x, hx, lengths=[4, 0, 7]))
    assert (output[:, 1] == 0).all()
    for initial, final in zip(hx if isinstance(hx, tuple) else (hx,), finals, strict=True):
        assert torch.equal(initial[:, 1], final[:, 1])
    empty, *finals = flat(ours(x, hx, lengths=[0, 0, 0]))
    assert empty.shape == (7, 3, output.shape[2])
    for initial, final in zip(hx if isinstance(hx, tuple) else (hx,), finals, strict=True):
        assert torch.equal(initial, final)


def test_checkpoints_move_both_ways():
    for name, options in LAYERS:
        theirs, ours = twins(name, num_layers=2, bidirectional=True, **options)
        theirs.load_state_dict(getattr(nn, name)(5, 6, 2, bidirectional=True, **options).state_dict())
        clone = pickle.loads(pickle.dumps(copy.deepcopy(ours)))
        x = torch.randn(3, 2, 5, dtype=torch.float64)
        assert torch.equal(flat(clone(x))[0], flat(ours(x))[0])


def test_dropout_between_layers_acts_in_training_only():
    layer = nn.GRU(5, 6, 2, dropout=0.5)
    x = torch.randn(7, 4, 5)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_simple_rnn_is_the_tutorials_name():
    assert nn.SimpleRNN is nn.RNN
