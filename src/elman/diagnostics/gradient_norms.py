"""Norms of the gradient that reaches each state: dL/dh_t, and dL/dc_t of the LSTM kinds."""

from typing import Any

from ._trace import Trace, by_lag, by_position, side_by_side
from .quantiles import spread


def gradient_norms(traces: list[Trace], *, position: bool = False) -> dict[str, Any]:
    """Quantiles over texts of |dL/dh_t| and |dL/dc_t|, against the lag from the last step or against position.

    Where each step has a loss of its own (mean pooling, language models), so has each lag: the norm then says what
    arrives at a state by all ways together, short ones first, and `jacobian_norms` what comes the whole way.

    Args:
        traces: of one layer and direction.
    Returns:
        `dh` and, for cells that have it, `dc`: see `spread`.
    """
    arrange = by_position if position else by_lag
    found = {"dh": spread(side_by_side([arrange(trace.dh_norm, trace) for trace in traces]))}
    if len(traces[0].dc_norm):
        found["dc"] = spread(side_by_side([arrange(trace.dc_norm, trace) for trace in traces]))
    return found
