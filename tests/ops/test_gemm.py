"""The matrix product: parity with torch's in every tier, and the laws of rows, columns and threads."""

import pytest
import torch

from elman.ops import _kernels, kernels
from elman.ops import gemm as module
from elman.ops.gemm import matmul
from tolerances import close

SIZES = [(1, 1, 1), (7, 9, 15), (8, 16, 17), (33, 385, 63), (64, 5, 64), (193, 130, 65), (13, 800, 390), (2, 3, 770)]


@pytest.fixture(params=kernels.supported_tiers(), autouse=True)
def tier(request, monkeypatch):
    monkeypatch.setattr(module, "_OWN", True)
    monkeypatch.setattr(module, "_SMALL", 0)
    with kernels.use_tier(request.param):
        yield request.param


def matrices(rows, depth, columns, dtype, turned=(False, False)):
    generator = torch.Generator().manual_seed(rows)

    def normal(height, width, turn):
        size = (width, height) if turn else (height, width)
        drawn = torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)
        return drawn.t() if turn else drawn

    return normal(rows, depth, turned[0]), normal(depth, columns, turned[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_torch_and_writes_nothing_else(size, turned, dtype):
    a, b = matrices(*size, dtype, turned)
    expected = (a.double() @ b.double()).to(dtype)
    wide = torch.full((size[0] + 2, size[2] + 3), 7.0, dtype=dtype)
    inside = wide[1:-1, 1:-2]
    assert matmul(a, b, inside) is inside
    close(inside, expected, kind="product")
    matmul(a, b, inside, accumulate=True)
    close(inside, 2 * expected, kind="product")
    inside.fill_(7.0)
    assert (wide == 7).all()
    close(matmul(a, b), expected, kind="product")


@pytest.mark.parametrize("turned", [(False, False), (True, True)], ids=str)
def test_an_element_knows_no_other_row_no_other_column_and_no_thread(turned, monkeypatch):
    a, b = matrices(200, 700, 150, torch.float32, turned)
    whole = matmul(a, b)
    assert torch.equal(matmul(a[37:38], b), whole[37:38])
    assert torch.equal(matmul(a[5:180], b[:, 70:141]), whole[5:180, 70:141])
    for threads in (1, 2, 3, 6):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert torch.equal(matmul(a, b), whole)


def test_nothing_to_add_up_is_zero():
    out = torch.ones(3, 4)
    assert torch.equal(matmul(torch.ones(3, 0), torch.ones(0, 4), out), torch.zeros(3, 4))
    assert torch.equal(matmul(torch.ones(3, 0), torch.ones(0, 4), out + 1, accumulate=True), torch.ones(3, 4))
    assert matmul(torch.ones(0, 5), torch.ones(5, 4)).shape == (0, 4)


def test_strides_that_are_no_transpose_are_copied():
    a, b = torch.randn(8, 2, 5)[:, 0, ::2], torch.randn(6, 8)[::2, ::2]
    close(matmul(a, b), (a.double() @ b.double()).float(), kind="product")


def test_not_a_number_is_kept():
    a, b = matrices(20, 30, 40, torch.float32)
    a[3, 4], b[5, 6] = float("nan"), float("inf")
    found = matmul(a, b)
    assert found[3].isnan().all() and not found[:3].isnan().any()
    assert found[[0, 1, 2, 4], 6].isinf().all()


@pytest.fixture
def medium():
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.mark.skipif(not _kernels.multiplies_bfloat16(), reason="the processor has no AVX512_BF16")
@pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_in_bfloat16_the_factors_are_rounded_and_the_sums_are_not(size, turned, tier, medium):
    a, b = matrices(*size, torch.float32, turned)
    exact, rounded = a.double() @ b.double(), a.bfloat16().double() @ b.bfloat16().double()
    found = matmul(a, b)
    close(found, (rounded if tier == "avx512" else exact).float(), kind="product")
    close(matmul(a, b, found.clone(), accumulate=True), 2 * found, kind="product")
    if tier == "avx512" and size[1] > 100:
        assert (found.double() - exact).abs().max() > 100 * (found.double() - rounded).abs().max()


def test_float64_is_never_rounded(medium):
    a, b = matrices(30, 40, 50, torch.float64)
    close(matmul(a, b), a @ b, kind="product")
