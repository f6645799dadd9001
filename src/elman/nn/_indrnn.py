"""The independently recurrent network (Li et al. 2018)."""

from typing import Any

import torch

from ._draws import current_generator
from ._rnn import check_nonlinearity
from ._states import SingleState


class IndRNN(SingleState):
    """h_t = f(W_ih x_t + b_ih + u h_(t-1)): a unit sees of the past itself alone (eq. 2). u is `recurrent_l0` [1, H].

    u starts at U(0, 1): between forgetting at once and never. `init="recurrent_range"` fits it to `memory` steps.

    Args:
        nonlinearity: relu, with which states neither saturate nor need to shrink, or tanh.
        others: as `elman.nn.Recurrent`.
    """

    own_options = ("nonlinearity",)
    vectors = "recurrent"

    def __init__(
        self, input_size: int, hidden_size: int, *args: Any, nonlinearity: str = "relu", **kwargs: Any
    ) -> None:
        self.nonlinearity = check_nonlinearity(nonlinearity)
        super().__init__(input_size, hidden_size, *args, **kwargs)

    @property
    def cell(self) -> str:  # type: ignore[override]
        return f"indrnn_{self.nonlinearity}"

    def _reset_own(self) -> None:
        for weight in self.parameters_named("recurrent"):
            torch.nn.init.uniform_(weight.detach(), 0.0, 1.0, generator=current_generator())
