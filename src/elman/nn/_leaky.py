"""Leaky units (Jaeger et al. 2007, eq. 2; Bengio, Boulanger-Lewandowski & Pascanu 2013, eq. 11)."""

import math
from typing import Any

import torch
from torch import Tensor

from .. import ops
from ..errors import UsageError
from ._rnn import check_nonlinearity
from ._states import SingleState

_FASTEST = 0.9  # of learned leaks, whose logit would be infinite at 1


class LeakyRNN(SingleState):
    """h_t = (1 - a) h_(t-1) + a f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh): a unit forgets over about 1/a steps.

    Fixed leaks are the buffer `leak_l0` [1, H]. Learned ones are sigmoid of the parameter `leak_logit_l0` [1, H], which
    keeps them between 0 and 1.

    Args:
        nonlinearity: tanh or relu.
        leak: a number in (0, 1] for all units; "log": fixed, spaced evenly in log a over the units from 1 to
            1 / `memory`; "learned": starts spaced likewise, from 0.9.
        others: as `elman.nn.Recurrent`.
    Raises:
        UsageError: another leak.
    """

    own_options = ("nonlinearity", "leak")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *args: Any,
        nonlinearity: str = "tanh",
        leak: float | str = "log",
        **kwargs: Any,
    ) -> None:
        self.nonlinearity = check_nonlinearity(nonlinearity)
        if leak not in ("log", "learned") and (isinstance(leak, str) or not 0 < leak <= 1):
            raise UsageError(f"leak must be above 0 and at most 1, or 'log' or 'learned', got {leak!r}")
        self.leak = leak
        super().__init__(input_size, hidden_size, *args, **kwargs)

    @property
    def cell(self) -> str:  # type: ignore[override]
        return f"leaky_{self.nonlinearity}"

    def _sizes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        learned = {"leak_logit": (1, self.hidden_size)} if self.leak == "learned" else {}
        return super()._sizes(input_size) | learned

    @torch.no_grad()
    def _reset_own(self) -> None:
        if self.memory < 1:
            raise UsageError(f"leaky units need a memory of at least 1 step, got {self.memory}")
        like, slowest = self.parameters_named("weight_ih")[0], 1 / self.memory
        for logit in self.parameters_named("leak_logit"):
            leaks = _spaced(self.hidden_size, _FASTEST, min(slowest, _FASTEST))
            logit.copy_(logit.new_tensor([[math.log(leak / (1 - leak)) for leak in leaks]]))
        if self.leak == "learned":
            return
        ends = (1.0, slowest) if isinstance(self.leak, str) else (self.leak, self.leak)
        for layer in range(self.num_layers):
            for suffix in self.suffixes(layer):
                self.register_buffer("leak" + suffix, like.new_tensor([_spaced(self.hidden_size, *ends)]))

    def _weights(self, layer: int, reverse: bool) -> ops.Weights:
        suffix = self.suffixes(layer)[reverse]
        learned = self.leak == "learned"
        leak: Tensor = (
            torch.sigmoid(getattr(self, "leak_logit" + suffix)) if learned else getattr(self, "leak" + suffix)
        )
        return super()._weights(layer, reverse)._replace(vectors=leak)


def _spaced(size: int, fastest: float, slowest: float) -> list[float]:
    """[H] leaks, evenly in log a, from the fastest to the slowest."""
    ratio = slowest / fastest
    return [fastest * ratio ** (unit / max(1, size - 1)) for unit in range(size)]
