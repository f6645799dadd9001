"""The gated recurrent unit (Cho et al. 2014), reset gate after the product as in torch and cuDNN."""

from typing import Any, Unpack

import torch

from ._regularised import LayerOptions
from ._states import SingleState


class GRU(SingleState, torch.nn.RNNBase):
    """h_t = (1 - z) n + z h_(t-1); gates stacked `r z n`; arguments and parameters as `torch.nn.GRU`.

    Args:
        options: see `elman.nn.Recurrent`.
    """

    cell = "gru"
    gates, keep_gates = "rzn", "z"

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
        **options: Unpack[LayerOptions],
    ) -> None:
        arguments = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self._as_in_torch("GRU", *arguments, device=device, dtype=dtype, options=options)
