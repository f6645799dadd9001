"""Skips through time (Chang et al. 2017, "Dilated recurrent neural networks")."""

from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from ..ops import ragged
from ._base import Recurrent, State
from ._gru import GRU
from ._layout import RaggedLayout
from ._lstm import LSTM
from ._rnn import RNN


class _Dilated(Recurrent):
    """Layer l = 0, 1, .. reads the state of s = dilation * 2^l steps ago (eq. 2 and 5).

    A sequence with skip s is s sequences without, the steps t, t + s, t + 2s, .. of each, so this runs where the plain
    layer does. The state has a slot for each of the s newest steps of a layer and direction, the oldest first; all
    layers' slots together are `h_n` [D * (2^L - 1) * dilation, B, H]. A call that goes on from it equals one
    uninterrupted call. `bptt_truncate` counts a layer's own steps, s steps of the sequence each.

    Args:
        dilation: skip of the first layer.
    Raises:
        UsageError: a dilation below 1.
    """

    is_cell_alone = False
    dilation: int

    def __init__(self, *args: Any, dilation: int = 1, **kwargs: Any) -> None:
        if dilation < 1:
            raise UsageError(f"dilation must be at least 1, got {dilation}")
        self.dilation = dilation
        super().__init__(*args, **kwargs)

    def _share(self, layer: int) -> int:
        return int(self.dilation * 2**layer)

    def _direction(
        self, data: Tensor, layout: RaggedLayout, states: list[State], layer: int, reverse: bool
    ) -> tuple[Tensor, list[State]]:
        if len(states) == 1:
            return super()._direction(data, layout, states, layer, reverse)
        batch, skip = states[0][0].shape[0], len(states)
        parting = _Parting(layout.batch_sizes, batch, skip, reverse)
        order = parting.order.to(data.device)
        whole = (torch.cat(parts) for parts in zip(*states, strict=True))  # [s * B, size], slot after slot
        state_0 = tuple(state.index_select(0, order) for state in whole)
        parted = data.index_select(0, parting.elements.to(data.device))
        options = self._options(parted, state_0)
        if options.mask is not None:  # one mask for all steps of a text
            options = options._replace(mask=options.mask.index_select(0, order % max(1, batch)))
        output, final = self._recur(parted, parting.batch_sizes, state_0, layer, reverse, options)
        newest = parting.newest.to(data.device)
        slots = (state.index_select(0, newest).unflatten(0, (skip, batch)).unbind(0) for state in final)
        return output.index_select(0, parting.back.to(data.device)), list(zip(*slots, strict=True))


class DilatedRNN(_Dilated, RNN):
    own_options = (*RNN.own_options, "dilation")
    __doc__ = f"`RNN` with skips. {_Dilated.__doc__}"


class DilatedLSTM(_Dilated, LSTM):
    own_options = (*LSTM.own_options, "dilation")
    __doc__ = f"`LSTM` with skips. {_Dilated.__doc__}"


class DilatedGRU(_Dilated, GRU):
    own_options = (*GRU.own_options, "dilation")
    __doc__ = f"`GRU` with skips. {_Dilated.__doc__}"


class _Parting:
    """A ragged batch of B rows as one of s * B rows: row (j, b) is the steps j, j + s, .. of row b, as they are read.

    Attributes:
        batch_sizes: [T / s] of the parts.
        elements: [N] for each element of the parts the one of the whole; `back` is the inverse.
        order: [s * B] the row, as j * B + b, that stands at each sorted row of the parts.
        newest: [s * B] for each slot and b the sorted row of the parts whose final state it takes.
    """

    def __init__(self, batch_sizes: Tensor, batch: int, skip: int, reverse: bool) -> None:
        lengths = ragged.lengths_of(batch_sizes, batch)
        rows, read = ragged.read_order(batch_sizes, batch, reverse)
        first = torch.arange(skip, device=lengths.device)[:, None]
        parts = (lengths - first + skip - 1).div(skip, rounding_mode="floor").clamp(min=0).flatten()
        self.order, place = ragged.sort_by_length(parts)
        self.batch_sizes = ragged.batch_sizes_of(parts)
        part = (read % skip) * batch + rows
        step = read // skip
        step = parts[part] - 1 - step if reverse else step
        self.back = ragged.starts_of(self.batch_sizes)[step] + place[part]
        self.elements = torch.argsort(self.back)
        self.newest = place[((lengths + first) % skip) * batch + torch.arange(batch, device=lengths.device)].flatten()
