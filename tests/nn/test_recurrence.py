"""`Recurrence`: a user's cell gives what a layer of that cell gives, in every form of input, truncated or not."""

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from cells import CellCase, arguments, random_like
from elman.errors import ShapeError, UsageError
from elman.nn import LSTM, Recurrence
from elman.ops import Options, reference
from elman.ops.ragged import lengths_of
from tolerances import close

LENGTHS = [3, 7, 0, 5]


class Decay(torch.nn.Module):
    """A cell of two states of different widths and an output of a third."""

    def __init__(self, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def random(*size):
            return torch.nn.Parameter(torch.randn(*size, generator=generator, dtype=torch.float64))

        self.inner, self.rate, self.outer = random(5, 3 + 5), random(2, 5), random(4, 2)

    def forward(self, x_t, state):
        fast, slow = state
        fast = torch.tanh(torch.cat([x_t, fast], 1) @ self.inner.T)
        slow = 0.9 * slow + torch.sigmoid(fast @ self.rate.T)
        return slow @ self.outer.T, (fast, slow)


def lstm_twins(reverse=False, **options):
    torch.manual_seed(3)
    layer = LSTM(3, 4, bidirectional=reverse, dtype=torch.float64, batch_first=options.get("batch_first", False))
    cells = [torch.nn.LSTMCell(3, 4, dtype=torch.float64) for _ in range(1 + reverse)]
    for cell, suffix in zip(cells, ("_l0", "_l0_reverse"), strict=False):
        cell.load_state_dict({name: getattr(layer, name + suffix) for name in cell.state_dict()})
    recurrence = Recurrence(cells[0], 3, reverse_cell=cells[1] if reverse else None, **options)
    return layer, recurrence


def flat(result):
    output, state = result
    states = state if isinstance(state, tuple) else (state,)
    return [output.data if isinstance(output, PackedSequence) else output, *states]


def compare(theirs, ours, leaves, expected, actual):
    """Values and gradients, from random upstream gradients."""
    upstream = random_like(flat(expected))
    assert [a.shape for a in flat(actual)] == [e.shape for e in flat(expected)]
    close(flat(actual), flat(expected))
    e_grads = torch.autograd.grad(flat(expected), [*leaves, *theirs.parameters()], upstream, retain_graph=True)
    a_grads = torch.autograd.grad(flat(actual), [*leaves, *ours.parameters()], upstream)
    close(a_grads, e_grads)


def states(directions, *batch):
    return tuple(torch.randn(directions, *batch, 4, dtype=torch.float64, requires_grad=True) for _ in range(2))


@pytest.mark.parametrize("form", ["padded", "lengths", "packed", "unbatched"])
@pytest.mark.parametrize("given", [True, False], ids=["state", "zeros"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_torchs_cell_makes_our_layer(form, given, reverse, batch_first):
    layer, recurrence = lstm_twins(reverse, batch_first=batch_first)
    x = torch.randn((4, 7, 3) if batch_first else (7, 4, 3), dtype=torch.float64, requires_grad=True)
    hx = states(1 + reverse, 4) if given else None
    input, options = x, {}
    if form == "lengths":
        options["lengths"] = LENGTHS
    if form == "packed":
        input = pack_padded_sequence(x, torch.tensor([3, 7, 1, 5]), batch_first=batch_first, enforce_sorted=False)
    if form == "unbatched":
        input, hx = x[0], states(1 + reverse) if given else None
    compare(layer, recurrence, [x, *(hx or ())], layer(input, hx, **options), recurrence(input, hx, **options))


TORCH_CELLS = {"rnn_tanh": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("k", [1, 2, 3, 6])
@pytest.mark.parametrize("name", TORCH_CELLS)
def test_truncated_equals_the_reference_by_hand(name, k, reverse):
    args = arguments(CellCase(name), LENGTHS)
    cell, other = (TORCH_CELLS[name](3, 4, dtype=torch.float64) for _ in range(2))
    cell.load_state_dict({name: getattr(args.weights, name) for name in cell.state_dict()})
    recurrence = Recurrence(other if reverse else cell, 3, reverse_cell=cell if reverse else None, bptt_truncate=k)
    at, half = int(reverse), slice(4, 8) if reverse else slice(0, 4)
    packed = PackedSequence(args.data, args.batch_sizes, torch.arange(4), torch.arange(4))  # 4 rows, one without steps
    output, *final = flat(recurrence(packed, tuple(torch.stack([s] * (1 + reverse)) for s in args.state_0)))
    results = [output[:, half], *(s[at] for s in final)]
    upstream = random_like(results)
    actual = torch.autograd.grad(results, [args.data, *args.state_0, *cell.parameters()], upstream)
    with torch.no_grad():
        g = reference.recurrent_backward(
            name, upstream[0], tuple(upstream[1:]), *args.positional(), reverse=reverse, options=Options(k)
        )
    close(list(actual), [g.dx, *g.dstate_0, *(w for w in g.dweights if w is not None)])


def decay_by_hand(cells, x, lengths, hx):
    """One row, one direction, one step at a time: outputs [T, B, 8] and final states."""
    rows = []
    finals = [[torch.empty(0)] * len(lengths) for _ in range(2)]
    for row, length in enumerate(lengths):
        outputs = []
        for direction, cell in enumerate(cells):
            state, steps = tuple(s[direction, row][None] for s in hx), [torch.zeros(1, 4).double()] * len(x)
            for t in range(length)[:: -1 if direction else 1]:
                steps[t], state = cell(x[t, row][None], state)
            outputs.append(torch.cat(steps))
            finals[direction][row] = state
        rows.append(torch.cat(outputs, 1))
    finals = [torch.stack([torch.cat([s[i] for s in direction]) for direction in finals]) for i in range(2)]
    return torch.stack(rows, 1), tuple(finals)


def decay_arguments():
    generator = torch.Generator().manual_seed(0)
    sizes = [(7, 4, 3), (2, 4, 5), (2, 4, 2)]
    return [torch.randn(size, generator=generator, dtype=torch.float64).requires_grad_() for size in sizes]


@pytest.mark.parametrize("truncate", [None, 20])
def test_a_cell_of_several_states_in_both_directions(truncate):
    cells = [Decay(1), Decay(2)]
    layer = Recurrence(cells[0], 3, (5, 2), reverse_cell=cells[1], bptt_truncate=truncate)
    x, *hx = decay_arguments()
    expected = decay_by_hand(cells, x, LENGTHS, hx)
    compare(torch.nn.ModuleList(cells), layer, [x, *hx], expected, layer(x, tuple(hx), lengths=LENGTHS))


def test_gradients_equal_finite_differences():
    layer = Recurrence(Decay(1), 3, (5, 2), reverse_cell=Decay(2))
    x, *hx = decay_arguments()
    names, parameters = zip(*layer.named_parameters(), strict=True)

    def call(x, h, c, *parameters):
        given = dict(zip(names, parameters, strict=True))
        return tuple(flat(torch.func.functional_call(layer, given, (x, (h, c)), {"lengths": [2, 4, 0, 1]})))

    assert torch.autograd.gradcheck(call, (x[:4], *hx, *parameters))


@pytest.mark.parametrize("k", [1, 3])
def test_truncation_changes_gradients_and_not_values(k):
    cell = Decay(1)
    x, *hx = decay_arguments()
    hx = tuple(s[:1] for s in hx)
    whole, truncated = Recurrence(cell, 3, (5, 2)), Recurrence(cell, 3, (5, 2), bptt_truncate=k)
    expected, actual = whole(x, hx, lengths=LENGTHS), truncated(x, hx, lengths=LENGTHS)
    close(flat(actual), flat(expected))
    with torch.no_grad():
        close(flat(truncated(x, hx, lengths=LENGTHS)), flat(expected))
    # The last output of the row of 7 steps reaches inputs 6-k .. 6 and no further.
    (gradient,) = torch.autograd.grad(actual[0][6, 1].sum(), x)
    assert [bool(g.abs().sum()) for g in gradient[:, 1]] == [t >= 6 - k for t in range(7)]


def test_a_function_whose_state_is_one_tensor():
    def total(x_t, state):
        return state + x_t, state + x_t

    x = torch.randn(7, 4, 3)
    output, final = Recurrence(total, 3, 3)(x, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        close(output[:length, row], x[:length, row].cumsum(0))
        close(final[0, row], x[:length, row].sum(0))
    assert not list(Recurrence(total, 3, 3).parameters())


def test_composing_stacks():
    torch.manual_seed(0)
    theirs = torch.nn.LSTM(3, 4, 2, dtype=torch.float64)
    cells = [torch.nn.LSTMCell(size, 4, dtype=torch.float64) for size in (3, 4)]
    for index, cell in enumerate(cells):
        cell.load_state_dict({name: getattr(theirs, f"{name}_l{index}") for name in cell.state_dict()})
    x = torch.randn(7, 4, 3, dtype=torch.float64)
    packed = pack_padded_sequence(x, torch.tensor([3, 7, 1, 5]), enforce_sorted=False)
    output, (h_n, _) = theirs(packed)
    first, (h_0, _) = Recurrence(cells[0], 3)(packed)
    second, (h_1, _) = Recurrence(cells[1], 4)(first)
    close(second.data, output.data)
    close(torch.cat([h_0, h_1]), h_n)


@pytest.mark.parametrize("truncate", [None, 2])
def test_a_learned_initial_state_is_every_rows(truncate):
    cells = [Decay(1), Decay(2)]
    layer = Recurrence(cells[0], 3, (5, 2), reverse_cell=cells[1], learn_state=True, bptt_truncate=truncate).double()
    x, *hx = decay_arguments()
    close(flat(layer(x)), flat(layer(x, tuple(torch.zeros_like(s) for s in hx))))
    with torch.no_grad():
        for learned, given in zip(layer.initial_state, hx, strict=True):
            learned.copy_(given[:, 0])
    hx = [s[:, :1].detach().repeat(1, 4, 1).requires_grad_() for s in hx]
    actual, expected = flat(layer(x, lengths=LENGTHS)), flat(layer(x, tuple(hx), lengths=LENGTHS))
    close(actual, expected)
    upstream = random_like(expected)
    by_row = torch.autograd.grad(expected, hx, upstream)
    for gradient, rows in zip(torch.autograd.grad(actual, list(layer.initial_state), upstream), by_row, strict=True):
        close(gradient, rows.sum(1))
    for learned, final in zip(layer.initial_state, actual[1:], strict=True):
        assert torch.equal(final[:, 2], learned)  # the row of length zero


def test_no_steps_at_all():
    layer = Recurrence(Decay(1), 3, (5, 2), reverse_cell=Decay(2), bptt_truncate=1)
    x, *hx = decay_arguments()
    output, final = layer(x, tuple(hx), lengths=[0, 0, 0, 0])
    assert output.shape == (7, 4, 8) and not output.any()
    for initial, last in zip(hx, final, strict=True):
        assert torch.equal(initial, last)


def test_what_stands_in_the_padding_does_not_matter():
    layer = Recurrence(Decay(1), 3, (5, 2), bptt_truncate=2)
    x = decay_arguments()[0].detach()
    poisoned = x.clone()
    for row, length in enumerate(LENGTHS):
        poisoned[length:, row] = float("nan")
    for clean, dirty in zip(flat(layer(x, lengths=LENGTHS)), flat(layer(poisoned, lengths=LENGTHS)), strict=True):
        assert torch.equal(clean, dirty)


def test_lengths_that_the_windows_see_are_those_of_the_rows():
    seen = []

    def count(x_t, state):
        seen.append(len(x_t))
        return state, state + 1

    layer = Recurrence(count, 1, 1, bptt_truncate=2)
    layer(torch.zeros(7, 4, 1), lengths=LENGTHS)
    rows = [sum(length > t for length in LENGTHS) for t in range(7)]
    later = [sum(max(0, length - j) for length in LENGTHS) for j in range(3)]  # elements with a j-th step back
    assert seen == rows + later
    assert lengths_of(torch.tensor(rows), 4).tolist() == sorted(LENGTHS, reverse=True)


X = torch.zeros(7, 4, 3)


@pytest.mark.parametrize(
    ("cell", "sizes", "message"),
    [
        (lambda x, h: (h, h[:, :2]), 5, r"state 0 .* \(4, 5\), got \(4, 2\)"),
        (lambda x, h: (h[:1], h), 5, r"Expected output \(4, size\) from the cell, got \(1, 5\)"),
        (lambda x, h: (h, (h, h)), 5, "Expected a state of 1 tensors from the cell, got 2"),
        (lambda x, s: s, (5, 2), "Expected a state of 2 tensors from the cell, got 1"),
        (lambda x, s: (s[0], (s[0], s[0])), (5, 2), r"state 1 .* \(4, 2\), got \(4, 5\)"),
    ],
)
def test_cells_that_return_another_shape(cell, sizes, message):
    with pytest.raises(ShapeError, match=message):
        Recurrence(cell, 3, sizes)(X)


def test_a_cell_whose_output_changes_its_width():
    widths = iter([3, 2])
    with pytest.raises(ShapeError, match="keep its width 3, got 2"):
        Recurrence(lambda x, h: (x[:, : next(widths)], h), 3, 5)(X)


@pytest.mark.parametrize(
    ("result", "given"),
    [
        (X[0], "a Tensor"),
        ((X[0],) * 3, "a tuple of Tensor, Tensor, Tensor"),
        ((X[0], None), "a tuple of Tensor, NoneType"),
        ((X[0], (X[0], (X[0],))), "a tuple of Tensor, tuple"),
        ((None, X[0]), "a tuple of NoneType, Tensor"),
    ],
)
def test_a_cell_that_returns_no_pair(result, given):
    with pytest.raises(UsageError, match=rf"must return \(output, state\), tensors both, got {given}"):
        Recurrence(lambda x, h: result, 3, 3)(X)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m(torch.zeros(7, 4, 2)), "Expected 3, got 2"),
        (lambda m: m(torch.zeros(3)), "2D .* or 3D .*, got 1D"),
        (lambda m: m(X, torch.zeros(1, 4, 5)), "initial state of 2 tensors, got 1"),
        (
            lambda m: m(X, (torch.zeros(1, 4, 5), torch.zeros(1, 3, 2))),
            r"hidden\[1\] size \(1, 4, 2\).*got \[1, 3, 2\]",
        ),
        (lambda m: m(X[:, 0], (torch.zeros(1, 4, 5),) * 2), r"hidden\[0\] size \(1, 5\)"),
        (lambda m: m(X, (None, None)), "2 tensors, got a tuple of NoneType, NoneType"),
        (lambda m: m(X, 5), "2 tensors, got a int"),
    ],
)
def test_sizes_that_do_not_fit(call, message):
    with pytest.raises(ShapeError, match=message):
        call(Recurrence(Decay(1), 3, (5, 2)))


@pytest.mark.parametrize(
    ("cell", "options", "message"),
    [
        (torch.nn.GRUCell(4, 5), {}, r"sizes 3 and \(5,\), got GRUCell of 4 and \(5,\)"),
        (torch.nn.GRUCell(3, 5), {"state_size": 7}, r"sizes 3 and \(7,\), got GRUCell of 3 and \(5,\)"),
        (torch.nn.GRUCell(3, 5), {"reverse_cell": torch.nn.GRUCell(3, 6)}, r"got GRUCell of 3 and \(6,\)"),
        (torch.nn.GRUCell(3, 5), {"reverse_cell": torch.nn.LSTMCell(3, 5)}, r"got LSTMCell of 3 and \(5, 5\)"),
    ],
)
def test_torchs_cells_of_other_sizes(cell, options, message):
    with pytest.raises(ShapeError, match=message):
        Recurrence(cell, 3, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bptt_truncate": 0}, "bptt_truncate must be at least 1, or None for no truncation, got 0"),
        ({"state_size": None}, "state_size must be given"),
        ({"state_size": (5, 0)}, r"at least 1 .* got \(5, 0\)"),
        ({"state_size": ()}, r"at least 1 .* got \(\)"),
    ],
)
def test_options(options, message):
    with pytest.raises(UsageError, match=message):
        Recurrence(Decay(1), 3, **{"state_size": (5, 2), **options})
