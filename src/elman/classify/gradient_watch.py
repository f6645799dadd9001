"""A look at the gradient through time after every epoch of training."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .. import diagnostics
from ..nn import TextRNN
from ..training import Epoch, Listener, Step
from .diagnose import draw, watch
from .task import Labelled

# Each look costs about as much as a second of training.
_TEXTS = 32
_EVERY = 50


class GradientWatch(Listener):
    """Measures memory at the start and after each epoch, and how far steps move the weights.

    Attributes:
        checks: one dict per look: `epoch` (0 is the start) and `layers` with `name`, `memory`, `lyapunov`, `matrix` and
            `verdict`.
    """

    def __init__(self, network: TextRNN, texts: Labelled) -> None:
        self.checks: list[dict[str, Any]] = []
        self._network, self._texts = network, texts
        self._rows = draw(texts.texts.ids.lengths, _TEXTS)
        self._before: dict[str, Tensor] = {}
        self._ratios: list[dict[str, float]] = []

    @property
    def updates(self) -> dict[str, float]:
        """Of each parameter of the recurrent layers the median over steps of |update| / |weights|."""
        if not self._ratios:
            return {}
        return {name: float(np.median([ratios[name] for ratios in self._ratios])) for name in self._ratios[0]}

    def epoch_started(self, epoch: int, first_step: int, steps: int) -> None:
        if not self.checks:
            self._look(epoch - 1)

    def step_done(self, step: Step, model: torch.nn.Module) -> None:
        """Every fiftieth step is compared with the one before."""
        if self._before:
            self._ratios.append(diagnostics.update_ratios(self._before, self._weights()))
            self._before = {}
        if step.number % _EVERY == _EVERY - 1:
            self._before = {name: weight.clone() for name, weight in self._weights().items()}

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        self._look(epoch.epoch)

    def _weights(self) -> dict[str, Tensor]:
        return {f"recurrent.{name}": p.detach() for name, p in self._network.recurrent.named_parameters()}

    def _look(self, epoch: int) -> None:
        flow = watch(self._network, self._texts.texts, self._texts.numbers, self._rows)
        found = diagnostics.diagnose(flow)
        wanted = ("name", "memory", "lyapunov", "matrix", "verdict")
        layers = [{key: layer[key] for key in wanted} for layer in found["layers"]]
        self.checks.append({"epoch": epoch, "layers": layers})
