"""The compiled kernels on tensors: one layer in one direction, forward, backward and a single step; no autograd here.

What is parallel in time (the input's projection, the weights' gradients) is a matrix product and goes to torch's BLAS;
the recurrence is `_kernels`, written in cpp/. `_kernels` sees only addresses, so every size and type is checked here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ShapeError, UsageError
from . import _kernels
from ._run import CELLS, DTYPES, GATES, NUMBER, Run, WeightGradients, address, kernel
from .weights import Weights


class Result(NamedTuple):
    """What one layer computes; a tensor that the cell does not have is empty."""

    output: Tensor  # [N, H]
    h_n: Tensor  # [B, H]
    c_n: Tensor  # [B, H] LSTM
    gates: Tensor  # [N, G*H] reserve: gates after their nonlinearity
    inner: Tensor  # [N, H] reserve: c of the LSTM, W_hn h + b_hn of the GRU


class Gradients(NamedTuple):
    """Gradients of one layer; a tensor that was not asked for or that the cell does not have is empty."""

    ddata: Tensor  # [N, I]
    dh_0: Tensor  # [B, H]
    dc_0: Tensor  # [B, H] LSTM
    dweight_ih: Tensor  # [G*H, I]
    dweight_hh: Tensor  # [G*H, H]
    dbias_ih: Tensor  # [G*H]
    dbias_hh: Tensor  # [G*H]


def tier() -> str:
    """Instruction set in use: the fastest that processor and system allow, or the one chosen by `use_tier`."""
    return str(_kernels.tier())


def supported_tiers() -> list[str]:
    """Instruction sets that run here, slowest first: of scalar, avx2, avx512."""
    return list(_kernels.supported_tiers())


@contextmanager
def use_tier(name: str) -> Iterator[None]:
    """Run the enclosed code on another instruction set: `with use_tier("scalar"): model(x)`.

    Holds for all threads, and is not for a moment when another one computes.
    """
    before = tier()
    if not _kernels.choose_tier(name):
        raise UsageError(f"unknown tier {name!r}: this machine runs {', '.join(supported_tiers())}")
    try:
        yield
    finally:
        _kernels.choose_tier(before)


def idle_memory() -> int:
    """Bytes of large blocks that are kept for the next call, at most 512 MiB."""
    return int(_kernels.idle_block_bytes())


def free_memory() -> None:
    """Gives the kept blocks back to the system."""
    _kernels.free_idle_blocks()


def has_reserve(cell: str) -> bool:
    """Whether the backward pass needs more than the output."""
    return GATES[cell] > 1


def forward(
    cell: str,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    c_0: Tensor | None,
    weights: Weights,
    reverse: bool,
    keep: bool,
) -> Result:
    """Runs one layer in one direction.

    Args:
        cell: one of `CELLS`.
        data, batch_sizes, h_0, c_0, reverse: as in `elman.ops.reference`.
        keep: write the reserve that `backward` needs.
    """
    data, weights = data.contiguous(), _contiguous(weights)
    _check(cell, data, h_0, c_0, weights)
    run = Run(cell, data, batch_sizes, h_0, reverse)
    panels = run.packed("pack_forward", weights.weight_hh, weights.bias_ih, weights.bias_hh)
    h, c = _state(h_0), None if c_0 is None else _state(c_0)
    keep = keep and has_reserve(cell)
    output = run.new(run.elements, run.hidden)
    inner = run.new(run.elements, run.hidden) if keep else None
    kept = run.new(run.elements, run.stacked) if keep else None
    weight_ih = weights.weight_ih.t()
    for piece in run.pieces(backwards=reverse):
        gates = piece.of(kept) if kept is not None else run.scratch(piece, run.stacked)
        torch.mm(piece.of(data), weight_ih, out=gates)
        run.call("forward", piece, panels, gates, inner, output, h, c)
    return Result(output, h, _or_empty(c, h), _or_empty(kept, h), _or_empty(inner, h))


def backward(
    cell: str,
    needs: tuple[bool, bool],
    doutput: Tensor | None,
    dh_n: Tensor | None,
    dc_n: Tensor | None,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    c_0: Tensor | None,
    weights: Weights,
    result: Result,
    reverse: bool,
) -> Gradients:
    """Back-propagation through time over the reserve of `forward`.

    Args:
        needs: whether the gradient of `data` and those of the weights are wanted.
        doutput, dh_n, dc_n: gradients of output, h_n and c_n; None for zero.
    """
    data, h_0, weights = data.contiguous(), h_0.contiguous(), _contiguous(weights)
    c_0, doutput = (None if t is None else t.contiguous() for t in (c_0, doutput))
    _check(cell, data, h_0, c_0, weights)
    run = Run(cell, data, batch_sizes, h_0, reverse)
    panels = run.packed("pack_backward", weights.weight_hh)
    dh = torch.zeros_like(h_0) if dh_n is None else _state(dh_n)
    dc = None if c_0 is None else torch.zeros_like(c_0) if dc_n is None else _state(dc_n)
    gates, inner = (result.gates, result.inner) if has_reserve(cell) else (None, None)
    of_data, of_weights = needs
    ddata = run.new(*data.shape) if of_data else None
    total = WeightGradients(run, weights) if of_weights else None
    for piece in run.pieces(backwards=not reverse):
        dgates = run.scratch(piece, run.stacked)
        dinner = run.scratch(piece, run.hidden) if cell == "gru" else None
        run.call("backward", piece, panels, h_0, c_0, result.output, gates, inner, doutput, dgates, dinner, dh, dc)
        if ddata is not None:
            torch.mm(dgates, weights.weight_ih, out=piece.of(ddata))
        if total is not None:
            total.add(dgates, dinner, piece.of(data), run.before(piece, result.output, h_0))
    dweights = total.finished() if total is not None else (None,) * 4
    return Gradients(*(_or_empty(d, h_0) for d in (ddata, dh, dc, *dweights)))


# Above, the packing and the loops of `forward` are small beside the work, and the BLAS is faster at the projection.
_SMALL_PRODUCTS = 1 << 23


def is_small(input_elements: int, hidden_size: int) -> bool:
    """Whether `sequence` is the faster way, for an input of T * B * I elements."""
    return input_elements * hidden_size <= _SMALL_PRODUCTS


def sequence(
    cell: str, x: Tensor, h: Tensor, c: Tensor | None, weights: Weights, reverse: bool, output: Tensor
) -> None:
    """Inference over a small batch without padding, in one call of the kernels, the projection included.

    Args:
        x: [T, B, I], contiguous.
        h, c: [B, H], contiguous; the state, replaced by the final one.
        output: [T, B, H], contiguous, is written.
    """
    _check(cell, x, h, c, weights)
    addresses = map(address, (x, *_contiguous(weights)[:4], output, h, c))
    kernel("sequence", x.dtype)(NUMBER[cell], torch.get_num_threads(), *x.shape, h.shape[1], reverse, *addresses)


def step(cell: str, x: Tensor, h: Tensor, c: Tensor | None, weights: Weights) -> None:
    """One step of time without gradient or preparation: the weights are read where they are.

    Args:
        x: [B, I].
        h, c: [B, H], contiguous; the state, replaced by the new one.
    """
    x = x.contiguous()
    _check(cell, x, h, c, weights)
    addresses = map(address, (x, *_contiguous(weights)[:4], h, c))
    kernel("step", x.dtype)(NUMBER[cell], torch.get_num_threads(), *x.shape, h.shape[1], *addresses)


def _state(tensor: Tensor) -> Tensor:
    """A copy that the kernels may write to."""
    return tensor.clone(memory_format=torch.contiguous_format)


def _or_empty(tensor: Tensor | None, like: Tensor) -> Tensor:
    """An operator returns tensors: one that is not there is empty."""
    return like.new_empty(0) if tensor is None else tensor


def _contiguous(weights: Weights) -> Weights:
    if all(w is None or w.is_contiguous() for w in weights):
        return weights
    return Weights(*(None if w is None else w.contiguous() for w in weights))  # type: ignore[arg-type]


def _check(cell: str, data: Tensor, h: Tensor, c: Tensor | None, weights: Weights) -> None:
    """Raises unless data [.., I], the state [B, H] and the weights fit each other: the kernels see addresses only."""
    if cell not in GATES:
        raise UsageError(f"unknown cell {cell!r}: the kernels have {', '.join(CELLS)}")
    batch, hidden = h.shape
    stacked = GATES[cell] * hidden
    dtype = data.dtype
    if dtype not in DTYPES or not data.is_cpu:
        raise ShapeError(f"the kernels compute in float32 or float64 on the CPU, got {dtype} on {data.device}")
    sizes = ((stacked, data.shape[-1]), (stacked, hidden), (stacked,), (stacked,), (batch, hidden), (batch, hidden))
    for place, tensor in enumerate((*weights[:4], c, h)):
        if tensor is not None and (tensor.shape != sizes[place] or tensor.dtype is not dtype or not tensor.is_cpu):
            raise ShapeError(
                f"Expected {(*Weights._fields[:4], 'c', 'h')[place]} of size {sizes[place]} in the input's type "
                f"{dtype} on {data.device}; got {tuple(tensor.shape)}, {tensor.dtype} on {tensor.device}"
            )
    if cell == "lstm" and c is None:
        raise ShapeError("an LSTM needs its cell state c")
