"""How far one step of training moves the weights."""

from collections.abc import Mapping

import torch
from torch import Tensor


def update_ratios(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> dict[str, float]:
    """|after - before| / |before| of each parameter; about 1e-3 a step is usual. inf for one that was zero and moved.

    Args:
        before, after: the same parameters by name, one step apart.
    """
    found = {}
    for name, old in before.items():
        moved = torch.linalg.vector_norm(after[name].detach().double() - old.double())
        size = torch.linalg.vector_norm(old.double())
        found[name] = float(moved / size) if size > 0 else (torch.inf if moved > 0 else 0.0)
    return found
