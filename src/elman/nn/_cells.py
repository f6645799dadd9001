"""All recurrent layers by the names that settings use."""

import torch

from .. import ops
from ._base import Recurrent
from ._clockwork import ClockworkRNN
from ._coupled import CoupledLSTM
from ._dilated import DilatedGRU, DilatedLSTM, DilatedRNN
from ._gru import GRU
from ._gru_before import ResetBeforeGRU
from ._indrnn import IndRNN
from ._layer_norm import LayerNormGRU, LayerNormLSTM
from ._leaky import LeakyRNN
from ._lstm import LSTM
from ._min_gru import MinGRU
from ._min_lstm import MinLSTM
from ._peephole import PeepholeLSTM
from ._rnn import RNN
from ._scrn import SCRN

CELLS: dict[str, type[Recurrent]] = {
    "rnn": RNN,
    "lstm": LSTM,
    "gru": GRU,
    "leaky": LeakyRNN,
    "indrnn": IndRNN,
    "peephole": PeepholeLSTM,
    "coupled": CoupledLSTM,
    "gru_before": ResetBeforeGRU,
    "layer_lstm": LayerNormLSTM,
    "layer_gru": LayerNormGRU,
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
    "clockwork": ClockworkRNN,
    "scrn": SCRN,
    "dilated_rnn": DilatedRNN,
    "dilated_lstm": DilatedLSTM,
    "dilated_gru": DilatedGRU,
}


def has_product(cell: str) -> bool:
    """Whether a cell has a recurrent matrix, whose elements can be dropped."""
    with torch.device("meta"):
        return ops.CELLS[CELLS[cell](1, 8).cell].product
