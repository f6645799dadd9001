"""The matrix product of what is parallel in time: our own kernel on the CPU, torch's BLAS for the rest."""

import torch
from torch import Tensor

from ._addresses import DTYPES, address, kernel

_SMALL = 1 << 18  # multiplications; below, torch's call is as fast


def matmul(a: Tensor, b: Tensor, out: Tensor | None = None, accumulate: bool = False) -> Tensor:
    """A B in a new matrix or in `out`, or `out` + A B. Not known to autograd.

    Unlike torch's BLAS the kernel uses the whole width of every processor's vectors, and an element of the result does
    not depend on the number of rows, columns or threads.

    Args:
        a: [M, K]. b: [K, N], of the same type. Transposes cost nothing.
        out: [M, N], its rows contiguous.
    """
    rows, depth, columns = *a.shape, b.shape[1]
    if out is None:
        out, accumulate = a.new_empty(rows, columns), False
    if rows * depth * columns < _SMALL or a.dtype not in DTYPES or not a.is_cpu:
        return torch.addmm(out, a, b, out=out) if accumulate else torch.mm(a, b, out=out)
    a, b = (m if 1 in m.stride() else m.contiguous() for m in (a, b))
    kernel("gemm", a.dtype)(
        torch.get_num_threads(),
        *(rows, columns, depth),
        *(address(a), *a.stride()),
        *(address(b), *b.stride()),
        *(address(out), out.stride(0)),
        accumulate,
    )
    return out
