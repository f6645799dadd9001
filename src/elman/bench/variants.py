"""What is compared: a layer, how it starts, and how it is trained; one line each."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ..nn import CELLS, Recurrent
from ..training import TrainingSettings
from .network import SequenceNetwork
from .start import sparse_tanh, wide_identity

SGD = TrainingSettings(optimizer="sgd", learning_rate=0.01)  # Pascanu, Mikolov & Bengio 2013
CLIPPED = replace(SGD, clip_norm=1.0)
# Their program weighs the square of a ratio of squared norms by 2; near 1 that is four times the paper's eq. 9.
OMEGA = 8.0
ADAM = TrainingSettings(optimizer="adam", learning_rate=3e-3, clip_norm=1.0)
# A step of Adam moves every weight by the rate; what keeps its state for 400 steps by a weight of 1 bears less of that.
CAREFUL = replace(ADAM, learning_rate=3e-4)
# Found by trial: clipped at 1, 0.1 or 0.01 an IRNN's state may grow without end (docs/memory.md).
TIGHT = replace(CAREFUL, clip_norm=1e-3)
SLOW = replace(ADAM, learning_rate=5e-4)
STEADY = replace(ADAM, learning_rate=1e-3)


@dataclass(frozen=True)
class Variant:
    """
    Attributes:
        cell: name of the layer in `elman.nn.CELLS`.
        options: further arguments of the layer; `memory` is the longest length of the run.
        start: changes the initial values.
        settings: optimizer, learning rate, clipping.
        weight_noise: standard deviation of Gaussian noise on all weights but biases, drawn anew for every update (Jim,
            Giles & Horne 1996; Graves, Mohamed & Hinton 2013, section 3.3).
        growth: of a length such as 50-200 the shortest comes first, and the longest so far is multiplied by this
            whenever the figure is below five goals, at a rate divided by as much (a curriculum, Bengio et
            al. 2009; by length, Zaremba & Sutskever 2014); 0 for all lengths from the start.
        settling: updates after the task is solved, by clipped gradient descent without information flow, at a rate that
            falls to 0. Omega keeps what is remembered movable, so that it drifts away in longer sequences; without it
            the states of the classes may become ones that nearby states return to.
    """

    cell: str
    options: dict[str, Any] = field(default_factory=dict)
    start: Callable[[SequenceNetwork], None] | None = None
    settings: TrainingSettings = ADAM
    weight_noise: float = 0.0
    growth: float = 0.0
    settling: int = 0

    def layer(self, input_size: int, hidden_size: int, longest: int) -> Recurrent:
        """A new layer for sequences of at most `longest` steps; 0 where that is not known."""
        options = {"memory": longest, **self.options} if longest else self.options
        return CELLS[self.cell](input_size, hidden_size, **options)


VARIANTS = {
    "tanh-sgd": Variant("rnn", start=sparse_tanh, settings=SGD),
    "tanh-clip": Variant("rnn", start=sparse_tanh, settings=CLIPPED),
    "tanh-clip-omega": Variant("rnn", {"information_flow": OMEGA}, sparse_tanh, CLIPPED),
    "tanh-clip-omega-settled": Variant(
        "rnn", {"information_flow": OMEGA}, sparse_tanh, SLOW, growth=1.2, settling=20_000
    ),
    "tanh": Variant("rnn"),
    "tanh-noise": Variant("rnn", settings=STEADY, weight_noise=0.05),
    "orthogonal": Variant("rnn", {"init": "orthogonal"}),
    "irnn": Variant("rnn", {"nonlinearity": "relu", "init": "identity"}),
    "irnn-wide": Variant("rnn", {"nonlinearity": "relu"}, wide_identity, TIGHT),
    "indrnn": Variant("indrnn", {"init": "recurrent_range"}),
    "indrnn-2": Variant("indrnn", {"init": "recurrent_range", "num_layers": 2}, settings=CAREFUL),
    "leaky": Variant("leaky", {"leak": "log"}),
    "leaky-learned": Variant("leaky", {"leak": "learned", "init": "chrono"}),
    "leaky-relu": Variant("leaky", {"leak": "learned", "init": "chrono", "nonlinearity": "relu"}),
    "clockwork": Variant("clockwork"),
    "scrn": Variant("scrn"),
    "dilated": Variant("dilated_rnn", {"num_layers": 6}),
    "lstm": Variant("lstm"),
    "lstm-noise": Variant("lstm", settings=STEADY, weight_noise=0.05),
    "lstm-forget-1": Variant("lstm", {"init": "forget_bias"}),
    "lstm-chrono": Variant("lstm", {"init": "chrono"}),
    "peephole": Variant("peephole"),
    "coupled": Variant("coupled"),
    "layer-norm-lstm": Variant("layer_lstm"),
    "min-lstm": Variant("min_lstm"),
    "gru": Variant("gru"),
    "gru-noise": Variant("gru", settings=STEADY, weight_noise=0.05),
    "gru-chrono": Variant("gru", {"init": "chrono"}),
    "gru-before": Variant("gru_before"),
    "layer-norm-gru": Variant("layer_gru"),
    "min-gru": Variant("min_gru"),
}
DEFAULT_VARIANTS = (
    "tanh-sgd", "tanh-clip", "tanh-clip-omega", "irnn-wide", "leaky-relu", "indrnn-2", "lstm", "lstm-chrono", "gru",
    "gru-chrono",
)  # fmt: skip
