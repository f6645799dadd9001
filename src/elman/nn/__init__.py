"""Modules that own parameters: the twins of torch.nn's recurrent layers and the networks built of them.

Arithmetic over time lives in `elman.ops`; nothing here knows about strings, files or training.
"""

from ._accelerate import Swap, SwapReport, accelerate, restore
from ._base import Recurrent
from ._both_ways import BothWays
from ._cells import CELLS, has_product
from ._clockwork import ClockworkRNN
from ._coupled import CoupledLSTM
from ._dilated import DilatedGRU, DilatedLSTM, DilatedRNN
from ._draws import Linear, current_generator, drawing_from, repeated_draws
from ._embedding import Embedding
from ._gru import GRU
from ._gru_before import ResetBeforeGRU
from ._indrnn import IndRNN
from ._initial import INITS, chrono, forget_bias, identity, orthogonal, recurrent_range
from ._language_model import LanguageModel
from ._layer_norm import LayerNormGRU, LayerNormLSTM
from ._layout import RaggedLayout
from ._leaky import LeakyRNN
from ._lstm import LSTM
from ._merge import MERGES
from ._min_gru import MinGRU
from ._min_lstm import MinLSTM
from ._peephole import PeepholeLSTM
from ._pooling import POOLINGS, Pooling
from ._recurrence import Recurrence
from ._rnn import RNN, SimpleRNN
from ._scrn import SCRN
from ._settings import ARCHITECTURE, RecurrentSettings
from ._softmax import Softmax
from ._stack import STARTS, Stack, layers_of, recurrent_network
from ._stateful import Stateful
from ._table import LayerRow, recurrent_rows
from ._text_rnn import TextRNN
from ._watching import Call, watching

__all__ = [
    "ARCHITECTURE",
    "CELLS",
    "GRU",
    "INITS",
    "LSTM",
    "MERGES",
    "POOLINGS",
    "RNN",
    "SCRN",
    "STARTS",
    "BothWays",
    "Call",
    "ClockworkRNN",
    "CoupledLSTM",
    "DilatedGRU",
    "DilatedLSTM",
    "DilatedRNN",
    "Embedding",
    "IndRNN",
    "LanguageModel",
    "LayerNormGRU",
    "LayerNormLSTM",
    "LayerRow",
    "LeakyRNN",
    "Linear",
    "MinGRU",
    "MinLSTM",
    "PeepholeLSTM",
    "Pooling",
    "RaggedLayout",
    "Recurrence",
    "Recurrent",
    "RecurrentSettings",
    "ResetBeforeGRU",
    "SimpleRNN",
    "Softmax",
    "Stack",
    "Stateful",
    "Swap",
    "SwapReport",
    "TextRNN",
    "accelerate",
    "chrono",
    "current_generator",
    "drawing_from",
    "forget_bias",
    "has_product",
    "identity",
    "layers_of",
    "orthogonal",
    "recurrent_network",
    "recurrent_range",
    "recurrent_rows",
    "repeated_draws",
    "restore",
    "watching",
]
