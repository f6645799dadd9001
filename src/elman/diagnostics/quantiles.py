"""A spread over texts, lag by lag."""

from typing import Any

import torch
from torch import Tensor

QUANTILES = {"q10": 0.10, "q25": 0.25, "median": 0.50, "q75": 0.75, "q90": 0.90}
# A quantile over fewer texts than a tenth of the sample is a text's own number.
FEWEST = 0.1


def spread(values: Tensor) -> dict[str, Any]:
    """Quantiles over the texts that have a step at each lag, as far as a tenth of the texts do.

    Args:
        values: [T, b], NaN where there is nothing.
    Returns:
        `texts`, how many have the lag, and one list per name in `QUANTILES`, all [T'].
    """
    texts = (~values.isnan()).sum(1)
    enough = texts >= max(1.0, FEWEST * values.shape[1])
    values, texts = values[enough], texts[enough]
    return {"texts": texts.tolist(), **{name: quantile(values, level).tolist() for name, level in QUANTILES.items()}}


def quantile(values: Tensor, level: float) -> Tensor:
    """[T] over the texts; -inf where it would lie between -inf and a number. Values [T, b], each lag with a number."""
    if not len(values):
        return values.new_empty(0)
    return torch.nanquantile(values, level, dim=1).nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
