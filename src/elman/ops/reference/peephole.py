"""LSTM with peepholes (Gers & Schmidhuber 2000; Gers, Schraudolph & Schmidhuber 2002, eq. 2-6).

The gates see c: i and f that of the step before, o the new one. `vectors` [3, H]: p_i, p_f, p_o; gates i f g o.
"""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, State, derived, projected, recurrent


def _step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
    h, c = state
    assert w.vectors is not None
    a_i, a_f, a_g, a_o = (projected(x, w) + recurrent(h, w, mask)).chunk(4, dim=1)
    p_i, p_f, p_o = w.vectors
    c_new = torch.sigmoid(a_f + p_f * c) * c + torch.sigmoid(a_i + p_i * c) * torch.tanh(a_g)
    return torch.sigmoid(a_o + p_o * c_new) * torch.tanh(c_new), c_new


CELLS = {"peephole": Cell(4, 2, *derived(_step), vectors=3)}
