"""Regularisation inside the recurrence, and how far and how large its gradient travels: arguments of every layer."""

from typing import TypedDict

import torch
from torch import Tensor

from .. import ops
from ..errors import UsageError
from ..ops import ragged
from ._draws import current_generator, dropout

_RATES = ("input_dropout", "recurrent_dropout", "zoneout", "zoneout_cell", "weight_drop")


class LayerOptions(TypedDict, total=False):
    """What every recurrent layer takes by name beside torch.nn's arguments: see `Regularised` and `Recurrent`."""

    input_dropout: float
    recurrent_dropout: float
    zoneout: float
    zoneout_cell: float
    weight_drop: float
    bptt_truncate: int | None
    clip_recurrent: float
    information_flow: float
    learn_state: bool
    init: str
    memory: int
    forget_bias: float | None


class Regularised(torch.nn.Module):
    """Attributes of a recurrent layer that are read at every call; each may be set at any time.

    Dropout, zoneout's draws, weight drop and the information-flow term act in training only; truncation and clipping
    wherever a gradient is taken.

    Attributes:
        input_dropout: rate on the features of each layer's input, one mask for all steps of a text (Gal & Ghahramani
            2016, eq. 7).
        recurrent_dropout: the same on the state before it enters the recurrent product.
        zoneout: share of the units whose h keeps its old value at a step; in evaluation all keep that share of it
            (Krueger et al. 2017, eq. 4).
        zoneout_cell: the same for the LSTM's c.
        weight_drop: rate on the elements of weight_hh, one mask for a call (Merity et al. 2018, section 2).
        bptt_truncate: how many steps before its own the loss of an output travels back; None for all.
        clip_recurrent: largest absolute element of the gradient that is handed one step back to h; 0 for no limit.
        information_flow: weight of the regulariser Omega (Pascanu, Mikolov & Bengio 2013, eq. 9), whose derivative is
            added to the gradient of weight_hh; 0 for none.
    """

    input_dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    zoneout_cell: float = 0.0
    weight_drop: float = 0.0
    bptt_truncate: int | None = None
    clip_recurrent: float = 0.0
    information_flow: float = 0.0

    cell: str

    def _check_regularisation(self) -> None:
        """Raises UsageError for a value outside its bounds, or one that the cell has no use for."""
        for name in _RATES:
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 0 and below 1, got {getattr(self, name):g}")
        for name in ("clip_recurrent", "information_flow"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} must be at least 0, got {getattr(self, name):g}")
        check_truncation(self.bptt_truncate)
        for name in ("bptt_truncate", "clip_recurrent"):
            if self.information_flow and getattr(self, name):
                raise UsageError(f"information_flow follows the whole gradient: it does not go with {name}")
        cell = ops.CELLS[self.cell]
        self._only_if(cell.states > 1, "zoneout_cell", "cells with a state c")
        self._only_if(cell.product, "weight_drop", "cells with a recurrent matrix")
        self._only_if(cell.product or cell.vectors > 0, "recurrent_dropout", "cells whose state enters a product")
        self._only_if(self.cell in ops.CLASSICAL, "information_flow", "cells of rnn, lstm or gru")

    def _only_if(self, fits: bool, name: str, wanted: str) -> None:
        if getattr(self, name) and not fits:
            raise UsageError(
                f"{name} is for {wanted}, got {getattr(self, name):g} for {type(self).__name__}; set it to 0"
            )

    @property
    def _is_plain(self) -> bool:
        """Whether a call that takes no gradient computes the cell's formulas and nothing else."""
        masks = self.training and (self.input_dropout or self.recurrent_dropout or self.weight_drop)
        return not (masks or self.zoneout or self.zoneout_cell)

    def _options(self, data: Tensor, state_0: tuple[Tensor, ...]) -> ops.Options:
        """For one layer in one direction, with masks newly drawn."""
        by_hand = torch.is_grad_enabled()
        return ops.Options(
            bptt_truncate=self.bptt_truncate if by_hand else None,
            mask=self._recurrent_mask(state_0[0]),
            zoneout=self._kept(data, state_0),
            clip=self.clip_recurrent if by_hand else 0.0,
            flow=self.information_flow if by_hand and self.training else 0.0,
        )

    def _recurrent_mask(self, h_0: Tensor) -> Tensor | None:
        """[B, P]"""
        rate = self.recurrent_dropout if self.training else 0.0
        return dropout(torch.ones_like(h_0), rate) if rate else None

    def _kept(self, data: Tensor, state_0: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """For each state the share [N, H] of the old value that a unit keeps."""
        if not (self.zoneout or self.zoneout_cell):
            return None
        kept = [data.new_empty(data.shape[0], state.shape[1]) for state in state_0]
        pairs = zip(kept, (self.zoneout, self.zoneout_cell), strict=False)
        if not self.training:
            return tuple(share.fill_(rate) for share, rate in pairs)
        generator = current_generator()
        return tuple(share.bernoulli_(rate, generator=generator) for share, rate in pairs)

    def _dropped_input(self, data: Tensor, batch_sizes: Tensor, batch: int) -> Tensor:
        """Data [N, I] times one mask for every row."""
        if not (self.training and self.input_dropout):
            return data
        return dropout_by_row(data, batch_sizes, batch, self.input_dropout)

    def _dropped_weights(self, weights: ops.Weights) -> ops.Weights:
        if not (self.training and self.weight_drop):
            return weights
        assert weights.weight_hh is not None
        return weights._replace(weight_hh=dropout(weights.weight_hh, self.weight_drop))


def check_truncation(steps: int | None) -> None:
    """Raises UsageError unless this may be a layer's `bptt_truncate`."""
    if steps is None:
        return
    if not isinstance(steps, int):
        raise UsageError(f"bptt_truncate must be a whole number, got {steps}")
    if not 1 <= steps < 2**31:
        raise UsageError(f"bptt_truncate must be at least 1, or None for no truncation, got {steps}")


def dropout_by_row(data: Tensor, batch_sizes: Tensor, batch: int, rate: float) -> Tensor:
    """Data [N, F] with features dropped, the same ones at every step of a row (Gal & Ghahramani 2016, eq. 7)."""
    mask = dropout(data.new_ones(batch, data.shape[1]), rate)
    rows, _ = ragged.rows_and_steps(batch_sizes)
    return data * mask[rows.to(data.device)]
