"""Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000); projection: Sak et al. (2014).

c = f * c' + i * g        h = o * tanh(c)        with projection h = W_hr (o * tanh(c))
"""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, Saved, State, product_gradients, projected, recurrent


def _step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> tuple[State, Saved]:
    h, c = state
    a_i, a_f, a_g, a_o = (projected(x, w) + recurrent(h, w, mask)).chunk(4, dim=1)
    i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
    c_new = f * c + i * g
    h_new = o * torch.tanh(c_new)
    if w.weight_hr is not None:
        h_new = h_new @ w.weight_hr.T
    return (h_new, c_new), (x, h, c, i, f, g, o, c_new)


def _step_backward(dstate: State, saved: Saved, w: Weights, mask: Tensor | None) -> tuple[Tensor, State, Weights]:
    x, h, c, i, f, g, o, c_new = saved
    dh, dc = dstate
    tanh_c = torch.tanh(c_new)
    dweight_hr = None
    if w.weight_hr is not None:
        dweight_hr = dh.T @ (o * tanh_c)
        dh = dh @ w.weight_hr
    dc = dc + dh * o * (1 - tanh_c**2)
    da = torch.cat(
        [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)],
        dim=1,
    )
    dx, dh_before, dweights = product_gradients(x, h, da, da, w, mask)
    return dx, (dh_before, dc * f), dweights._replace(weight_hr=dweight_hr)


CELLS = {"lstm": Cell(4, 2, _step, _step_backward)}
