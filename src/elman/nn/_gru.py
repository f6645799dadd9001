"""The gated recurrent unit (Cho et al. 2014), reset gate after the product as in torch and cuDNN."""

from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .. import ops
from ._base import Recurrent, State
from ._border import Lengths


class GRU(Recurrent):
    """h_t = (1 - z) n + z h_(t-1); gates stacked `r z n`; arguments and parameters as `torch.nn.GRU`."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            "GRU",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )

    def _direction(
        self, data: Tensor, batch_sizes: Tensor, state_0: State, weights: ops.Weights, reverse: bool
    ) -> tuple[Tensor, State]:
        output, h_n = ops.gru(data, batch_sizes, state_0[0], weights, reverse=reverse)
        return output, (h_n,)

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Arguments, results and errors as `RNN.forward`."""
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
