"""The Elman network (Elman 1990, "Finding Structure in Time")."""

from typing import Any, ClassVar, Unpack

import torch

from ..errors import UsageError
from ._regularised import LayerOptions
from ._states import SingleState

NONLINEARITIES = ("tanh", "relu")


def check_nonlinearity(given: str) -> str:
    """The name itself, if there is such a nonlinearity. Raises UsageError."""
    if given not in NONLINEARITIES:
        raise UsageError(f"Unknown nonlinearity '{given}'. Select from 'tanh' or 'relu'.")
    return given


class RNN(SingleState, torch.nn.RNNBase):
    """h_t = f(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), f = tanh or relu; arguments and parameters as `torch.nn.RNN`.

    Args:
        input_size, hidden_size, num_layers, nonlinearity, bias, batch_first, dropout, bidirectional: as in torch.nn.
        options: see `elman.nn.Recurrent`.
    """

    own_options: ClassVar[tuple[str, ...]] = ("nonlinearity",)
    nonlinearity: str = "tanh"

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
        **options: Unpack[LayerOptions],
    ) -> None:
        self.nonlinearity = check_nonlinearity(nonlinearity)
        arguments = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
        self._as_in_torch(f"RNN_{nonlinearity.upper()}", *arguments, device=device, dtype=dtype, options=options)

    @property
    def cell(self) -> str:  # type: ignore[override]
        return self.mode.lower()


SimpleRNN = RNN
