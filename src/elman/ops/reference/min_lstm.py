"""minLSTM (Feng et al. 2024, section 3.2): gates of the input alone, so that time is a scan; gates f i n.

h = f / (f + i) * h' + i / (f + i) * n        n = W_n x + b_n. Its one state is h.
"""

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..weights import Weights
from .cell import Cell, State, derived, projected


def _step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
    (h,) = state
    a_f, a_i, n = projected(x, w).chunk(3, dim=1)
    share = torch.sigmoid(logsigmoid(a_i) - logsigmoid(a_f))  # i / (f + i), also where both are nearly 0
    return (h + share * (n - h),)


CELLS = {"min_lstm": Cell(3, 1, *derived(_step), product=False)}
