"""Leaky units (Jaeger et al. 2007, eq. 2; Bengio, Boulanger-Lewandowski & Pascanu 2013, eq. 11).

h = (1 - a) h' + a f(W_ih x + b_ih + W_hh h' + b_hh); the leak a in (0, 1] of each unit is `vectors` [1, H].
"""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, State, derived, projected, recurrent


def _cell(nonlinearity: str) -> Cell:
    def step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
        (h,) = state
        assert w.vectors is not None
        a = projected(x, w) + recurrent(h, w, mask)
        return (h + w.vectors[0] * ((torch.tanh(a) if nonlinearity == "tanh" else torch.relu(a)) - h),)

    return Cell(1, 1, *derived(step), vectors=1)


CELLS = {"leaky_tanh": _cell("tanh"), "leaky_relu": _cell("relu")}
