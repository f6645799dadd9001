"""The Elman network (Elman 1990, "Finding Structure in Time")."""

from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .. import ops
from ..errors import UsageError
from ._base import Recurrent, State
from ._border import Lengths


class RNN(Recurrent):
    """h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), f = tanh or relu; arguments and parameters as `torch.nn.RNN`.

    Args:
        input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional: as in torch.nn.
    """

    nonlinearity: str

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise UsageError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self.nonlinearity = nonlinearity
        super().__init__(
            f"RNN_{nonlinearity.upper()}",
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
        output, h_n = ops.rnn(data, batch_sizes, state_0[0], weights, nonlinearity=self.nonlinearity, reverse=reverse)
        return output, (h_n,)

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


SimpleRNN = RNN
