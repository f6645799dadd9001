"""The specification: each cell as its formula, one file each, in plain loops over time.

Nothing here is fast and nothing calls a kernel. Other backends must agree with it to rounding. `recurrent` and the
classical `rnn`, `lstm` and `gru` are made of differentiable torch operations; the `*_backward` functions are
back-propagation through time written out (`time.py`), full and truncated, without autograd over time.

A state is a tuple of [B, H] tensors: (h,), or (h, c) for the LSTM kinds.
"""

from torch import Tensor

from ..options import Options
from ..weights import Weights
from . import coupled, gru_before, indrnn, layer_norm, leaky, min_gru, min_lstm, peephole, time
from . import gru as _gru
from . import lstm as _lstm
from . import rnn as _rnn
from .cell import Cell, State
from .time import Gradients

CELLS: dict[str, Cell] = {
    **_rnn.CELLS,
    **_lstm.CELLS,
    **_gru.CELLS,
    **leaky.CELLS,
    **indrnn.CELLS,
    **peephole.CELLS,
    **coupled.CELLS,
    **gru_before.CELLS,
    **min_gru.CELLS,
    **min_lstm.CELLS,
    **layer_norm.CELLS,
}


def recurrent(
    cell: str,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    *,
    reverse: bool = False,
    options: Options | None = None,
) -> tuple[Tensor, State]:
    """One layer in one direction over a ragged batch.

    Args:
        cell: a name in `CELLS`.
        data: [N, I] input, ragged layout.
        batch_sizes: [T] int64.
        state_0: [B, H] each, initial state, rows in sorted order.
        reverse: read each row from its end.
        options: of these `mask` and `zoneout`; what changes the gradient alone is in `recurrent_backward`.
    Returns:
        output [N, H] and the state after each row's last processed step.
    """
    output, state_n, _ = time.run(CELLS[cell], data, batch_sizes, state_0, weights, reverse, options)
    return output, state_n


def recurrent_backward(
    cell: str,
    doutput: Tensor,
    dstate_n: State,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    *,
    reverse: bool = False,
    options: Options | None = None,
) -> Gradients:
    """Gradients of `recurrent` by back-propagation through time; doutput [N, H], dstate_n as the state."""
    arguments = (doutput, dstate_n, data, batch_sizes, state_0, weights)
    return time.back_propagate(CELLS[cell], *arguments, reverse, options)[0]


def rnn(
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    weights: Weights,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """Elman network; `nonlinearity` tanh or relu. Returns output [N, H] and h_n [B, H]; the rest as `recurrent`."""
    output, (h_n,) = recurrent(f"rnn_{nonlinearity}", data, batch_sizes, (h_0,), weights, reverse=reverse)
    return output, h_n


def lstm(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, c_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """LSTM over a ragged batch; arguments as `rnn`, with c_0 [B, H]. Returns output [N, P], h_n [B, P], c_n [B, H]."""
    output, (h_n, c_n) = recurrent("lstm", data, batch_sizes, (h_0, c_0), weights, reverse=reverse)
    return output, h_n, c_n


def gru(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """GRU (reset after the product) over a ragged batch; arguments and results as `rnn`."""
    output, (h_n,) = recurrent("gru", data, batch_sizes, (h_0,), weights, reverse=reverse)
    return output, h_n


def rnn_backward(
    doutput: Tensor,
    dh_n: Tensor,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    weights: Weights,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    bptt_truncate: int | None = None,
) -> Gradients:
    """Gradients of `rnn` by back-propagation through time, by hand.

    Args:
        doutput: [N, H] gradient of each step's output.
        dh_n: [B, H] gradient of the final state.
        bptt_truncate: how many steps before its own each output's loss travels back; None for all, 0 for none.
    """
    arguments = (doutput, (dh_n,), data, batch_sizes, (h_0,), weights)
    return recurrent_backward(f"rnn_{nonlinearity}", *arguments, reverse=reverse, options=Options(bptt_truncate))


def lstm_backward(
    doutput: Tensor,
    dh_n: Tensor,
    dc_n: Tensor,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    c_0: Tensor,
    weights: Weights,
    *,
    reverse: bool = False,
    bptt_truncate: int | None = None,
) -> Gradients:
    """Gradients of `lstm`; arguments as `rnn_backward`, with dc_n [B, H]. The order of `dstate_0` is (dh_0, dc_0)."""
    arguments = (doutput, (dh_n, dc_n), data, batch_sizes, (h_0, c_0), weights)
    return recurrent_backward("lstm", *arguments, reverse=reverse, options=Options(bptt_truncate))


def gru_backward(
    doutput: Tensor,
    dh_n: Tensor,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    weights: Weights,
    *,
    reverse: bool = False,
    bptt_truncate: int | None = None,
) -> Gradients:
    """Gradients of `gru`; arguments as `rnn_backward`."""
    arguments = (doutput, (dh_n,), data, batch_sizes, (h_0,), weights)
    return recurrent_backward("gru", *arguments, reverse=reverse, options=Options(bptt_truncate))
