"""What all recurrent layers share: torch.nn's parameters, any form of input, stacks and directions."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .. import ops
from ..errors import ShapeError, UsageError
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

    @property
    def _directions(self) -> tuple[bool, ...]:
        """For each direction whether it is the reverse one."""
        return (False, True) if self.bidirectional else (False,)

    @property
    def _slots(self) -> int:
        """L * D, the number of states."""
        return self.num_layers * len(self._directions)

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
        names = tuple(name + suffix for name in Weights._fields)
        found = Weights(*map(self._parameters.get, names))  # type: ignore[arg-type]
        if found.weight_ih is not None and found.weight_hh is not None and (found.bias_hh is not None or not self.bias):
            return found
        # Parametrized or pruned: the weights are attributes, computed from parameters of other names.
        return Weights(*(getattr(self, name, None) for name in names))  # type: ignore[arg-type]

    def _initial_state(self, border: Border, hx: State | None) -> list[State]:
        """One state per layer and direction, rows in the ragged order."""
        if hx is None:
            return [tuple(border.data.new_zeros(border.batch, size) for size in self._state_sizes())] * self._slots
        self._check_state(hx, None if border.unbatched else border.batch)
        batched = [state.unsqueeze(1) if border.unbatched else state for state in hx]
        return list(zip(*(border.sort(state, 1).unbind(0) for state in batched), strict=True))

    def _check_state(self, hx: State, batch: int | None) -> None:
        """Raises ShapeError unless every state is [L * D, B, size]; without B if batch is None."""
        for position, (state, width) in enumerate(zip(hx, self._state_sizes(), strict=True)):
            wanted = (self._slots, width) if batch is None else (self._slots, batch, width)
            if state.shape != wanted:
                raise ShapeError(
                    f"Expected hidden[{position}] size {wanted} (layers * directions, batch, size), "
                    f"got {list(state.shape)}"
                )

    def _sequence(self, border: Border, hx: State | None) -> tuple[Tensor, State]:
        """All layers and directions: output [N, D * P] and final states [L * D, B, size], rows in the ragged order."""
        states = self._initial_state(border, hx)
        data = border.data
        finals: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for reverse in self._directions:
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
        if lengths is None and isinstance(input, Tensor) and input.dim() == 3 and self._is_small(input):
            return self._infer(input, hx)
        border = Border(input, lengths, self.batch_first, batched_dims=3)
        self._check_input(border.data)
        output, finals = self._sequence(border, hx)
        finals = tuple(border.unsort(final, 1) for final in finals)
        if border.unbatched:
            finals = tuple(final.squeeze(1) for final in finals)
        return border.leave(output), finals

    def _check_input(self, x: Tensor) -> None:
        if x.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )

    # --- inference where a call's own costs count -----------------------------------------------------------------

    def _is_small(self, x: Tensor) -> bool:
        return self._is_direct(x) and ops.kernels.is_small(x.numel(), self.hidden_size)

    def _is_direct(self, x: Tensor) -> bool:
        """Whether the kernels may be called without the operators, and nothing but them has to be computed."""
        return ops.is_direct(x) and not self.proj_size and not (self.dropout and self.training)

    def _infer(self, input: Tensor, hx: State | None) -> tuple[Tensor, State]:
        """As `_call` on a padded batch, without the operators and the ragged layout."""
        self._check_input(input)
        x = (input.transpose(0, 1) if self.batch_first else input).contiguous()
        steps, batch, _ = x.shape
        cell, states = self.mode.lower(), self._new_states(x, batch, hx)
        slot = 0
        for layer in range(self.num_layers):
            outputs = []
            for reverse in self._directions:
                output = x.new_empty(steps, batch, self.hidden_size)
                h, c = states[0][slot], states[1][slot] if len(states) > 1 else None
                ops.kernels.sequence(cell, x, h, c, self._weights(layer, reverse), reverse, output)
                outputs.append(output)
                slot += 1
            x = torch.cat(outputs, 2) if self.bidirectional else outputs[0]
        return x.transpose(0, 1) if self.batch_first else x, states

    def _new_states(self, x: Tensor, batch: int, hx: State | None) -> State:
        """States [L * D, B, H] that may be written to."""
        if hx is None:
            return tuple(x.new_zeros(self._slots, batch, size) for size in self._state_sizes())
        self._check_state(hx, batch)
        return tuple(state.clone(memory_format=torch.contiguous_format) for state in hx)

    def _step(self, x: Tensor, hx: State | None) -> tuple[Tensor, State]:
        if self.bidirectional:
            raise UsageError("a bidirectional layer reads a sequence from its end, so it has no single step")
        if x.dim() != 2:
            raise ShapeError(f"Expected x_t [B, {self.input_size}], got {tuple(x.shape)}")
        if not self._is_direct(x):
            sequence, state = self._call(x.unsqueeze(1 if self.batch_first else 0), hx, None)
            assert isinstance(sequence, Tensor)
            return sequence.squeeze(1 if self.batch_first else 0), state
        self._check_input(x)
        states = self._new_states(x, x.shape[0], hx)
        for layer in range(self.num_layers):
            h, c = states[0][layer], states[1][layer] if len(states) > 1 else None
            ops.kernels.step(self.mode.lower(), x, h, c, self._weights(layer, False))
            x = h
        return x, states


class SingleState(Recurrent):
    """What the layers share whose state is one tensor: `RNN` and `GRU`."""

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """
        Args:
            input: [T, B, I], [B, T, I] with batch_first, [T, I] unbatched, or a PackedSequence.
            hx: [L * D, B, H] initial state (unbatched [L * D, H]); zeros if not given.
            lengths: [B] real length of each row of a padded tensor, any order, zeros allowed.
        Returns:
            output in the form of the input, [.., D * H], zero beyond a row's length; h_n as hx.
        Raises:
            ShapeError: sizes that do not fit.
        """
        output, (h_n,) = self._call(input, None if hx is None else (hx,), lengths)
        return output, h_n

    def step(self, x_t: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One step of a stream, without the costs of a call over a sequence.

        Args:
            x_t: [B, I], the next element of each of B streams.
            hx: [L, B, H] state; zeros if not given.
        Returns:
            output [B, H] and the new state, which the next step takes.
        Raises:
            UsageError: the layer is bidirectional.
        """
        output, (h_n,) = self._step(x_t, None if hx is None else (hx,))
        return output, h_n
