"""A number that is none goes where the reference lets it go: a network that has diverged does not look healthy."""

import itertools

import pytest
import torch

from cells import NATIVE, CellCase, arguments, random_like, run
from elman import ops
from elman.nn import Pooling
from elman.ops import kernels, native, reference

LENGTHS = [5, 5, 3, 1, 0]


def with_number(args, leaf, place, number):
    """The same call with a number in one place of one leaf."""
    leaves = [tensor.detach().clone() for tensor in args.leaves()]
    leaves[leaf][place] = number
    return args.replaced([tensor.requires_grad_() for tensor in leaves])


def places(args):
    """The first and the last number of every leaf, and one of the last step's input."""
    for leaf, tensor in enumerate(args.leaves()):
        yield leaf, (0,) * tensor.dim()
        yield leaf, tuple(size - 1 for size in tensor.shape)
    yield 0, (len(args.data) - 1, 0)


def results(module, case, args, doutput=None, **options):
    """Outputs and gradients, of squares (whose gradient is NaN where the output is) or as `doutput` says."""
    output, *state_n = run(module, case, args, **options)
    weights = random_like([output, *state_n])
    if doutput is not None:
        loss = (output * doutput).sum()
    else:
        loss = sum((part.square() * weight).sum() for part, weight in zip([output, *state_n], weights, strict=True))
    gradients = torch.autograd.grad(loss, args.leaves(), allow_unused=True, materialize_grads=True)
    return [output.detach(), *(part.detach() for part in state_n), *gradients]


def same_places(actual, expected):
    return all(torch.equal(a.isfinite(), e.isfinite()) for a, e in zip(actual, expected, strict=True))


@pytest.mark.parametrize("tier", kernels.supported_tiers())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_what_is_no_number_goes_where_the_reference_lets_it_go(case, dtype, tier):
    # A minLSTM's gates are exponentials that are held finite, so that an infinite score is a gate of 0 or 1.
    numbers = [float("nan")] if case.name == "min_lstm" else [float("nan"), float("inf"), -float("inf")]
    for hidden, reverse in ((3, False), (17, True)):
        args = arguments(case, LENGTHS, hidden_size=hidden, dtype=dtype)
        for (leaf, place), number in itertools.product(places(args), numbers):
            broken = with_number(args, leaf, place, number)
            expected = results(reference, case, broken, reverse=reverse)
            with kernels.use_tier(tier):
                actual = results(native, case, broken, reverse=reverse)
            assert same_places(actual, expected), (leaf, place, number, hidden)


@pytest.mark.parametrize("options", [{}, {"clip": 0.5}, {"mask": True}, {"zoneout": True}], ids=lambda o: str([*o]))
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_gradient_that_is_no_number_goes_on(case, options):
    args = arguments(case, LENGTHS)
    doutput = torch.ones(len(args.data), 4, dtype=torch.float64)
    doutput[-6:] = float("nan")
    if "mask" in options:
        options = {"mask": torch.full_like(args.state_0[0], 0.5).detach()}
    if "zoneout" in options:
        options = {"zoneout": tuple(torch.full_like(doutput, 0.5) for _ in args.state_0)}
    with ops.use_backend("reference"):
        expected = results(ops, case, args, doutput, options=ops.Options(**options))
    actual = results(ops, case, args, doutput, options=ops.Options(**options))
    assert same_places(actual, expected)
    assert not all(part.isfinite().all() for part in actual[1 + case.states :])


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_truncated_gradient_that_is_no_number_stays_in_its_own_row(case):
    args = arguments(case, LENGTHS)
    doutput = torch.ones(len(args.data), 4, dtype=torch.float64)
    doutput[-1] = float("nan")
    options = ops.Options(bptt_truncate=2)
    with ops.use_backend("reference"):
        expected = results(ops, case, args, doutput, options=options)
    assert same_places(results(ops, case, args, doutput, options=options), expected)


@pytest.mark.parametrize("name", ["rnn_tanh", "rnn_relu"])
def test_the_reference_written_out_is_torchs_derivative(name):
    """Where a unit is NaN and where it rests, for gradients that are numbers and that are none."""
    case = CellCase(name)
    args = with_number(arguments(case, LENGTHS), 0, (-1, 0), float("nan"))
    for value in (1.0, float("nan")):
        output, state_n = reference.recurrent(name, *args.positional())
        doutput = torch.full_like(output, value)
        expected = torch.autograd.grad(output, args.leaves(), doutput)
        zeros = tuple(torch.zeros_like(part) for part in state_n)
        found = reference.recurrent_backward(name, doutput, zeros, *args.positional())
        actual = [found.dx, *found.dstate_0, *(w for w in found.dweights if w is not None)]
        assert same_places(actual, expected)


@pytest.mark.parametrize("kind", ["mean", "max", "attention"])
def test_pooling_hands_it_on(kind):
    output = torch.ones(5, 3)
    output[3, 1] = float("nan")
    pooled = Pooling(kind, 3)(output, torch.zeros(2, 3), torch.tensor([2, 2, 1]))
    assert pooled.isnan().any()
