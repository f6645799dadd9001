"""Independently recurrent network (Li et al. 2018, eq. 2): h = f(W_ih x + b_ih + u * h'), u is `vectors` [1, H]."""

import torch
from torch import Tensor

from ..weights import Weights
from .cell import Cell, State, derived, masked, projected


def _cell(nonlinearity: str) -> Cell:
    def step(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> State:
        (h,) = state
        assert w.vectors is not None
        a = projected(x, w) + w.vectors[0] * masked(h, mask)
        return (torch.tanh(a) if nonlinearity == "tanh" else torch.relu(a),)

    return Cell(1, 1, *derived(step), vectors=1, product=False)


CELLS = {"indrnn_tanh": _cell("tanh"), "indrnn_relu": _cell("relu")}
