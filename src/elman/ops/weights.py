"""The parameters of one layer in one direction, under torch.nn's names."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ShapeError


class Weights(NamedTuple):
    """Gates are stacked along the first axis: LSTM `i f g o` (G=4), GRU `r z n` (G=3), RNN one (G=1).

    With a projection (LSTM only) the hidden state has P = proj_size elements, otherwise P = H. What `vectors` holds and
    which fields a cell has: its file in `elman.ops.reference`.
    """

    weight_ih: Tensor  # [G*H, I]
    weight_hh: Tensor | None = None  # [G*H, P]; None for cells without a recurrent matrix
    bias_ih: Tensor | None = None  # [G*H]
    bias_hh: Tensor | None = None  # [G*H]
    weight_hr: Tensor | None = None  # [P, H]
    vectors: Tensor | None = None  # [U, H] one number per unit: leak, peepholes, ...
    norm_gates: Tensor | None = None  # [2, G*H] gains of layer normalisation, of W_ih x and of W_hh h
    norm_cell: Tensor | None = None  # [2, H] gain and bias of the normalised c


def other_type(data: torch.dtype, weight: torch.dtype) -> ShapeError:
    """The error where the types of input and weights differ, in torch.nn's words."""
    return ShapeError(
        f"RNN input dtype ({data}) does not match weight dtype ({weight}). "
        f"Convert input: input.to({weight}), or convert model: model.to({data})"
    )
