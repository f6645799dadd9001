"""Cho et al. (2014), arXiv 1406.1078v1: the reset gate acts after the recurrent product, as in torch and cuDNN.

n = tanh(W_in x + b_in + r * (W_hn h' + b_hn))        h = (1 - z) * n + z * h'
"""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, Saved, State, product_gradients, projected, recurrent


def _step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> tuple[State, Saved]:
    (h,) = state
    x_r, x_z, x_n = projected(x, w).chunk(3, dim=1)
    h_r, h_z, h_n = recurrent(h, w, mask).chunk(3, dim=1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return ((1 - z) * n + z * h,), (x, h, r, z, n, h_n)


def _step_backward(dstate: State, saved: Saved, w: Weights, mask: Tensor | None) -> tuple[Tensor, State, Weights]:
    x, h, r, z, n, h_n = saved
    (dh,) = dstate
    da_n = dh * (1 - z) * (1 - n**2)
    da_r = da_n * h_n * r * (1 - r)
    da_z = dh * (h - n) * z * (1 - z)
    da_x = torch.cat([da_r, da_z, da_n], dim=1)
    da_h = torch.cat([da_r, da_z, da_n * r], dim=1)
    dx, dh_before, dweights = product_gradients(x, h, da_x, da_h, w, mask)
    return dx, (dh_before + dh * z,), dweights


CELLS = {"gru": Cell(3, 1, _step, _step_backward)}
