"""The switch between implementations of the cells.

`native` (default) is `elman.ops.native`, `torch` is `elman.ops.aten`, `reference` is `elman.ops.reference`; all have
the functions `rnn`, `lstm` and `gru` with the same arguments. `native` runs float32 and float64 on the CPU. For what it
does not cover (CUDA, where torch calls cuDNN; other types; LSTMs with a projection) it stands for `torch`, and under
`torch.func`'s transforms (vmap, grad, jvp ..) for `reference`. There is no other fallback; `path` tells which one a
call takes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch
from torch import Tensor

from ..errors import UsageError
from . import aten, native, reference
from .weights import Weights

_BACKENDS: dict[str, ModuleType] = {"native": native, "torch": aten, "reference": reference}
_current = "native"


def backend() -> str:
    """Name of the backend in use."""
    return _current


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run the enclosed code on another backend: `with use_backend("reference"): model(x)`. Holds for all threads."""
    global _current
    if name not in _BACKENDS:
        raise UsageError(f"unknown backend {name!r}: choose one of {', '.join(_BACKENDS)}")
    before, _current = _current, name
    try:
        yield
    finally:
        _current = before


def path(data: Tensor, weights: Weights) -> str:
    """Name of the backend that a call with these tensors takes."""
    if _current != "native":
        return _current
    if not native.covers(data, weights):
        return "torch"
    if not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active():
        return "reference"
    return "native"


def is_direct(x: Tensor) -> bool:
    """Whether inference on this input may call `elman.ops.kernels` without going through torch's operators."""
    return _current == "native" and native.is_direct(x)


def rnn(
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    weights: Weights,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """See `elman.ops.reference.rnn`."""
    function = _BACKENDS[path(data, weights)].rnn
    result: tuple[Tensor, Tensor] = function(
        data, batch_sizes, h_0, weights, nonlinearity=nonlinearity, reverse=reverse
    )
    return result


def lstm(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, c_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """See `elman.ops.reference.lstm`."""
    result: tuple[Tensor, Tensor, Tensor] = _BACKENDS[path(data, weights)].lstm(
        data, batch_sizes, h_0, c_0, weights, reverse=reverse
    )
    return result


def gru(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """See `elman.ops.reference.gru`."""
    result: tuple[Tensor, Tensor] = _BACKENDS[path(data, weights)].gru(data, batch_sizes, h_0, weights, reverse=reverse)
    return result
