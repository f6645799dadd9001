"""The switch between implementations of the cells.

`native` (default) is `elman.ops.native`, `torch` is `elman.ops.aten`, `reference` is `elman.ops.reference`; all have
the function `recurrent` with the same arguments. `native` runs float32 and float64 on the CPU. What it does not cover
goes to `torch` if torch has it (classical cells without options: on CUDA torch calls cuDNN; other types; LSTMs with a
projection), and else to `reference`; so do calls under `torch.func`'s transforms (vmap, grad, jvp ..) and in
forward mode. There is no other fallback; `path` tells which one a call takes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch
from torch import Tensor

from ..errors import ShapeError, UsageError
from ..settings import known
from . import aten, by_hand, native, reference
from .options import Options
from .recording import current_sink
from .reference import CELLS
from .reference.cell import State
from .watched import is_transformed
from .weights import Weights, other_type

_BACKENDS: dict[str, ModuleType] = {"native": native, "torch": aten, "reference": reference}
_current = "native"


def backend() -> str:
    """Name of the backend in use."""
    return _current


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run the enclosed code on another backend: `with use_backend("reference"): model(x)`. Holds for all threads."""
    global _current
    before, _current = _current, known("backend", name, _BACKENDS)
    try:
        yield
    finally:
        _current = before


def path(data: Tensor, weights: Weights, cell: str = "lstm", options: Options | None = None) -> str:
    """Name of the backend that a call with these tensors takes."""
    options = options or Options()
    watched = current_sink() is not None
    on_torch = aten.covers(cell, options) and not watched
    if _current == "reference" or (_current == "torch" and not on_torch):
        return "reference"
    if not torch.compiler.is_compiling() and is_transformed():
        return "reference"
    if _current == "torch" or not native.covers(data, weights, cell):
        return "torch" if on_torch else "reference"
    return "native"


def is_direct(x: Tensor) -> bool:
    """Whether inference on this input may call `elman.ops.kernels` without going through torch's operators."""
    return _current == "native" and native.is_direct(x)


def recurrent(
    cell: str,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    *,
    reverse: bool = False,
    options: Options | None = None,
) -> tuple[Tensor, State]:
    """Any cell of `CELLS`, one layer in one direction over a ragged batch.

    Args:
        cell, data, batch_sizes, state_0, weights, reverse: as in `elman.ops.reference.recurrent`.
    Returns:
        output [N, H] and the final state.
    Raises:
        UsageError: an unknown cell; options that the cell does not have.
        ShapeError: weights or states that the cell does not have, or in sizes that do not fit; tensors of several
            devices, or of another type than the weights'.
    """
    options = options or Options()
    check(cell, state_0, weights, options)
    _check_place(data, batch_sizes, state_0, weights)
    chosen = path(data, weights, cell, options)
    if chosen == "reference" and torch.is_grad_enabled() and (options.by_hand or current_sink() is not None):
        if is_transformed():
            raise UsageError(
                "a gradient that is truncated, clipped, regularised or recorded is not to be had by torch.func or in "
                "forward mode"
            )
        return by_hand.recurrent(cell, data, batch_sizes, state_0, weights, reverse=reverse, options=options)
    return _BACKENDS[chosen].recurrent(  # type: ignore[no-any-return]
        cell, data, batch_sizes, state_0, weights, reverse=reverse, options=options
    )


def check(cell: str, state_0: State, weights: Weights, options: Options) -> None:
    """Raises UsageError or ShapeError unless weights, state and options are those of the cell."""
    gates = CELLS[known("cell", cell, CELLS)].gates
    reference.check_parts(cell, len(state_0), weights.weight_ih.shape[0] // gates, weights)
    if options.bptt_truncate is not None and options.bptt_truncate < 0:
        raise UsageError(f"bptt_truncate must be 0 or more steps, got {options.bptt_truncate}")
    if options.flow and cell not in aten.CELLS:
        raise UsageError(f"the information-flow regulariser is defined for {', '.join(aten.CELLS)}, not for {cell}")
    if options.flow and options.bptt_truncate is not None:
        raise UsageError(
            "the information-flow regulariser follows the whole gradient: it does not go with bptt_truncate"
        )
    if options.flow and options.clip:
        raise UsageError("the information-flow regulariser follows the whole gradient: it does not go with clip")
    if options.clip < 0:
        raise UsageError(f"clip must be 0 or more, got {options.clip}")
    sizes = tuple(s.shape for s in state_0)
    if options.mask is not None and options.mask.shape != sizes[0]:
        raise ShapeError(f"Expected mask of size {tuple(sizes[0])}, got {tuple(options.mask.shape)}")
    if options.zoneout is not None and len(options.zoneout) != len(state_0):
        raise ShapeError(f"cell {cell} needs zoneout for {len(state_0)} states, got {len(options.zoneout)}")


def _check_place(data: Tensor, batch_sizes: Tensor, state_0: State, weights: Weights) -> None:
    """Raises ShapeError unless all is on one device, the batch sizes on the CPU, and of one type where none is cast."""
    device = data.device
    for kind, tensors in (("hidden", state_0), ("parameter", weights)):
        for tensor in tensors:
            if tensor is not None and tensor.device != device:
                raise ShapeError(
                    f"Input and {kind} tensors are not at the same device, found input tensor at {device} and {kind} "
                    f"tensor at {tensor.device}"
                )
    if batch_sizes.device.type != "cpu":
        raise ShapeError(f"Expected batch_sizes on the CPU, got them on {batch_sizes.device}")
    wanted = weights.weight_ih.dtype
    if data.dtype != wanted and not torch._C._is_any_autocast_enabled():
        raise other_type(data.dtype, wanted)
