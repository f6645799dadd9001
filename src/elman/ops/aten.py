"""The cells on torch's own operators (oneDNN on the CPU for LSTM, cuDNN on a GPU).

torch's packed path runs step by step, several times slower than its padded one, so ragged batches are spread out
right padded, run, and gathered back. Padding never reaches a result: rows are independent, the reverse direction reads
each row from its own end, and an LSTM's cell state is held still over padding (see `_hold`).
"""

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from . import ragged
from .options import Options
from .weights import Weights

# Pre-activation that makes a float32 or float64 sigmoid exactly 0 or 1 yet stays finite in float16.
_CLOSED = 1e4


CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru")


def covers(cell: str, options: Options) -> bool:
    """Whether torch has this: a classical cell without anything inside its recurrence."""
    return cell in CELLS and options.plain


def recurrent(
    cell: str,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: tuple[Tensor, ...],
    weights: Weights,
    *,
    reverse: bool = False,
    options: Options | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """See `elman.ops.reference.recurrent`; `options` are plain."""
    if batch_sizes.numel() == 0:
        none = torch.mm(data, weights.weight_ih.t())  # known to autograd, as a result of some elements is
        return none[:, : state_0[0].shape[1]], state_0
    if cell == "lstm":
        return _lstm(data, batch_sizes, state_0[0], state_0[1], weights, reverse)
    x, _ = _spread(data, batch_sizes, state_0[0].shape[0], reverse)
    out, _ = getattr(torch._VF, cell)(x, state_0[0][None].contiguous(), _given(weights), *_flags(weights))
    output, h_n = _gather(out, data.shape[0], batch_sizes, state_0[0], reverse)
    return output, (h_n,)


def _lstm(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, c_0: Tensor, weights: Weights, reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    x, padding = _spread(data, batch_sizes, h_0.shape[0], reverse)
    if padding is not None:
        x, weights = _hold(x, padding, weights)
    states = (h_0[None].contiguous(), c_0[None].contiguous())
    with _quiet():
        out, _, c_n = torch._VF.lstm(x, states, _given(weights), *_flags(weights))
    output, h_n = _gather(out, data.shape[0], batch_sizes, h_0, reverse)
    return output, (h_n, c_n[0])


def _quiet() -> AbstractContextManager[object]:
    """Without torch's warning that oneDNN has no projections; a compiler cannot follow a filter, and does not warn."""
    return nullcontext() if torch.compiler.is_compiling() else _filtered()


@contextmanager
def _filtered() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
        yield


def _given(weights: Weights) -> list[Tensor]:
    return [w for w in weights if w is not None]


def _flags(weights: Weights) -> tuple[bool, int, float, bool, bool, bool]:
    """has_biases, num_layers, dropout, train, bidirectional, batch_first."""
    return weights.bias_ih is not None, 1, 0.0, torch.is_grad_enabled(), False, False


def _is_uniform(elements: int, batch_sizes: Tensor, batch: int) -> bool:
    """Whether every row has every step: by sizes alone, which a compiler knows."""
    return elements == batch_sizes.numel() * batch


def _spread(data: Tensor, batch_sizes: Tensor, batch: int, reverse: bool) -> tuple[Tensor, Tensor | None]:
    """Ragged [N, I] to padded [T, B, I] in the order of processing, and where the padding is (None: nowhere)."""
    if _is_uniform(data.shape[0], batch_sizes, batch):
        x = data.view(batch_sizes.numel(), batch, -1)
        return (x.flip(0) if reverse else x), None
    index, padding = (i.to(data.device) for i in ragged.padded_index(batch_sizes, batch, reverse))
    x = data.index_select(0, index.flatten()).view(*index.shape, -1)
    return x.masked_fill(padding[..., None], 0), padding


def _gather(out: Tensor, elements: int, batch_sizes: Tensor, h_0: Tensor, reverse: bool) -> tuple[Tensor, Tensor]:
    """Padded [T, B, H] in the order of processing to ragged [N, H], and each row's last state [B, H]."""
    batch = h_0.shape[0]
    if _is_uniform(elements, batch_sizes, batch):
        return (out.flip(0) if reverse else out).flatten(0, 1), out[-1]
    output = out.flatten(0, 1).index_select(0, ragged.packed_index(batch_sizes, batch, reverse).to(out.device))
    lengths = ragged.lengths_of(batch_sizes, batch).to(out.device)
    last = out[(lengths - 1).clamp(min=0), torch.arange(batch, device=out.device)]
    return output, torch.where(lengths[:, None] > 0, last, h_0)


def _hold(x: Tensor, padding: Tensor, weights: Weights) -> tuple[Tensor, Weights]:
    """One more input that is 1 on padding; there it shuts the input gate and opens the forget gate, so c stays."""
    hidden = weights.weight_ih.shape[0] // 4
    column = weights.weight_ih.new_zeros(4 * hidden, 1)
    column[:hidden] = -_CLOSED
    column[hidden : 2 * hidden] = _CLOSED
    x = torch.cat([x, padding[..., None].to(x.dtype)], dim=2)
    return x, weights._replace(weight_ih=torch.cat([weights.weight_ih, column], dim=1))
