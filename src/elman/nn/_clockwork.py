"""The Clockwork RNN (Koutnik et al. 2014)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .. import ops
from ..errors import UsageError
from ..ops import ragged
from ._arguments import check_size
from ._base import State
from ._layout import RaggedLayout
from ._rnn import check_nonlinearity
from ._states import SingleState

_PERIODS = (1, 2, 4, 8, 16, 32, 64, 128)


class ClockworkRNN(SingleState):
    """`RNN` in modules, each with a clock of its own: module i moves at steps divisible by its period T_i (section 3).

    A module sees itself and the slower ones: of `weight_hh_l0` only the blocks from slower to faster count. The other
    steps are zoneout of the whole module, so this runs where `RNN` with zoneout does. Steps are counted from 0 at the
    first that a direction reads, and anew at every call, but for a stream's (`elman.nn.Stateful`).

    Args:
        nonlinearity: tanh or relu.
        periods: T_i of each module, rising; the units are shared out evenly, the rest to the first modules. Default
            1, 2, 4, .. 128, as far as there are units.
        others: as `elman.nn.Recurrent`.
    Raises:
        UsageError: periods that do not rise from at least 1, or more modules than units.
    """

    own_options = ("nonlinearity", "periods")
    is_cell_alone = False
    counts_steps = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *args: Any,
        nonlinearity: str = "tanh",
        periods: Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        check_size("hidden_size", hidden_size)
        self.nonlinearity = check_nonlinearity(nonlinearity)
        self.periods = tuple(_PERIODS[:hidden_size] if periods is None else periods)
        rising = all(slow > fast for fast, slow in zip((0, *self.periods), self.periods, strict=False))
        if not (self.periods and rising and len(self.periods) <= hidden_size):
            raise UsageError(
                f"periods must rise from at least 1, one for each of at most {hidden_size} modules, got {self.periods}"
            )
        super().__init__(input_size, hidden_size, *args, **kwargs)

    @property
    def cell(self) -> str:  # type: ignore[override]
        return f"rnn_{self.nonlinearity}"

    def _step(self, x: Tensor, hx: State | None) -> tuple[Tensor, State]:
        raise UsageError("a clockwork layer starts its clocks at every call, so it has no single step")

    def _period_of_units(self) -> Tensor:
        """[H]"""
        modules = torch.arange(self.hidden_size, device="cpu").tensor_split(len(self.periods))
        return torch.cat([torch.full_like(units, p) for units, p in zip(modules, self.periods, strict=True)])

    def _weights(self, layer: int, reverse: bool) -> ops.Weights:
        weights = super()._weights(layer, reverse)
        assert weights.weight_hh is not None
        period = self._period_of_units().to(weights.weight_hh.device)
        seen = period[:, None] <= period
        return weights._replace(weight_hh=weights.weight_hh * seen)

    def _direction(
        self, data: Tensor, layout: RaggedLayout, states: list[State], layer: int, reverse: bool
    ) -> tuple[Tensor, list[State]]:
        (state_0,) = states
        rows, steps = ragged.read_order(layout.batch_sizes, state_0[0].shape[0], reverse)
        steps = steps + (layout.clock[rows] if isinstance(layout.clock, Tensor) else layout.clock)
        rests = (steps[:, None] % self._period_of_units() != 0).to(data)
        options = self._options(data, state_0)
        kept = rests if options.zoneout is None else torch.maximum(rests, options.zoneout[0])
        options = options._replace(zoneout=(kept,))
        output, final = self._recur(data, layout.batch_sizes, state_0, layer, reverse, options)
        return output, [final]
