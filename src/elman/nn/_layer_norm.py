"""LSTM and GRU with layer normalisation (Ba, Kiros & Hinton 2016, supplement, eq. 20-25)."""

import torch

from ._base import Recurrent
from ._states import DoubleState, SingleState


class _Normalised(Recurrent):
    """Gains start at 1; of `norm_cell_l0` the second row, the bias, at 0."""

    @torch.no_grad()
    def _reset_own(self) -> None:
        for gains in (*self.parameters_named("norm_gates"), *self.parameters_named("norm_cell")):
            torch.nn.init.ones_(gains)
        for gain_and_bias in self.parameters_named("norm_cell"):
            torch.nn.init.zeros_(gain_and_bias[1])


class LayerNormLSTM(_Normalised, DoubleState):
    """`LSTM` that normalises W_ih x_t and W_hh h_(t-1) over all gates' units, and c_t before it reaches h_t.

    Gains `norm_gates_l0` [2, 4H], of the two products; gain and bias of c `norm_cell_l0` [2, H]; gates `i f g o`.
    """

    cell = "layer_lstm"
    gates, keep_gates, write_gates = "ifgo", "f", "i"


class LayerNormGRU(_Normalised, SingleState):
    """`GRU` that normalises W_ih x_t and W_hh h_(t-1), r and z together and n by itself.

    Gains `norm_gates_l0` [2, 3H], of the two products; gates `r z n`.
    """

    cell = "layer_gru"
    gates, keep_gates = "rzn", "z"
