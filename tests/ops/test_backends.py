"""Every backend computes what the reference says, for every size, and rows do not see each other."""

import pytest
import torch

from cells import CLASSICAL, FAMILY, arguments, random_like
from cells import run as run_cell
from elman import ops
from elman.errors import UsageError
from tolerances import close


def run(case, args, reverse=False):
    return run_cell(ops, case, args, reverse=reverse)


def gradients(results, args, upstream):
    """Gradients of all leaves, 0 where there is no path (as from a batch without any element)."""
    pairs = [(r, u) for r, u in zip(results, upstream, strict=True) if r.requires_grad]
    return torch.autograd.grad([r for r, _ in pairs], args.leaves(), [u for _, u in pairs], materialize_grads=True)


@pytest.mark.parametrize("backend", ["native", "torch"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [[4, 4, 4], [33, 9, 9, 2, 0], [1], [0, 0]], ids=str)
@pytest.mark.parametrize("case", CLASSICAL, ids=str)
def test_backend_equals_reference(case, lengths, reverse, dtype, backend):
    args = arguments(case, lengths, input_size=5, hidden_size=6, dtype=dtype)
    with ops.use_backend("reference"):
        expected = run(case, args, reverse)
        upstream = random_like(expected)
        expected_gradients = gradients(expected, args, upstream)
    with ops.use_backend(backend):
        actual = run(case, args, reverse)
    for a, e in zip(actual, expected, strict=True):
        close(a, e)
    for a, e in zip(gradients(actual, args, upstream), expected_gradients, strict=True):
        close(a, e)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_a_row_does_not_depend_on_its_batch(case, reverse):
    args = arguments(case, [6, 4, 2])
    poisoned = args.data.detach().clone()
    rows, _ = ops.ragged.rows_and_steps(args.batch_sizes)
    poisoned[rows == 0] = float("nan")
    clean = run(case, args, reverse)
    args.data = poisoned
    dirty = run(case, args, reverse)
    close(dirty[0][rows > 0], clean[0][rows > 0])
    for d, c in zip(dirty[1:], clean[1:], strict=True):
        close(d[1:], c[1:])


@pytest.mark.parametrize("backend", ["native", "torch", "reference"])
@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_splitting_time_and_carrying_the_state_equals_one_call(case, backend):
    args = arguments(case, [7, 7])
    with ops.use_backend(backend):
        whole = run(case, args)
        cut = 2 * 3
        first, state = ops.recurrent(case.name, args.data[:cut], args.batch_sizes[:3], args.state_0, args.weights)
        second, state = ops.recurrent(case.name, args.data[cut:], args.batch_sizes[3:], state, args.weights)
    close(torch.cat([first, second]), whole[0])
    for s, w in zip(state, whole[1:], strict=True):
        close(s, w)


def test_use_backend_names_the_choices_and_restores():
    assert ops.backend() == "native"
    with ops.use_backend("reference"):
        assert ops.backend() == "reference"
    assert ops.backend() == "native"
    with pytest.raises(UsageError, match="'fast': choose one of native, torch, reference"), ops.use_backend("fast"):
        pass


@pytest.mark.parametrize("case", CLASSICAL, ids=str)
@pytest.mark.parametrize("backend", ["native", "torch", "reference"])
def test_the_switch_decides_which_function_runs(case, backend, monkeypatch):
    called = []
    for module, name in ((ops.native, "native"), (ops.aten, "torch"), (ops.reference, "reference")):
        original = module.recurrent
        monkeypatch.setattr(
            module, "recurrent", lambda *a, name=name, original=original, **k: called.append(name) or original(*a, **k)
        )
    with ops.use_backend(backend):
        run(case, arguments(case, [2]))
    assert called == ["torch" if backend == "native" and case.projected else backend]


def test_what_the_kernels_do_not_cover_takes_the_documented_path():
    args = arguments(CLASSICAL[2], [3], dtype=torch.float32)
    half = torch.zeros(3, 3, dtype=torch.bfloat16)
    no_memory = torch.zeros(3, 3, device="meta")
    assert ops.path(args.data, args.weights) == "native"
    assert ops.path(half, args.weights) == "torch"
    assert ops.path(no_memory, args.weights) == "native"
    assert ops.path(args.data, args.weights._replace(weight_hr=torch.zeros(2, 4))) == "torch"
    assert torch.func.vmap(lambda x: x * (ops.path(x, args.weights) == "reference"))(torch.ones(2, 3)).all()
