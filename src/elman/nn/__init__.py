"""Modules that own parameters: the twins of torch.nn's recurrent layers and the networks built of them.

Arithmetic over time lives in `elman.ops`; nothing here knows about strings, files or training.
"""

from ._accelerate import Swap, SwapReport, accelerate, restore
from ._gru import GRU
from ._lstm import LSTM
from ._pooling import POOLINGS, Pooling
from ._recurrence import Recurrence
from ._rnn import RNN, SimpleRNN
from ._stateful import Stateful
from ._text_rnn import CELLS, MERGES, TextRNN

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "MERGES",
    "POOLINGS",
    "RNN",
    "Pooling",
    "Recurrence",
    "SimpleRNN",
    "Stateful",
    "Swap",
    "SwapReport",
    "TextRNN",
    "accelerate",
    "restore",
]
