"""The kernels in every tier: parity with the reference, and the laws of rows, threads and time."""

import os
import platform
import subprocess
import sys

import pytest
import torch

from cells import NATIVE, SIZES, Arguments, CellCase, arguments, random_like, run
from elman import ops
from elman.errors import ShapeError, UsageError
from elman.ops import Weights, _run, kernels, native, reference
from tolerances import close

LSTM = CellCase("lstm")
TIERS = kernels.supported_tiers()
RAGGED = [9, 7, 7, 7, 7, 7, 7, 6, 5, 5, 4, 3, 3, 2, 1, 1, 0]


@pytest.fixture(params=TIERS)
def tier(request):
    with kernels.use_tier(request.param):
        yield request.param


def results_and_gradients(module, case, args, reverse=False):
    """Results, and gradients of all leaves from the same random numbers in any dtype."""
    results = run(module, case, args, reverse=reverse)
    upstream = [u.to(args.data.dtype) for u in random_like([r.float() for r in results])]
    pairs = [(r, u) for r, u in zip(results, upstream, strict=True) if r.requires_grad]
    found = torch.autograd.grad(
        [r for r, _ in pairs], args.leaves(), [u for _, u in pairs], materialize_grads=True, allow_unused=True
    )
    return [*results, *found]


def forward(case, args, reverse=False):
    with torch.no_grad():
        return run(native, case, args, reverse=reverse)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [*SIZES, 100])
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_equals_the_reference(tier, case, size, reverse, dtype):
    args = arguments(case, RAGGED, input_size=size, hidden_size=size, dtype=dtype, seed=size)
    expected = results_and_gradients(reference, case, args.double(), reverse)
    for actual, wanted in zip(results_and_gradients(native, case, args, reverse), expected, strict=True):
        close(actual, wanted.to(dtype), kind="kernel")


@pytest.mark.parametrize("lengths", [[], [0, 0], [1], [5], [3] * 5, [2] * 40, [70, 1]], ids=str)
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_shapes_of_batches(tier, case, lengths, bias):
    args = arguments(case, lengths, input_size=3, hidden_size=20, bias=bias)
    expected = results_and_gradients(reference, case, args)
    for actual, wanted in zip(results_and_gradients(native, case, args), expected, strict=True):
        close(actual, wanted)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    "lengths", [[11] * 7, [30, 29, 20, 20, 13, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1]], ids=["even", "ragged"]
)
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_sequence_that_is_cut_into_pieces_equals_the_reference(case, lengths, reverse, monkeypatch):
    monkeypatch.setattr(_run, "_PIECE_BYTES", 1)
    monkeypatch.setattr(_run, "_PIECE_ELEMENTS", 16)
    args = arguments(case, lengths, input_size=4, hidden_size=9)
    run = _run.Run("lstm", args.data, args.batch_sizes, args.state_0[0], reverse)
    assert len(run.pieces(reverse)) > 1
    expected = results_and_gradients(reference, case, args, reverse)
    for actual, wanted in zip(results_and_gradients(native, case, args, reverse), expected, strict=True):
        close(actual, wanted)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_row_is_the_same_in_any_batch_bit_for_bit(tier, case, reverse):
    """The projection is left out (input_size 1 and one product each): it is the BLAS's."""
    args = arguments(case, RAGGED, input_size=1, hidden_size=37, bias=False, dtype=torch.float32)
    rows, _ = ops.ragged.rows_and_steps(args.batch_sizes)
    whole = forward(case, args, reverse)
    for row in (0, 5, 11, 15):
        mine = rows == row
        states = tuple(s[row : row + 1] for s in args.state_0)
        sizes = torch.ones(int(mine.sum()), dtype=torch.int64)
        single = forward(case, Arguments(args.data[mine], sizes, states, args.weights), reverse)
        assert torch.equal(single[0], whole[0][mine])
        for one, all_rows in zip(single[1:], whole[1:], strict=True):
            assert torch.equal(one, all_rows[row : row + 1])


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_threads_change_nothing_and_a_second_call_neither(tier, case):
    args = arguments(case, [40] * 30 + [20] * 13, input_size=1, hidden_size=48, bias=False, dtype=torch.float32)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 3, 2):
            torch.set_num_threads(count)
            found.append([t.clone() for t in (*forward(case, args), *results_and_gradients(native, case, args))])
    finally:
        torch.set_num_threads(threads)
    states = len(args.state_0) + 1
    for other in found[1:]:
        for first, again in zip(found[0][:states], other[:states], strict=True):
            assert torch.equal(first, again)
        for first, again in zip(found[0], other, strict=True):
            close(again, first, kind="kernel")
    for first, again in zip(found[1], found[3], strict=True):
        assert torch.equal(first, again)


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_splitting_time_and_carrying_the_state_equals_one_call_bit_for_bit(tier, case):
    args = arguments(case, [7, 7, 7], input_size=1, hidden_size=37, bias=False, dtype=torch.float32)
    whole = forward(case, args)
    cut = 4
    first = forward(case, Arguments(args.data[: 3 * cut], args.batch_sizes[:cut], args.state_0, args.weights))
    second = forward(case, Arguments(args.data[3 * cut :], args.batch_sizes[cut:], first[1:], args.weights))
    assert torch.equal(torch.cat([first[0], second[0]]), whole[0])
    for carried, final in zip(second[1:], whole[1:], strict=True):
        assert torch.equal(carried, final)


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_nan_stays_in_its_row_and_does_stay(tier, case):
    args = arguments(case, [6, 4, 2], hidden_size=17, dtype=torch.float32)
    rows, steps = ops.ragged.rows_and_steps(args.batch_sizes)
    clean = forward(case, args)[0]
    with torch.no_grad():
        args.data[(rows == 1) & (steps == 2)] = float("nan")
    dirty = forward(case, args)[0]
    assert dirty[(rows == 1) & (steps >= 2)].isnan().all()
    assert torch.equal(dirty[rows != 1], clean[rows != 1])


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_large_inputs_saturate_without_overflow(tier, case):
    if case.name.endswith("relu") or case.name.startswith("min_"):
        pytest.skip("neither a relu nor a linear candidate saturates")
    args = arguments(case, [3, 3], hidden_size=17, dtype=torch.float32)
    with torch.no_grad():
        args.data.mul_(1e30)
        args.state_0[0].clamp_(-1, 1)
    results = results_and_gradients(native, case, args)
    assert all(r.isfinite().all() for r in results[:2])
    assert results[0].abs().max() <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gates_of_a_min_lstm_that_are_both_shut_still_have_a_quotient(tier, dtype):
    """Sums of the gates f and i from -1000 to 1000, beyond what an exponential can hold."""
    sums = torch.tensor([-1000.0, -800, -790, -90, -81, -20, 0, 3, 100, 1000], dtype=dtype)
    f, i = (each.flatten() for each in torch.meshgrid(sums, sums, indexing="ij"))
    data = torch.stack([f, i, torch.linspace(-2, 2, len(f), dtype=dtype)], 1).requires_grad_()
    state, weights = (torch.ones(len(f), 1, dtype=dtype),), Weights(torch.eye(3, dtype=dtype))
    found, expected = (
        path.recurrent("min_lstm", data, torch.tensor([len(f)]), state, weights)[0] for path in (native, reference)
    )
    close(found, expected)
    doutput = torch.linspace(1, 2, len(f), dtype=dtype)[:, None]
    close(*(torch.autograd.grad(output, data, doutput)[0] for output in (found, expected)))


@pytest.mark.parametrize("function", ["tanh", "sigmoid"])
def test_nonlinearities_against_float64(tier, function):
    """An RNN or LSTM step with zero recurrent weights is the nonlinearity itself."""
    x = torch.cat([torch.linspace(-20, 20, 4001), torch.logspace(-30, 1, 500), torch.tensor([0.0, 88.0, -1e30])])
    zero = torch.zeros(1, 1)
    sizes = torch.ones(len(x), dtype=torch.int64)
    if function == "tanh":
        weights = Weights(torch.ones(1, 1), zero)
        y = native.recurrent("rnn_tanh", x[:, None], sizes, (zero,), weights)[0][:, 0]
        wanted = x.double().tanh()
        assert ((y - wanted).abs() <= 6e-7 * wanted.abs()).all()  # 6 ulp
    else:  # f of an LSTM whose cell starts at 1e-3 and gets nothing: c_n = sigmoid(a_f) c_0
        weights = Weights(torch.tensor([[0.0], [1.0], [0.0], [0.0]]), torch.zeros(4, 1))
        rows = torch.tensor([len(x)])
        state_0 = (torch.zeros(len(x), 1), torch.ones(len(x), 1))
        y = native.recurrent("lstm", x[:, None], rows, state_0, weights)[1][1][:, 0]
        assert (y - x.double().sigmoid()).abs().max() <= 3e-7
    assert y.abs().max() <= 1


def test_denormals_are_flushed_inside_and_the_callers_mode_is_kept(tier):
    tiny = torch.full((4,), 1e-40)
    args = arguments(CellCase("rnn_relu"), [3], input_size=1, hidden_size=1, dtype=torch.float32)
    weights = Weights(torch.ones(1, 1), torch.zeros(1, 1))
    small = torch.full((3, 1), 1e-38)  # smallest normal number is 1.2e-38
    assert native.recurrent("rnn_relu", small, args.batch_sizes, (torch.zeros(1, 1),), weights)[0].eq(0).all()
    assert tiny.mul(1).gt(0).all()


def test_the_kernel_runs_and_in_the_tier_that_was_chosen(tier, monkeypatch):
    calls = []
    original = kernels._kernels.forward_f32
    monkeypatch.setattr(kernels._kernels, "forward_f32", lambda *a: calls.append(kernels.tier()) or original(*a))
    args = arguments(LSTM, [4, 2], dtype=torch.float32)
    run(ops, LSTM, args)
    assert calls == [tier]


def test_tiers_differ_in_their_rounding():
    """If the switch did nothing, all tiers would agree to the bit."""
    if len(TIERS) < 2:
        pytest.skip("one tier only on this machine")
    args = arguments(LSTM, RAGGED, hidden_size=33, dtype=torch.float32)
    found = []
    for name in TIERS:
        with kernels.use_tier(name):
            found.append(forward(LSTM, args)[0])
    assert not torch.equal(found[0], found[-1])


def test_an_unknown_tier_is_named():
    with pytest.raises(UsageError, match="unknown tier 'sse9': this machine runs scalar"), kernels.use_tier("sse9"):
        pass


@pytest.mark.skipif(platform.machine() != "x86_64", reason="tiers of x86")
def test_the_best_tier_is_what_the_system_reports():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        flags = set(next(line for line in file if line.startswith("flags")).split())
    wanted = ["scalar", *(["avx2"] if {"avx2", "fma"} <= flags else []), *(["avx512"] if "avx512f" in flags else [])]
    assert wanted == TIERS
    assert kernels.tier() == wanted[-1]


@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_many_threads_of_the_caller_at_once(case):
    """The kernels hold no state between calls, and blocks of memory are never handed out twice."""
    program = f"""
import sys; sys.path.insert(0, {os.path.dirname(os.path.dirname(__file__))!r})
import concurrent.futures, torch
from cells import NATIVE, arguments, run
from elman.ops import native
case = NATIVE[{NATIVE.index(case)}]
args = arguments(case, [300] * 40, input_size=8, hidden_size=24, dtype=torch.float32)
def once(_):
    torch.set_num_threads(2)
    results = run(native, case, args)
    return [*results, *torch.autograd.grad(results[0].sum(), args.leaves(), allow_unused=True)]
first = once(0)
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    for again in pool.map(once, range(12)):
        for a, b in zip(first, again, strict=True):
            assert a is b is None or torch.equal(a, b)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


# --- memory -----------------------------------------------------------------------------------------------------------


def test_large_memory_comes_back_and_is_used_again():
    kernels.free_memory()
    args = arguments(LSTM, [200] * 60, input_size=4, hidden_size=64, dtype=torch.float32)
    before = results_and_gradients(native, LSTM, args)
    held = [t.clone() for t in before]
    again = results_and_gradients(native, LSTM, args)
    for old, copy in zip(before, held, strict=True):
        assert torch.equal(old, copy)  # in use, so not handed out again
    del before, again
    assert kernels.idle_memory() > 0
    kernels.free_memory()
    assert kernels.idle_memory() == 0


# --- one step, small calls --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_step_equals_a_sequence_of_one(tier, case, size):
    args = arguments(case, [1, 1, 1], input_size=5, hidden_size=size, dtype=torch.float32)
    expected = run(reference, case, args)[1:]
    state = [s.detach().clone() for s in args.state_0]
    kernels.step(case.name, args.data, state[0], state[1] if len(state) > 1 else None, args.weights)
    for actual, wanted in zip(state, expected, strict=True):
        close(actual, wanted.detach())


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", NATIVE, ids=str)
def test_a_small_call_equals_the_general_one(tier, case, size, reverse):
    args = arguments(case, [6] * 4, input_size=5, hidden_size=size, dtype=torch.float32)
    expected = forward(case, args, reverse)
    state = [s.detach().clone() for s in args.state_0]
    output = torch.empty(6, 4, size)
    x = args.data.detach().view(6, 4, 5)
    kernels.sequence(case.name, x, state[0], state[1] if len(state) > 1 else None, args.weights, reverse, output)
    for actual, wanted in zip((output.flatten(0, 1), *state), expected, strict=True):
        close(actual, wanted)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_hh": torch.zeros(16, 5)}, r"Expected weight_hh of size \(16, 4\).* got \(16, 5\)"),
        ({"weight_ih": torch.zeros(15, 3)}, r"Expected weight_ih of size \(16, 3\).* got \(15, 3\)"),
        ({"bias_hh": torch.zeros(3)}, r"Expected bias_hh of size \(16,\).* got \(3,\)"),
        ({"bias_ih": torch.zeros(16, dtype=torch.float64)}, r"Expected bias_ih .* got \(16,\), torch.float64"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, message):
    args = arguments(LSTM, [3, 2], dtype=torch.float32)
    args.weights = args.weights._replace(**change)
    with pytest.raises(ShapeError, match=message):
        run(native, LSTM, args)


@pytest.mark.parametrize(
    ("cell", "change", "message"),
    [
        ("layer_lstm", {"norm_gates": None}, r"cell layer_lstm has norm_gates \[2, 16\], got None"),
        ("layer_lstm", {"norm_cell": torch.zeros(1, 4)}, r"cell layer_lstm has norm_cell \[2, 4\], got \(1, 4\)"),
        ("layer_gru", {"norm_gates": torch.zeros(2, 12).double()}, r"Expected norm_gates of .* got .* torch.float64"),
        ("layer_gru", {"norm_cell": torch.zeros(2, 4)}, r"cell layer_gru has norm_cell \[0, 4\], got \(2, 4\)"),
        ("lstm", {"norm_gates": torch.zeros(2, 16)}, r"cell lstm has norm_gates \[0, 16\], got \(2, 16\)"),
    ],
)
def test_gains_that_do_not_fit_are_refused(cell, change, message):
    case = CellCase(cell)
    args = arguments(case, [3, 2], dtype=torch.float32)
    args.weights = args.weights._replace(**change)
    with pytest.raises(ShapeError, match=message):
        run(native, case, args)


@pytest.mark.parametrize("sizes", [[2, 3], [3, 2, 1], [2, 0, 3], [5], [-1, 6]], ids=str)
def test_batch_sizes_that_do_not_fit_are_refused(sizes):
    args = arguments(LSTM, [3, 2], dtype=torch.float32)
    args.batch_sizes = torch.tensor(sizes)
    with pytest.raises(ShapeError, match="batch_sizes"):
        run(native, LSTM, args)
