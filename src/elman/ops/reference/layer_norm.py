"""LSTM and GRU with layer normalisation (Ba, Kiros & Hinton 2016, supplement, eq. 20-22 and 23-25).

Each of W_ih x and W_hh h is normalised over all units of the gates that are computed together (LSTM: i f g o; GRU: r z,
and n by itself), times its gain in `norm_gates` [2, G*H]; the LSTM's c, before it reaches h, with `norm_cell` [2, H].
The biases are added after normalising.
"""

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from ..weights import Weights
from .cell import Cell, State, derived, masked


def _normalised(a: Tensor, sizes: list[int]) -> Tensor:
    return torch.cat([layer_norm(part, part.shape[1:]) for part in a.split(sizes, dim=1)], dim=1)


def _sides(x: Tensor, h: Tensor, w: Weights, mask: Tensor | None, sizes: list[int]) -> tuple[Tensor, Tensor]:
    assert w.weight_hh is not None and w.norm_gates is not None
    of_x, of_h = w.norm_gates
    left = _normalised(x @ w.weight_ih.T, sizes) * of_x
    right = _normalised(masked(h, mask) @ w.weight_hh.T, sizes) * of_h
    return left if w.bias_ih is None else left + w.bias_ih, right if w.bias_hh is None else right + w.bias_hh


def _lstm_step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
    h, c = state
    assert w.norm_cell is not None
    left, right = _sides(x, h, w, mask, [4 * c.shape[1]])
    a_i, a_f, a_g, a_o = (left + right).chunk(4, dim=1)
    c_new = torch.sigmoid(a_f) * c + torch.sigmoid(a_i) * torch.tanh(a_g)
    gain, bias = w.norm_cell
    return torch.sigmoid(a_o) * torch.tanh(layer_norm(c_new, c_new.shape[1:]) * gain + bias), c_new


def _gru_step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
    (h,) = state
    left, right = _sides(x, h, w, mask, [2 * h.shape[1], h.shape[1]])
    x_r, x_z, x_n = left.chunk(3, dim=1)
    h_r, h_z, h_n = right.chunk(3, dim=1)
    z = torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + torch.sigmoid(x_r + h_r) * h_n)
    return (n + z * (h - n),)


CELLS = {
    "layer_lstm": Cell(4, 2, *derived(_lstm_step), normalised=True),
    "layer_gru": Cell(3, 1, *derived(_gru_step), normalised=True),
}
