"""The gated recurrent unit (Cho et al. 2014), reset gate after the product as in torch and cuDNN."""

from typing import Any

from torch import Tensor

from .. import ops
from ._base import SingleState, State


class GRU(SingleState):
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
