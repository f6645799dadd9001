"""GRU whose reset gate acts before the recurrent product (Cho et al. 2014, arXiv 1406.1078v3, eq. 5-8); gates r z n.

n = tanh(W_in x + b_in + W_hn (r * h') + b_hn)        h = (1 - z) * n + z * h'
"""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, State, affine, derived, masked, projected


def _step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
    (h,) = state
    assert w.weight_hh is not None
    entering, size = masked(h, mask), h.shape[1]
    x_r, x_z, x_n = projected(x, w).chunk(3, dim=1)
    bias_rz, bias_n = (None, None) if w.bias_hh is None else w.bias_hh.tensor_split([2 * size])
    h_r, h_z = affine(entering, w.weight_hh[: 2 * size], bias_rz).chunk(2, dim=1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + affine(r * entering, w.weight_hh[2 * size :], bias_n))
    return (n + z * (h - n),)


CELLS = {"gru_before": Cell(3, 1, *derived(_step))}
