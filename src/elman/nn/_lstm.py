"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""

from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .. import ops
from ._base import Recurrent, State
from ._border import Lengths


class LSTM(Recurrent):
    """c_t = f c_(t-1) + i g, h_t = o tanh(c_t); gates stacked `i f g o`; arguments and parameters as `torch.nn.LSTM`.

    Args:
        proj_size: size P of the projected state (Sak et al. 2014); 0 for none, and then P = H.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )

    def _state_sizes(self) -> tuple[int, ...]:
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def _direction(
        self, data: Tensor, batch_sizes: Tensor, state_0: State, weights: ops.Weights, reverse: bool
    ) -> tuple[Tensor, State]:
        output, h_n, c_n = ops.lstm(data, batch_sizes, state_0[0], state_0[1], weights, reverse=reverse)
        return output, (h_n, c_n)

    def forward(
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """As `RNN.forward`, with hx = (h_0 [L * D, B, P], c_0 [L * D, B, H]) and (h_n, c_n) returned."""
        output, (h_n, c_n) = self._call(input, hx, lengths)
        return output, (h_n, c_n)

    def step(self, x_t: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One step of a stream, without the costs of a call over a sequence.

        Args:
            x_t: [B, I], the next element of each of B streams.
            hx: (h [L, B, H], c [L, B, H]) state; zeros if not given.
        Returns:
            output [B, H] and the new state, which the next step takes.
        Raises:
            UsageError: the layer is bidirectional.
        """
        output, (h_n, c_n) = self._step(x_t, hx)
        return output, (h_n, c_n)
