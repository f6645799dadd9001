"""What layers computed, told to whoever watches: `elman.diagnostics` finds their inputs and options so."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor
from torch.nn import Module
from torch.nn.modules.module import _has_any_global_hook

from .. import ops

if TYPE_CHECKING:
    from ._base import Recurrent


class Call(NamedTuple):
    """What a layer computed in one direction, as `watching` tells it."""

    module: "Recurrent"
    suffix: str  # of its parameters' names, such as "_l0_reverse"
    skip: int  # how many steps ago the state was that it read
    data: Tensor  # [N, I]
    options: ops.Options
    output: Tensor  # [N, H]


_watchers: tuple[Callable[[Call], None], ...] = ()  # another one at every change: other threads go through it
_changing = threading.Lock()


def watchers() -> tuple[Callable[[Call], None], ...]:
    """Who is told at this moment."""
    return _watchers


@contextmanager
def watching(watcher: Callable[[Call], None]) -> Iterator[None]:
    """Call `watcher` once per layer and direction at every call inside, but for SCRN's."""
    global _watchers
    with _changing:
        _watchers = (*_watchers, watcher)
    try:
        yield
    finally:
        with _changing:
            _watchers = tuple(other for other in _watchers if other is not watcher)


def has_hooks(module: Module) -> bool:
    """Whether its `__call__` does more than the `forward` of its class."""
    return bool(
        module._forward_pre_hooks
        or module._forward_hooks
        or module._backward_pre_hooks
        or module._backward_hooks
        or module._compiled_call_impl
        or "forward" in vars(module)
        or _has_any_global_hook()
    )
