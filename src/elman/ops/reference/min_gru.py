"""minGRU (Feng et al. 2024, section 3.1): gates of the input alone, so that time is a scan; gates z n.

h = (1 - z) * h' + z * n        z = sigmoid(W_z x + b_z)        n = W_n x + b_n
"""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, State, derived, projected


def _step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
    (h,) = state
    a_z, n = projected(x, w).chunk(2, dim=1)
    return (h + torch.sigmoid(a_z) * (n - h),)


CELLS = {"min_gru": Cell(2, 1, *derived(_step), product=False)}
