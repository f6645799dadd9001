"""The parameters of one layer in one direction, under torch.nn's names."""

from typing import NamedTuple

from torch import Tensor


class Weights(NamedTuple):
    """Gates are stacked along the first axis: LSTM `i f g o` (G=4), GRU `r z n` (G=3), RNN one (G=1).

    With a projection (LSTM only) the hidden state has P = proj_size elements, otherwise P = H.
    """

    weight_ih: Tensor  # [G*H, I]
    weight_hh: Tensor  # [G*H, P]
    bias_ih: Tensor | None = None  # [G*H]
    bias_hh: Tensor | None = None  # [G*H]
    weight_hr: Tensor | None = None  # [P, H]
