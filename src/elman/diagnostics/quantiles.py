"""A spread over texts, lag by lag."""

from typing import Any

import torch
from torch import Tensor

QUANTILES = {"q10": 0.10, "q25": 0.25, "median": 0.50, "q75": 0.75, "q90": 0.90}
# Over fewer than a tenth of the texts, a quantile is a single text's own number.
FEWEST = 0.1


def spread(values: Tensor) -> dict[str, Any]:
    """Quantiles over the texts that have a step at each lag, as far as a tenth of the texts do.

    Args:
        values: [T, b], NaN where there is nothing.
    Returns:
        `texts`, how many have the lag, and one list per name in `QUANTILES`, all [T'].
    """
    values = common(values)
    texts = (~values.isnan()).sum(1)
    return {"texts": texts.tolist(), **{name: quantile(values, level).tolist() for name, level in QUANTILES.items()}}


def common(values: Tensor) -> Tensor:
    """The lags [T', b] that enough texts have."""
    return values[(~values.isnan()).sum(1) >= max(1.0, FEWEST * values.shape[1])]


def quantile(values: Tensor, level: float) -> Tensor:
    """[T] over the texts; the lower of two where one is infinite. Values [T, b], each lag with a number."""
    if not len(values):
        return values.new_empty(0)
    between = torch.nanquantile(values, level, dim=1)  # inf - inf is not a number
    return torch.where(between.isnan(), torch.nanquantile(values, level, dim=1, interpolation="lower"), between)
