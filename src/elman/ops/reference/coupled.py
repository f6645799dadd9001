"""LSTM with coupled input and forget gates (Greff et al. 2017, variant CIFG): i = 1 - f; gates f g o.

c = f * c' + (1 - f) * g        h = o * tanh(c)
"""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, State, derived, projected, recurrent


def _step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
    h, c = state
    a_f, a_g, a_o = (projected(x, w) + recurrent(h, w, mask)).chunk(3, dim=1)
    g = torch.tanh(a_g)
    c_new = g + torch.sigmoid(a_f) * (c - g)
    return torch.sigmoid(a_o) * torch.tanh(c_new), c_new


CELLS = {"coupled": Cell(3, 2, *derived(_step))}
