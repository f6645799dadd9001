"""The recurrent product with factors of bfloat16: what is rounded, and that nothing else is."""

from dataclasses import replace

import pytest
import torch

from cells import NATIVE, SIZES, CellCase, arguments, random_like, run
from elman.ops import _kernels, gemm, kernels, native
from tolerances import close

CASES = [case for case in NATIVE if case.cell.product]
ONE_PATH = [CellCase(name) for name in ("rnn_tanh", "rnn_relu", "lstm", "peephole", "coupled")]  # from h, by W_hh
LENGTHS = [6, 6, 5, 3, 3, 3, 2, 1, 0] * 4


@pytest.fixture(autouse=True)
def medium(monkeypatch):
    monkeypatch.setattr(gemm, "_PAIRS", True)
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.fixture(params=["avx512", "avx2", "scalar"])
def tier(request):
    if request.param not in kernels.supported_tiers():
        pytest.skip(f"this processor has no {request.param}")
    with kernels.use_tier(request.param):
        yield request.param


def rounds(tier):
    return tier == "avx512" and _kernels.multiplies_bfloat16()


def results_and_gradients(case, args, precision="medium", reverse=False):
    torch.set_float32_matmul_precision(precision)
    results = run(native, case, args, reverse=reverse)
    found = torch.autograd.grad(results, args.leaves(), random_like(results), allow_unused=True, materialize_grads=True)
    torch.set_float32_matmul_precision("medium")
    return [*results, *found]


def rounded(args):
    """The same arguments with a recurrent matrix and states that bfloat16 can hold."""
    weights = args.weights._replace(weight_hh=args.weights.weight_hh.detach().bfloat16().float().requires_grad_())
    state_0 = tuple(state.detach().bfloat16().float().requires_grad_() for state in args.state_0)
    return replace(args, weights=weights, state_0=state_0)


def distance(found, exact):
    return ((found - exact).norm() / exact.norm().clamp_min(1e-6)).item()


@pytest.mark.parametrize("size", [*SIZES, 100])
@pytest.mark.parametrize("case", [case for case in CASES if case.name != "gru_before"], ids=str)
def test_a_step_from_what_bfloat16_can_hold_is_exact(tier, case, size):
    args = rounded(arguments(case, [1] * 30, input_size=7, hidden_size=size, dtype=torch.float32))
    for found, exact in zip(run(native, case, args), results_and_gradients(case, args, "highest"), strict=False):
        close(found, exact, kind="kernel")


@pytest.mark.parametrize("size", [*SIZES, 100])
@pytest.mark.parametrize("case", ONE_PATH, ids=str)
def test_backward_both_factors_are_rounded_and_the_sum_is_not(tier, case, size):
    args = arguments(case, [1] * 30, input_size=5, hidden_size=size, dtype=torch.float32)
    with torch.no_grad():  # so that torch's product of input and weights, which may round too, is exact
        args.data.copy_(args.data.bfloat16())
        args.weights.weight_ih.copy_(args.weights.weight_ih.bfloat16())
    results = run(native, case, args)
    cotangents = random_like(results)
    (dh_0,) = torch.autograd.grad(results, [args.state_0[0]], cotangents)
    dgates = torch.stack([gradient_of_gates(case, args, cotangents, row) for row in range(30)])
    factors = dgates, args.weights.weight_hh.detach()
    if rounds(tier):
        factors = tuple(factor.bfloat16().float() for factor in factors)
    close(dh_0, (factors[0].double() @ factors[1].double()).float(), kind="kernel")


def gradient_of_gates(case, args, cotangents, row):
    """Of one row alone, by the gradient of the bias."""
    mine = slice(row, row + 1)
    states = tuple(state[mine] for state in args.state_0)
    part = replace(args, data=args.data[mine], batch_sizes=args.batch_sizes.new_ones(1), state_0=states)
    parts = [cotangent[mine] for cotangent in cotangents]
    return torch.autograd.grad(run(native, case, part), [args.weights.bias_ih], parts)[0]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_sequence_is_its_steps(case, reverse):
    args = arguments(case, [5] * 7, input_size=6, hidden_size=21, dtype=torch.float32)
    with torch.no_grad():
        output, *finals = run(native, case, args, reverse=reverse)
        state = args.state_0
        for t in range(5)[:: -1 if reverse else 1]:
            part = replace(args, data=args.data[7 * t : 7 * t + 7], batch_sizes=args.batch_sizes[:1], state_0=state)
            one, *state = run(native, case, part)
            # Not to the bit: a projection of other size may differ in its last one, and be rounded to the other side.
            assert distance(one, output[7 * t : 7 * t + 7]) < 1e-2
    assert all(distance(*pair) < 1e-2 for pair in zip(state, finals, strict=True))


@pytest.mark.parametrize("size", [16, 33, 100])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", [case for case in CASES if not case.cell.normalised], ids=str)
def test_whole_batches_come_near(tier, case, reverse, size):
    args = arguments(case, LENGTHS, input_size=5, hidden_size=size, dtype=torch.float32)
    found, exact = (results_and_gradients(case, args, precision, reverse) for precision in ("medium", "highest"))
    apart = [distance(*pair) for pair in zip(found, exact, strict=True)]
    assert apart[0] < 0.05  # in every tier: torch's own products round too
    if not case.name.endswith("relu"):  # whose states grow, and whose units may change sides
        assert max(apart) < 0.05
    assert not rounds(tier) or max(apart) > 1e-5


@pytest.mark.parametrize("case", CASES, ids=str)
def test_float64_is_never_rounded(case):
    args = arguments(case, LENGTHS, input_size=5, hidden_size=20)
    found, exact = (results_and_gradients(case, args, precision) for precision in ("medium", "highest"))
    assert all(map(torch.equal, found, exact))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_number_of_threads_changes_nothing(case, threads):
    args = arguments(case, LENGTHS, input_size=5, hidden_size=70, dtype=torch.float32)
    before = torch.get_num_threads()
    expected = results_and_gradients(case, args)
    torch.set_num_threads(threads)
    found = results_and_gradients(case, args)
    torch.set_num_threads(before)
    assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])


@pytest.mark.parametrize("pay", [False, True])
def test_pairs_are_left_alone_where_they_do_not_pay(monkeypatch, pay):
    monkeypatch.setattr(gemm, "_PAIRS", pay)
    assert gemm.rounds_recurrent() is pay
    torch.set_float32_matmul_precision("highest")
    assert not gemm.rounds_recurrent()
