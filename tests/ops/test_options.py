"""What a call may have beside its weights: kernels and reference agree, and each option does what it says."""

import math

import pytest
import torch

from cells import CLASSICAL, FAMILY, NATIVE, CellCase, arguments, random_like, run
from elman import ops
from elman.errors import ShapeError, UsageError
from elman.ops import Options, kernels, ragged, reference
from tolerances import close

LENGTHS = [6, 6, 4, 3, 1, 0]
TANH, LSTM, GRU = CellCase("rnn_tanh"), CellCase("lstm"), CellCase("gru")
FLOWING = [case for case in CLASSICAL if not case.projected]


def options_of(kind, case, args):
    """Options that would betray a swap: masks and rates that differ everywhere."""
    generator = torch.Generator().manual_seed(3)

    def random(*size):
        return torch.rand(*size, generator=generator, dtype=args.data.dtype)

    rows, hidden = args.state_0[0].shape
    if kind == "mask":
        return Options(mask=random(rows, hidden) * 2)
    if kind == "zoneout":
        return Options(zoneout=tuple(random(len(args.data), hidden) * 0.9 for _ in args.state_0))
    if kind == "zoneout of 0 and 1":
        return Options(zoneout=tuple(random(len(args.data), hidden).round() for _ in args.state_0))
    if kind == "clip":
        return Options(clip=0.3)
    if kind == "flow":
        return Options(flow=0.7)
    if kind == "all":
        mask, zoneout = options_of("mask", case, args), options_of("zoneout", case, args)
        return Options(bptt_truncate=2, mask=mask.mask, zoneout=zoneout.zoneout, clip=0.3)
    return Options(bptt_truncate=int(kind))


def results_and_gradients(case, args, options, reverse=False):
    results = run(ops, case, args, reverse=reverse, options=options)
    upstream = random_like(results)
    return [*results, *torch.autograd.grad(results, args.leaves(), upstream, materialize_grads=True, allow_unused=True)]


KINDS = ["mask", "zoneout", "zoneout of 0 and 1", "clip", "0", "1", "3", "9", "all"]


@pytest.mark.parametrize("tier", kernels.supported_tiers())
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_the_kernels_equal_the_reference(case, kind, reverse, tier):
    args = arguments(case, LENGTHS, input_size=5, hidden_size=11)
    options = options_of(kind, case, args)
    assert ops.path(args.data, args.weights, case.name, options) == "native"
    with ops.use_backend("reference"):
        expected = results_and_gradients(case, args, options, reverse)
    with kernels.use_tier(tier):
        actual = results_and_gradients(case, args, options, reverse)
    for a, e in zip(actual, expected, strict=True):
        close(a, e)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [LENGTHS, [5, 5, 5]], ids=["ragged", "even"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("case", FLOWING, ids=str)
def test_the_regulariser_of_the_kernels_equals_that_of_the_reference(case, masked, lengths, reverse):
    args = arguments(case, lengths, input_size=5, hidden_size=11)
    options = Options(flow=0.7, mask=options_of("mask", case, args).mask if masked else None)
    records = []
    with ops.recording(records.append):
        actual = results_and_gradients(case, args, options, reverse)
        with ops.use_backend("reference"):
            expected = results_and_gradients(case, args, options, reverse)
    for a, e in zip(actual, expected, strict=True):
        close(a, e)
    assert records[0].omega == pytest.approx(records[1].omega, rel=1e-9)
    assert records[0].omega > 0
    with ops.use_backend("reference"):
        without = results_and_gradients(case, args, Options(), reverse)
    changed = [not torch.equal(a, w) for a, w in zip(actual, without, strict=True)]
    weight_hh = 1 + 2 * case.states + 2  # output, final states, then data, states, weight_ih, weight_hh
    assert changed.index(True) == weight_hh or not torch.allclose(actual[weight_hh], without[weight_hh])


def test_the_regulariser_by_its_formula():
    """A row of a tanh network: Omega of eq. 9 with the Jacobians written out, its immediate derivative by autograd."""
    args = arguments(TANH, [5], input_size=2, hidden_size=3)
    results = run(reference, TANH, args)
    output, h_0 = results[0].detach(), args.state_0[0].detach()
    doutput, dh_n = random_like(results)
    weight = args.weights.weight_hh.detach().clone().requires_grad_()
    frozen = weight.detach()
    slope = 1 - output**2
    d = torch.zeros(5, 3, dtype=torch.float64)
    d[4] = doutput[4] + dh_n[0]
    for t in (3, 2, 1, 0):
        d[t] = doutput[t] + (d[t + 1] * slope[t + 1]) @ frozen
    terms = [(((d[t] * slope[t]) @ weight).norm() / d[t].norm() - 1) ** 2 for t in range(1, 5)]
    omega = torch.stack(terms).mean()
    (expected,) = torch.autograd.grad(omega, weight)
    records = []
    found = []
    for flow in (0.0, 2.0):
        with ops.recording(records.append):
            ours = run(ops, TANH, args, options=Options(flow=flow))
            found.append(torch.autograd.grad(ours, args.weights.weight_hh, [doutput, dh_n])[0])
    close(found[1] - found[0], 2 * expected)
    assert records[1].omega == pytest.approx(omega.item())
    assert h_0.norm() > 0  # the first step has no step before in the sequence and does not count


def test_the_regulariser_of_a_gradient_next_to_nothing():
    """In float32, with norms little above where a step no longer counts."""
    args = arguments(TANH, [3, 3], dtype=torch.float32)
    found = []
    for backend in ("native", "reference"):
        with ops.use_backend(backend):
            output = run(ops, TANH, args, options=Options(flow=1.0))[0]
            found.append(torch.autograd.grad((output * 3e-20).sum(), args.weights.weight_hh)[0])
    assert found[1].isfinite().all() and found[1].abs().max() > 1e-3
    close(*found)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize(
    "case", [TANH, LSTM, GRU, *map(CellCase, ("peephole", "min_lstm", "layer_lstm", "layer_gru"))], ids=str
)
def test_a_record_holds_the_norms_that_autograd_finds(case, backend, reverse):
    """The twin: step by step through torch, with the gradient of every state asked for."""
    args = arguments(case, LENGTHS, hidden_size=9)
    records = []
    with ops.use_backend(backend), ops.recording(records.append):
        results = run(ops, case, args, reverse=reverse)
        upstream = random_like(results)
        torch.autograd.grad(results, args.leaves(), upstream, allow_unused=True)
    (record,) = records
    rows, steps = ragged.rows_and_steps(args.batch_sizes)
    lengths = ragged.lengths_of(args.batch_sizes, len(LENGTHS))
    for row, length in enumerate(lengths.tolist()):
        mine = [(((rows == row) & (steps == t)).nonzero()[0, 0]) for t in range(length)]
        mine = mine[::-1] if reverse else mine
        state = tuple(s[row : row + 1] for s in args.state_0)
        states, loss = [], 0.0
        for element in mine:
            state, _ = case.cell.step(args.data[element][None], state, args.weights, None)
            states.append(state)
            loss = loss + (state[0] * upstream[0][element]).sum()
        loss = loss + sum((s * u[row]).sum() for s, u in zip(state, upstream[1:], strict=True))
        for element, reached in zip(mine, states, strict=True):
            gradients = torch.autograd.grad(loss, reached, retain_graph=True, allow_unused=True)
            assert record.dh_norm[element] == pytest.approx(gradients[0].norm().item(), rel=1e-8)
            if case.states == 2 and backend == "native":
                assert record.dc_norm[element] == pytest.approx(gradients[1].norm().item(), rel=1e-8)
    assert record.cell == case.name and record.reverse == reverse
    assert record.weights.weight_ih.data_ptr() == args.weights.weight_ih.data_ptr()


def test_norms_in_float32_reach_far_down():
    args = arguments(TANH, [60], hidden_size=16, dtype=torch.float32)
    with torch.no_grad():
        args.weights.weight_hh.mul_(0.2)
    records = []
    with ops.recording(records.append):
        results = run(ops, TANH, args)
        torch.autograd.grad(results[1].sum(), args.leaves())
    norms = records[0].dh_norm
    double = args.double()
    with ops.recording(records.append):
        torch.autograd.grad(run(ops, TANH, double)[1].sum(), double.leaves())
    seen = norms > 0
    assert norms[seen].min() < 1e-22
    torch.testing.assert_close(norms[seen], records[1].dh_norm[seen], rtol=1e-2, atol=1e-25)


@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_nothing_is_recorded_outside(case):
    args, records = arguments(case, [2]), []
    with ops.recording(records.append):
        pass
    run(ops, case, args)[0].sum().backward()
    assert records == []


@pytest.mark.parametrize("case", [LSTM, GRU, TANH], ids=str)
def test_clipping_bounds_what_goes_back_and_nothing_else(case):
    args = arguments(case, [30], hidden_size=9)
    with torch.no_grad():
        args.weights.weight_hh.mul_(6)
    records = []
    for clip in (0.0, 1e-3):
        with ops.recording(records.append):
            results = run(ops, case, args, options=Options(clip=clip))
            torch.autograd.grad(results[0][-1].sum(), args.leaves(), allow_unused=True)
    free, held = (record.dh_norm[:-1] for record in records)
    assert (held <= 1e-3 * math.sqrt(9) * (1 + 1e-9)).all()
    assert free.max() > 10 * held.max()


@pytest.mark.parametrize("case", [TANH, LSTM], ids=str)
def test_truncation_compiles_and_passes_opcheck(case):
    args = arguments(case, [4, 3, 1], dtype=torch.float32)
    c_0 = args.state_0[1] if case.states == 2 else None
    mask = torch.rand(3, 4)
    tensors = (
        args.data,
        args.batch_sizes,
        args.state_0[0],
        c_0,
        *args.weights[:4],
        *args.weights[5:],
        mask,
        None,
        None,
    )
    torch.library.opcheck(torch.ops.elman.recurrent.default, (case.name, *tensors, False, True, 2, 0.5, 0.0))


@pytest.mark.parametrize(
    ("case", "options", "error", "message"),
    [
        (TANH, Options(bptt_truncate=-1), UsageError, "bptt_truncate must be 0 or more steps, got -1"),
        (TANH, Options(clip=-1.0), UsageError, "clip must be 0 or more, got -1"),
        (TANH, Options(mask=torch.ones(3, 4)), ShapeError, r"Expected mask of size \(2, 4\), got \(3, 4\)"),
        (LSTM, Options(zoneout=(torch.ones(5, 4),)), ShapeError, "cell lstm needs zoneout for 2 states, got 1"),
        (
            CellCase("coupled"),
            Options(flow=1.0),
            UsageError,
            "defined for rnn_tanh, rnn_relu, lstm, gru, not for coupled",
        ),
        (TANH, Options(flow=1.0, bptt_truncate=2), UsageError, "does not go with bptt_truncate"),
        (TANH, Options(flow=1.0, clip=2.0), UsageError, "does not go with clip"),
    ],
    ids=lambda value: str(value) if isinstance(value, CellCase) else "",
)
def test_options_that_do_not_fit_are_refused(case, options, error, message):
    args = arguments(case, [3, 2])
    with pytest.raises(error, match=message):
        run(ops, case, args, options=options)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("options", [Options(bptt_truncate=1), Options(clip=0.1), Options(flow=1.0)], ids=str)
def test_a_gradient_by_hand_has_no_second_derivative(backend, options):
    args = arguments(TANH, [3, 2])
    with ops.use_backend(backend):
        results = run(ops, TANH, args, options=options)
    with pytest.raises(UsageError, match="no second derivative"):
        torch.autograd.grad(results[0].sum(), args.data, create_graph=True)


@pytest.mark.parametrize("backend", ["native", "reference"])
@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_weights_of_another_cell_are_refused(case, backend):
    args = arguments(case, [3, 2])
    wrong = args.weights._replace(vectors=torch.ones(7, 4, dtype=torch.float64))
    gains = args.weights._replace(norm_cell=torch.ones(5, 4, dtype=torch.float64))
    other = args.weights._replace(weight_hh=None if case.cell.product else args.weights.weight_ih)
    for weights, states, message in [
        (wrong, args.state_0, rf"has vectors \[{case.cell.vectors}, 4\], got \(7, 4\)"),
        (gains, args.state_0, r"has norm_cell \[[02], 4\], got \(5, 4\)"),
        (other, args.state_0, "has (a|no) recurrent matrix weight_hh"),
        (args.weights, args.state_0 * 2, f"has {case.states} state tensors, got {2 * case.states}"),
    ]:
        with ops.use_backend(backend), pytest.raises(ShapeError, match=f"cell {case.name} {message}"):
            ops.recurrent(case.name, args.data, args.batch_sizes, states, weights)


@pytest.mark.parametrize("precision", ["highest", "medium"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", ["none", "mask", "zoneout", "clip"])
@pytest.mark.parametrize("case", [case for case in NATIVE if case.cell.product], ids=str)
def test_threads_that_share_the_units_of_a_large_matrix_change_nothing(case, kind, reverse, precision):
    hidden = math.isqrt(2**19 // case.cell.gates) + 3  # beyond the cache of a core, in bfloat16 too
    args = arguments(case, [6, 6, 4, 4, 2, 1, 0, 0], input_size=1, hidden_size=hidden, dtype=torch.float32)
    options = Options() if kind == "none" else options_of(kind, case, args)
    threads, found = torch.get_num_threads(), []
    torch.set_float32_matmul_precision(precision)
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(results_and_gradients(case, args, options, reverse))
    finally:
        torch.set_num_threads(threads)
        torch.set_float32_matmul_precision("highest")
    rows = [*range(1 + case.states), *range(2 + case.states, 2 + 2 * case.states)]  # results and gradients of states
    for other in found[1:]:
        assert all(torch.equal(found[0][place], other[place]) for place in rows)
        if precision == "highest":
            close(other, found[0], kind="kernel")
