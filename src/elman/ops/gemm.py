"""The matrix product of what is parallel in time: our own kernel where it is faster, else torch's BLAS."""

import torch
from torch import Tensor

from ..errors import ShapeError
from . import _kernels
from ._addresses import DTYPES, address, kernel

_OWN = torch.backends.mkl.is_available() and _kernels.outruns_mkl()
# Intel's processors take twice as long for products of pairs as for float32; what is fast there, AMX, is oneDNN's.
_PAIRS = _kernels.outruns_mkl()
_SMALL = 1 << 18  # multiplications; below, torch's call is as fast


def rounds_recurrent() -> bool:
    """Whether the kernels' recurrent products are to take factors of bfloat16: it was asked for, and is faster."""
    return _PAIRS and torch.get_float32_matmul_precision() == "medium"


def matmul(a: Tensor, b: Tensor, out: Tensor | None = None, accumulate: bool = False) -> Tensor:
    """A B in a new matrix or in `out`, or `out` + A B. Not known to autograd.

    MKL, torch's BLAS, leaves half of the vectors' width unused on processors that Intel did not make; there the kernel
    takes over (docs/decisions/0017-matrix-products.md), and an element of the result depends on no other row or column
    nor on the number of threads.

    `torch.set_float32_matmul_precision("medium")` holds in both: operands of float32 are rounded to bfloat16 and the
    sums are float32, at up to twice the rate, where the processor has the instruction (in the kernel AVX512_BF16).

    Args:
        a: [M, K]. b: [K, N], of the same type. Transposes cost nothing.
        out: [M, N], its rows contiguous.
    Raises:
        ShapeError: sizes or types that do not fit each other.
    """
    rows, depth, columns = *a.shape, b.shape[1]
    if out is None:
        out, accumulate = a.new_empty(rows, columns), False
    if b.shape[0] != depth or out.shape != (rows, columns) or not a.dtype == b.dtype == out.dtype:
        given = ", ".join(f"{tuple(m.shape)} {m.dtype}" for m in (a, b, out))
        raise ShapeError(f"Expected a [M, K], b [K, N] and out [M, N] of one type, got {given}")
    if not _OWN or rows * depth * columns < _SMALL or a.dtype not in DTYPES or not a.is_cpu:
        return torch.addmm(out, a, b, out=out) if accumulate else torch.mm(a, b, out=out)
    a, b = (m if 1 in m.stride() else m.contiguous() for m in (a, b))
    kernel("gemm", a.dtype)(
        torch.get_num_threads(),
        *(rows, columns, depth),
        *(address(a), *a.stride()),
        *(address(b), *b.stride()),
        *(address(out), out.stride(0)),
        accumulate,
        torch.get_float32_matmul_precision() == "medium",
    )
    return out
