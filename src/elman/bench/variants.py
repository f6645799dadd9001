"""What is compared: a layer, how it starts, and how it is trained; one line each."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from ..nn import GRU, LSTM, RNN
from ..training import TrainingSettings
from . import start
from .network import SequenceNetwork

SGD = TrainingSettings(optimizer="sgd", learning_rate=0.01)  # Pascanu, Mikolov & Bengio 2013
CLIPPED = replace(SGD, clip_norm=1.0)
ADAM = TrainingSettings(optimizer="adam", learning_rate=3e-3, clip_norm=1.0)


@dataclass(frozen=True)
class Variant:
    """
    Attributes:
        layer: makes the layer from input_size, hidden_size and the options.
        options: further arguments of the layer.
        start: changes the initial values.
        settings: optimizer, learning rate, clipping.
    """

    layer: Callable[..., torch.nn.Module]
    options: dict[str, Any] = field(default_factory=dict)
    start: Callable[[SequenceNetwork], None] | None = None
    settings: TrainingSettings = ADAM


VARIANTS = {
    "tanh-sgd": Variant(RNN, start=start.sparse_tanh, settings=SGD),
    "tanh-clip": Variant(RNN, start=start.sparse_tanh, settings=CLIPPED),
    "tanh": Variant(RNN),
    "irnn": Variant(RNN, {"nonlinearity": "relu"}, start.identity),
    "lstm": Variant(LSTM),
    "gru": Variant(GRU),
}
