"""Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000)."""

from typing import Any, ClassVar, Unpack

import torch

from ._arguments import check_arguments, check_projection
from ._regularised import LayerOptions
from ._states import DoubleState


class LSTM(DoubleState, torch.nn.RNNBase):
    """c_t = f c_(t-1) + i g, h_t = o tanh(c_t); gates stacked `i f g o`; arguments and parameters as `torch.nn.LSTM`.

    Args:
        proj_size: size P of the projected state (Sak et al. 2014); 0 for none, and then P = H.
        options: see `elman.nn.Recurrent`.
    """

    cell = "lstm"
    gates, keep_gates, write_gates = "ifgo", "f", "i"
    own_options: ClassVar[tuple[str, ...]] = ("proj_size",)

    # Nothing here calls them; models that were written for torch.nn.LSTM may.
    check_forward_args = torch.nn.LSTM.check_forward_args  # type: ignore[assignment]
    get_expected_cell_size = torch.nn.LSTM.get_expected_cell_size
    permute_hidden = torch.nn.LSTM.permute_hidden  # type: ignore[assignment]

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
        **options: Unpack[LayerOptions],
    ) -> None:
        check_arguments(input_size, hidden_size, num_layers, bias, batch_first, dropout)
        check_projection(proj_size, hidden_size)
        arguments = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size)
        self._as_in_torch("LSTM", *arguments, device=device, dtype=dtype, options=options)
