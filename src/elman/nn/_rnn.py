"""The Elman network (Elman 1990, "Finding Structure in Time")."""

from typing import Any

from torch import Tensor

from .. import ops
from ..errors import UsageError
from ._base import SingleState, State


class RNN(SingleState):
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


SimpleRNN = RNN
