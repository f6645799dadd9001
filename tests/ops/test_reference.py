"""The hand-written back-propagation through time agrees with autograd, finite differences and a brute-force twin."""

import pytest
import torch

from cells import FAMILY, arguments, random_like, run
from elman.ops import Options, reference
from elman.ops.ragged import lengths_of, starts_of
from tolerances import close

LENGTHS = [5, 3, 3, 1, 0]


def forward(case, args, reverse):
    return run(reference, case, args, reverse=reverse)


def by_hand(case, args, upstream, reverse, bptt_truncate=None):
    options = Options(bptt_truncate)
    output, *state_n = upstream
    g = reference.recurrent_backward(
        case.name, output, tuple(state_n), *args.positional(), reverse=reverse, options=options
    )
    return [g.dx, *g.dstate_0, *(w for w in g.dweights if w is not None)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_full_bptt_equals_autograd(case, bias, reverse):
    args = arguments(case, LENGTHS, bias=bias)
    results = forward(case, args, reverse)
    upstream = random_like(results)
    expected = torch.autograd.grad(results, args.leaves(), upstream)
    for ours, autograd in zip(by_hand(case, args, upstream, reverse), expected, strict=True):
        close(ours, autograd)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_full_bptt_equals_finite_differences(case, reverse):
    args = arguments(case, LENGTHS)
    upstream = random_like(forward(case, args, reverse))

    @torch.no_grad()
    def loss():
        return sum((r * u).sum() for r, u in zip(forward(case, args, reverse), upstream, strict=True))

    for gradient, leaf in zip(by_hand(case, args, upstream, reverse), args.leaves(), strict=True):
        flat = leaf.detach().view(-1)  # shares memory with the leaf
        numeric = torch.empty_like(flat)
        for i in range(flat.numel()):
            value, step = flat[i].item(), 1e-6
            flat[i] = value + step
            above = loss()
            flat[i] = value - step
            numeric[i] = (above - loss()) / (2 * step)
            flat[i] = value
        close(gradient.flatten(), numeric, kind="finite_difference")


def truncated_twin(case, args, upstream, reverse, k):
    """One row and one output at a time: autograd over the last k + 1 steps, everything before held constant."""
    doutput, *dfinal = upstream
    total = [torch.zeros_like(leaf) for leaf in args.leaves()]
    starts = starts_of(args.batch_sizes)
    for row, length in enumerate(lengths_of(args.batch_sizes, len(args.state_0[0])).tolist()):
        order = range(length)[::-1] if reverse else range(length)
        elements = [int(starts[t]) + row for t in order]
        for position in range(length):
            state = tuple(s[row : row + 1] for s in args.state_0)
            for p in range(position + 1):
                if p == position - k and p > 0:
                    state = tuple(s.detach() for s in state)
                weights = args.weights
                x = args.data[elements[p]][None]
                if p < position - k:
                    weights = type(weights)(*(None if w is None else w.detach() for w in weights))
                    x = x.detach()
                _, state = reference.recurrent(case.name, x, torch.tensor([1]), state, weights)
            loss = (state[0] * doutput[elements[position]]).sum()
            if position == length - 1:
                loss = loss + sum((s * d[row]).sum() for s, d in zip(state, dfinal, strict=True))
            grads = torch.autograd.grad(loss, args.leaves(), allow_unused=True)
            for t, g in zip(total, grads, strict=True):
                if g is not None:
                    t += g
        if length == 0:
            for t, d in zip(total[1 : 1 + len(dfinal)], dfinal, strict=True):
                t[row] += d[row]
    return total


@pytest.mark.parametrize("k", [0, 1, 2, 3])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_truncated_bptt_equals_one_output_at_a_time(case, reverse, k):
    args = arguments(case, LENGTHS)
    upstream = random_like(forward(case, args, reverse))
    ours = by_hand(case, args, upstream, reverse, bptt_truncate=k)
    for gradient, twin in zip(ours, truncated_twin(case, args, upstream, reverse, k), strict=True):
        close(gradient, twin)


@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_truncation_beyond_the_longest_row_is_full_bptt(case):
    args = arguments(case, LENGTHS, hidden_size=16)  # enough units that some relu stay open over all steps
    upstream = random_like(forward(case, args, False))
    full = by_hand(case, args, upstream, False)
    for gradient, whole in zip(by_hand(case, args, upstream, False, bptt_truncate=4), full, strict=True):
        close(gradient, whole)
    shorter = by_hand(case, args, upstream, False, bptt_truncate=3)
    assert any(not torch.allclose(s, f) for s, f in zip(shorter, full, strict=True))
