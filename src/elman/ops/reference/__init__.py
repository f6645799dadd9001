"""The specification: each cell as its formula, one file each, in plain loops over time.

Nothing here is fast and nothing calls a kernel. Other backends must agree with it to rounding. `recurrent` is made of
differentiable torch operations; `recurrent_backward` is back-propagation through time written out (`time.py`), full and
truncated, without autograd over time.

A state is a tuple of [B, H] tensors: (h,), or (h, c) for the LSTM kinds.
"""

from torch import Tensor

from ...errors import ShapeError
from ..options import Options
from ..weights import Weights
from . import coupled, gru, gru_before, indrnn, layer_norm, leaky, lstm, min_gru, min_lstm, peephole, rnn, time
from .cell import Cell, State
from .time import Gradients

CELLS: dict[str, Cell] = {
    **rnn.CELLS,
    **lstm.CELLS,
    **gru.CELLS,
    **leaky.CELLS,
    **indrnn.CELLS,
    **peephole.CELLS,
    **coupled.CELLS,
    **gru_before.CELLS,
    **min_gru.CELLS,
    **min_lstm.CELLS,
    **layer_norm.CELLS,
}


def check_parts(cell: str, states: int, hidden: int, weights: Weights) -> None:
    """Raises ShapeError unless a call has the states and weights of the cell, those for H = `hidden` units."""
    known = CELLS[cell]
    if states != known.states:
        raise ShapeError(f"cell {cell} has {known.states} state tensors, got {states}")
    if known.product != (weights.weight_hh is not None):
        raise ShapeError(f"cell {cell} has {'a' if known.product else 'no'} recurrent matrix weight_hh")
    for name, tensor, rows, columns in (
        ("vectors", weights.vectors, known.vectors, hidden),
        ("norm_gates", weights.norm_gates, 2 if known.normalised else 0, known.gates * hidden),
        ("norm_cell", weights.norm_cell, 2 if known.normalised and known.states > 1 else 0, hidden),
    ):
        found = None if tensor is None else tuple(tensor.shape)
        if found != ((rows, columns) if rows else None):
            raise ShapeError(f"cell {cell} has {name} [{rows}, {columns}], got {found}")


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
    """One layer in one direction over a ragged batch.

    Args:
        cell: a name in `CELLS`.
        data: [N, I] input, ragged layout.
        batch_sizes: [T] int64.
        state_0: [B, H] each, initial state, rows in sorted order.
        reverse: read each row from its end.
        options: of these `mask` and `zoneout`; what changes the gradient alone is in `recurrent_backward`.
    Returns:
        output [N, H] and the state after each row's last processed step.
    """
    output, state_n, _ = time.run(CELLS[cell], data, batch_sizes, state_0, weights, reverse, options)
    return output, state_n


def recurrent_backward(
    cell: str,
    doutput: Tensor,
    dstate_n: State,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    *,
    reverse: bool = False,
    options: Options | None = None,
) -> Gradients:
    """Gradients of `recurrent` by back-propagation through time; doutput [N, H], dstate_n as the state."""
    arguments = (doutput, dstate_n, data, batch_sizes, state_0, weights)
    return time.back_propagate(CELLS[cell], *arguments, reverse, options)[0]
