"""Elman (1990): h = f(W_ih x + b_ih + W_hh h' + b_hh), f = tanh or relu."""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, Saved, State, product_gradients, projected, recurrent


def _cell(nonlinearity: str) -> Cell:
    def step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> tuple[State, Saved]:
        (h,) = state
        a = projected(x, w) + recurrent(h, w, mask)
        new = torch.tanh(a) if nonlinearity == "tanh" else torch.relu(a)
        return (new,), (x, h, new)

    def step_backward(dstate: State, saved: Saved, w: Weights, mask: Tensor | None) -> tuple[Tensor, State, Weights]:
        x, h, new = saved
        (dh,) = dstate
        da = dh * (1 - new**2) if nonlinearity == "tanh" else torch.where(new <= 0, 0.0, dh)
        dx, dprevious, dweights = product_gradients(x, h, da, da, w, mask)
        return dx, (dprevious,), dweights

    return Cell(1, 1, step, step_backward)


CELLS = {"rnn_tanh": _cell("tanh"), "rnn_relu": _cell("relu")}
