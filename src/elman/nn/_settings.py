"""What can be set about the recurrent part of a network."""

from dataclasses import dataclass, fields
from typing import Any

from ..settings import LARGEST, MOST_LAYERS, WIDEST, choose, setting, whole_numbers, within
from ._cells import CELLS
from ._rnn import NONLINEARITIES
from ._stack import STARTS


@dataclass(frozen=True)
class RecurrentSettings:
    """Settings that a classifier and a language model share; see `elman.nn.recurrent_network` and `elman.nn.Stack`."""

    cell: str = setting("lstm", f"Recurrent cell: {', '.join(CELLS)}.")
    nonlinearity: str = setting("tanh", "Of the cells rnn, leaky, indrnn, clockwork and dilated_rnn: tanh or relu.")
    hidden_size: int = setting(64, "Width of the state, in each direction.")
    num_layers: int = setting(1, "Recurrent layers.")
    hidden_sizes: str = setting("", "A hidden_size for each layer, lowest first, such as 128,64; empty: all alike.")
    residual: bool = setting(False, "Add a layer's input to its output where both are of equal size.")
    bidirectional: bool = setting(True, "Read from both ends.")
    learn_state: bool = setting(False, "Learn the state in which a text begins.")
    proj_size: int = setting(0, "Width of the projected state of the cells lstm and dilated_lstm; 0 for none.")
    leak: str = setting("log", "Of the cell leaky: a number in (0, 1], log (1 to 1/memory over the units) or learned.")
    periods: str = setting("", "Of the cell clockwork: rising periods, such as 1,2,4; empty: 1,2,4, .. 128.")
    context_size: int = setting(0, "Slow units of the cell scrn; 0: a quarter of hidden_size.")
    dilation: int = setting(1, "Skip of the first layer of the dilated cells; it doubles from layer to layer.")
    init: str = setting("default", f"Start values of the recurrence: {', '.join(STARTS)}.")
    forget_bias: float = setting(1.0, "Start value of the forget gate's bias.")
    memory: int = setting(400, "Steps to be remembered, for init chrono and recurrent_range and for leak log.")
    input_dropout: float = setting(0.0, "On features of each recurrent layer's input, the same along a text.")
    recurrent_dropout: float = setting(0.0, "On the state before its recurrent product, the same along a text.")
    zoneout: float = setting(0.0, "Share of units whose state h keeps its old value at a step.")
    zoneout_cell: float = setting(0.0, "The same for the state c of the LSTM cells.")
    weight_drop: float = setting(0.0, "On the elements of the recurrent matrix, the same for a batch.")
    bptt_truncate: int = setting(0, "Steps that the loss of an output travels back; 0 for all.")
    clip_recurrent: float = setting(0.0, "Largest element of the gradient handed one step back; 0 for no limit.")
    information_flow: float = setting(0.0, "Weight of the penalty on a gradient that shrinks or grows; 0 for none.")

    def check_recurrent(self) -> None:
        """Raises UsageError for a value outside its bounds; what does not go together the layers refuse."""
        choose("cell", self.cell, tuple(CELLS))
        choose("nonlinearity", self.nonlinearity, NONLINEARITIES)
        choose("init", self.init, STARTS)
        for name, most in (("hidden_size", WIDEST), ("num_layers", MOST_LAYERS), ("dilation", LARGEST)):
            within(name, getattr(self, name), 1, most=most)
        within("memory", self.memory, 3)
        for name in ("proj_size", "context_size"):
            within(name, getattr(self, name), 0, most=WIDEST)
        for name in ("bptt_truncate", "clip_recurrent", "information_flow"):
            within(name, getattr(self, name), 0)
        for name in ("input_dropout", "recurrent_dropout", "zoneout", "zoneout_cell", "weight_drop"):
            within(name, getattr(self, name), 0, 1, below=True)

    @property
    def recurrent(self) -> dict[str, Any]:
        """As arguments of `recurrent_network`, those of other cells left out."""
        of_cell: dict[str, Any] = {
            "nonlinearity": self.nonlinearity,
            "proj_size": self.proj_size,
            "leak": _number(self.leak),
            "periods": whole_numbers("periods", self.periods) or None,
            "context_size": self.context_size or None,
            "dilation": self.dilation,
        }
        alike = (f.name for f in fields(RecurrentSettings) if f.name not in (*of_cell, "forget_bias"))
        return {
            **{name: getattr(self, name) for name in alike},
            **{name: value for name, value in of_cell.items() if name in CELLS[self.cell].own_options},
            "hidden_sizes": whole_numbers("hidden_sizes", self.hidden_sizes, WIDEST),
            "bptt_truncate": self.bptt_truncate or None,
        }


# Those that act in training alone: a network that is taken over may have others.
TRAINED = (
    "input_dropout",
    "recurrent_dropout",
    "zoneout",
    "zoneout_cell",
    "weight_drop",
    "bptt_truncate",
    "clip_recurrent",
    "information_flow",
)

# The others: they come with a network that is taken over.
ARCHITECTURE = tuple(f.name for f in fields(RecurrentSettings) if f.name not in TRAINED)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
