"""The border to `_kernels`, which sees addresses and nothing else."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..errors import ShapeError
from . import _kernels

DTYPES = (torch.float32, torch.float64)

_BLOCK_ELEMENTS = 1 << 18  # from here on memory is worth a kept block


def address(tensor: Tensor | None) -> int:
    """Where a tensor lies; 0 for none. Raises ShapeError for a tensor without memory of its own."""
    if tensor is None:
        return 0
    place = tensor.data_ptr()
    if not place and tensor.numel():
        raise ShapeError(f"Expected a tensor in the CPU's memory, got a {type(tensor).__name__}, which holds none")
    return place


def kernel(function: str, dtype: torch.dtype) -> Callable[..., Any]:
    """The function for this type, float32 or float64."""
    found: Callable[..., Any] = getattr(_kernels, f"{function}_f32" if dtype is torch.float32 else f"{function}_f64")
    return found


def memory(size: tuple[int, ...], like: Tensor) -> Tensor:
    """Memory of this size; if large and where the kernels compute, in a block that is kept for the next call."""
    elements = math.prod(size)
    if elements < _BLOCK_ELEMENTS or like.dtype not in DTYPES or not like.is_cpu:
        return like.new_empty(size)
    block: Tensor = kernel("block", like.dtype)(1, elements)
    return block.view(size)
