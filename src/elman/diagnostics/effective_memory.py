"""One number for how far back a layer can learn. The choice is argued in docs/decisions/0011-effective-memory.md."""

import math
from typing import NamedTuple

from torch import Tensor

from .quantiles import common, quantile

# The gain may fall to a hundredth or grow a hundredfold before it counts as lost.
LOST = 100.0


class Memory(NamedTuple):
    """
    Attributes:
        steps: lags over which the median gain stays within a factor of 100 of 1.
        end: how it leaves: "below" 1/100, "above" 100, or "open": not within the lags looked at, so `steps` is at least
            the true number; "cut" where truncation ends the gradient before that.
        projected: the same without an end of text: `steps` where it was seen, else how far a line through the origin
            and the last median gain goes; inf if that neither falls nor rises.
    """

    steps: int
    end: str
    projected: float


def effective_memory(log_gains: Tensor, truncate: int | None = None, skip: int = 1) -> Memory:
    """The last lag before the median over texts of the state's gain leaves [1/100, 100].

    Args:
        log_gains: [T, b], of `jacobian_norms`; lags that fewer than a tenth of the texts have are not looked at.
        truncate: lags that the gradient may travel, `bptt_truncate`; None for all.
        skip: steps of the text to a lag, of a dilated layer.
    """
    lags, end, projected = _of(log_gains)
    if truncate is not None and truncate < lags:
        lags, end, projected = truncate, "cut", float(truncate)
    return Memory(skip * lags, end, skip * projected)


def _of(log_gains: Tensor) -> Memory:
    median = quantile(common(log_gains), 0.5)
    limit = math.log(LOST)
    outside = (median.abs() > limit).nonzero()
    if len(outside):
        first = int(outside[0])
        return Memory(first - 1, "below" if median[first] < 0 else "above", float(first - 1))
    lags, last = len(median) - 1, abs(float(median[-1]))
    return Memory(lags, "open", lags * limit / last if last > 0 else math.inf)
