"""How much of the recurrent weights' gradient comes from each lag."""

from typing import Any

import torch
from torch import Tensor

from ..ops import CELLS, ragged
from ._trace import Trace, by_lag, side_by_side

MOST = 0.99


def weight_share(traces: list[Trace]) -> dict[str, Any] | None:
    """Share of the gradient of the recurrent weights by lag, and the lag within which 99 % of it lies.

    The gradient is a sum of one outer product da_t h_(t-1)' for each text and step (Werbos 1990); the Frobenius norm of
    one is |da_t| |h_(t-1)|. The share of a lag is the sum of these norms over the texts, divided by that over all lags:
    it counts what each step puts in, before terms of different steps cancel. Bounds from above are the norms of a GRU,
    whose reset gate scales the candidate's part of da_t afterwards, of an IndRNN, whose weights see each unit
    alone, and of a clockwork layer, of whose matrix a part is left out.

    Args:
        traces: of one layer and direction.
    Returns:
        `share` [T], summing to 1 (all 0 if there is no gradient), and `within`, the smallest lag such that lags 0 to
        `within` hold 99 %; None for cells without recurrent weights, and where the gradient of the pre-activations was
        not kept.
    """
    known = CELLS[traces[0].cell]
    if not len(traces[0].dgates_norm) or not (known.product or known.vectors):
        return None
    norms = side_by_side([by_lag(trace.dgates_norm * _entering(trace), trace) for trace in traces])
    sums = norms.nan_to_num(posinf=torch.finfo(torch.float32).max).sum(1)
    share = sums / sums.sum() if sums.sum() > 0 else sums
    within = int((share.cumsum(0) < MOST).sum()) if sums.sum() > 0 else None
    return {"share": share.tolist(), "within": within}


def _entering(trace: Trace) -> Tensor:
    """[n] norm of the state before each step, as it enters the product."""
    state = trace.before().double()
    if trace.options.mask is not None:
        state = state * trace.options.mask[ragged.rows_and_steps(trace.batch_sizes)[0]]
    norms: Tensor = state.norm(dim=1)
    return norms
