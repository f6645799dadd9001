"""What all recurrent layers share: torch.nn's parameters, any form of input, stacks and directions."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import ShapeError
from ..ops import Weights
from ._border import Border, Lengths

State = tuple[Tensor, ...]


class Recurrent(torch.nn.RNNBase):
    """Base of `RNN`, `LSTM` and `GRU`.

    Parameters, their names, order and initial values are those of `torch.nn.RNNBase`, so checkpoints move both ways by
    `load_state_dict`. Subclasses say how one layer in one direction is computed (`_direction`).
    """

    def __init__(self, mode: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(mode, *args, **kwargs)

    def flatten_parameters(self) -> None:
        """Nothing to do: the layers read their weights where they are."""

    def _state_sizes(self) -> tuple[int, ...]:
        """Width of each state tensor: (P,) or, for the LSTM, (P, H)."""
        return (self.proj_size or self.hidden_size,)

    def _direction(
        self, data: Tensor, batch_sizes: Tensor, state_0: State, weights: Weights, reverse: bool
    ) -> tuple[Tensor, State]:
        """One layer, one direction: output [N, P] and the final state."""
        raise NotImplementedError

    def _weights(self, layer: int, reverse: bool) -> Weights:
        suffix = f"_l{layer}_reverse" if reverse else f"_l{layer}"
        return Weights(*(getattr(self, name + suffix, None) for name in Weights._fields))  # type: ignore[arg-type]

    def _initial_state(self, border: Border, hx: State | None) -> list[State]:
        """One state per layer and direction, rows in the ragged order."""
        slots = self.num_layers * (2 if self.bidirectional else 1)
        unbatched = border.unbatched
        if hx is None:
            return [tuple(border.data.new_zeros(border.batch, size) for size in self._state_sizes())] * slots
        for position, (state, width) in enumerate(zip(hx, self._state_sizes(), strict=True)):
            wanted = (slots, width) if unbatched else (slots, border.batch, width)
            if tuple(state.shape) != wanted:
                raise ShapeError(
                    f"Expected hidden[{position}] size {wanted} (layers * directions, batch, size), "
                    f"got {list(state.shape)}"
                )
        batched = [state.unsqueeze(1) if unbatched else state for state in hx]
        return list(zip(*(border.sort(state, 1).unbind(0) for state in batched), strict=True))

    def _sequence(self, border: Border, hx: State | None) -> tuple[Tensor, State]:
        """All layers and directions: output [N, D * P] and final states [L * D, B, size], rows in the ragged order."""
        states = self._initial_state(border, hx)
        data = border.data
        finals: list[State] = []
        directions = (False, True) if self.bidirectional else (False,)
        for layer in range(self.num_layers):
            outputs = []
            for reverse in directions:
                output, final = self._direction(
                    data, border.batch_sizes, states[len(finals)], self._weights(layer, reverse), reverse
                )
                outputs.append(output)
                finals.append(final)
            data = torch.cat(outputs, 1) if self.bidirectional else outputs[0]
            if self.dropout and layer + 1 < self.num_layers:
                data = torch.nn.functional.dropout(data, self.dropout, self.training)
        return data, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))

    def _call(
        self, input: Tensor | PackedSequence, hx: State | None, lengths: Lengths
    ) -> tuple[Tensor | PackedSequence, State]:
        border = Border(input, lengths, self.batch_first, batched_dims=3)
        if border.data.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {border.data.shape[-1]}"
            )
        output, finals = self._sequence(border, hx)
        finals = tuple(border.unsort(final, 1) for final in finals)
        if border.unbatched:
            finals = tuple(final.squeeze(1) for final in finals)
        return border.leave(output), finals
