"""What a backward pass knows about time, handed to whoever asks: the source of `elman.diagnostics`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from torch import Tensor

from .weights import Weights


class Record(NamedTuple):
    """One layer in one direction, after its backward pass; rows in the ragged layout's order."""

    call: int  # `call_of` its output; another tensor may be here as `output`: hooks and checkpoints make it anew
    cell: str
    reverse: bool
    weights: Weights  # those of the call
    batch_sizes: Tensor  # [T]
    state_0: tuple[Tensor, ...]  # [B, H] each
    output: Tensor  # [N, H]
    gates: Tensor  # [N, G*H] after their nonlinearity; empty where the cell keeps none
    dh_norm: Tensor  # [N] float64, |dL/dh_t| by all ways together
    dc_norm: Tensor  # [N] float64, |dL/dc_t| by all ways together; empty where there is no c, or where it is truncated
    # [N] float64, |dL/da_t| of the pre-activations, of a normalised cell |dL/d(W_hh h)|; empty where it is not known
    dgates_norm: Tensor
    omega: float  # the information-flow regulariser before its weight; 0 if it was not asked for


def call_of(output: Tensor) -> int:
    """What tells one call from another while its output lives: the address; 0 of a compiler's tensors."""
    return output.data_ptr() if type(output) is Tensor else 0


Sink = Callable[[Record], None]
_sinks: tuple[Sink, ...] = ()
_changing = threading.Lock()


@contextmanager
def recording(sink: Sink) -> Iterator[None]:
    """Call `sink(record)` once per layer and direction in every backward pass inside; holds for all threads.

    Blocks that are open at the same time, inside each other or in several threads, are all told.

    While it is on, a layer takes the kernels or the reference, never torch's own operators.
    """
    global _sinks

    def own(record: Record) -> None:  # another one for every block, whatever is handed in
        sink(record)

    with _changing:
        _sinks = (*_sinks, own)
    try:
        yield
    finally:
        with _changing:
            _sinks = tuple(other for other in _sinks if other is not own)


def current_sink() -> Sink | None:
    """Who is told, or None."""
    return _tell if _sinks else None


def _tell(record: Record) -> None:
    for sink in _sinks:
        sink(record)
