"""The switch between implementations of the cells.

`torch` (default) is `elman.ops.aten`, `reference` is `elman.ops.reference`; both have the functions `rnn`, `lstm` and
`gru` with the same arguments. There is no silent fallback from one to the other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType

from torch import Tensor

from ..errors import UsageError
from . import aten, reference
from .weights import Weights

_BACKENDS: dict[str, ModuleType] = {"torch": aten, "reference": reference}
_current: ContextVar[str] = ContextVar("elman_backend", default="torch")


def backend() -> str:
    """Name of the backend in use."""
    return _current.get()


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run the enclosed code on another backend: `with use_backend("reference"): model(x)`."""
    if name not in _BACKENDS:
        raise UsageError(f"unknown backend {name!r}: choose one of {', '.join(_BACKENDS)}")
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


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
    function = _BACKENDS[backend()].rnn
    result: tuple[Tensor, Tensor] = function(
        data, batch_sizes, h_0, weights, nonlinearity=nonlinearity, reverse=reverse
    )
    return result


def lstm(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, c_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """See `elman.ops.reference.lstm`."""
    result: tuple[Tensor, Tensor, Tensor] = _BACKENDS[backend()].lstm(
        data, batch_sizes, h_0, c_0, weights, reverse=reverse
    )
    return result


def gru(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """See `elman.ops.reference.gru`."""
    result: tuple[Tensor, Tensor] = _BACKENDS[backend()].gru(data, batch_sizes, h_0, weights, reverse=reverse)
    return result
