"""The compiled kernels on tensors: one layer in one direction, forward, backward and a single step; no autograd here.

What is parallel in time (the input's projection, the weights' gradients) is a matrix product, `gemm.matmul`; the
recurrence is one call. `_kernels`, written in cpp/, sees only addresses, so every size and type is checked here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ShapeError, UsageError
from . import _kernels, _truncated
from ._addresses import DTYPES, address, kernel
from ._flow import information_flow
from ._normalised import gathered, scattered
from ._run import KERNELS, NUMBER, Run, WeightGradients
from .gemm import matmul
from .options import Options
from .reference import CELLS as SPECIFICATIONS
from .reference import check_parts
from .weights import Weights, other_type


class Result(NamedTuple):
    """What one layer computes; a tensor that the cell does not have is empty."""

    output: Tensor  # [N, H]
    h_n: Tensor  # [B, H]
    c_n: Tensor  # [B, H] LSTM kinds
    gates: Tensor  # [N, G*H] reserve: gates after their nonlinearity
    inner: Tensor  # [N, K] reserve: c of the LSTM kinds, W_hn h + b_hn of the GRU, .. (cpp/include/elman/recurrent.h)


class Gradients(NamedTuple):
    """Gradients of one layer; a tensor that was not asked for or that the cell does not have is empty."""

    ddata: Tensor  # [N, I]
    dh_0: Tensor  # [B, H]
    dc_0: Tensor  # [B, H] LSTM kinds
    dweight_ih: Tensor  # [G*H, I]
    dweight_hh: Tensor  # [G*H, H]
    dbias_ih: Tensor  # [G*H]
    dbias_hh: Tensor  # [G*H]
    dvectors: Tensor  # [U, H]
    dnorm_gates: Tensor  # [2, G*H]
    dnorm_cell: Tensor  # [2, H]
    norms: Tensor  # [N, 3] of dL/dh, dL/dc and the gradient of the gates, if they were recorded
    omega: Tensor  # the information-flow regulariser before its weight, if there was one


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


def has(cell: str) -> bool:
    """Whether there is a kernel for this cell."""
    return cell in KERNELS


def inner_width(cell: str, hidden: int) -> int:
    """K, numbers of `Result.inner` for an element: H; of normalised cells also what was normalised, and four scales."""
    known = SPECIFICATIONS[cell]
    return (2 * known.gates + known.states) * hidden + 4 if known.normalised else hidden


def forward(
    cell: str,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    c_0: Tensor | None,
    weights: Weights,
    reverse: bool,
    keep: bool,
    options: Options | None = None,
) -> Result:
    """Runs one layer in one direction.

    Args:
        cell: one that `has` a kernel.
        data, batch_sizes, h_0, c_0, reverse: as in `elman.ops.reference`.
        weights: of the cell, without a projection.
        keep: write the reserve that `backward` needs.
        options: of these `mask` and `zoneout`.
    Raises:
        UsageError: a cell without a kernel, or zoneout where its kernel has none.
        ShapeError: sizes, types or devices that do not fit.
    """
    data, weights = data.contiguous(), _contiguous(weights)
    check(cell, data, h_0, c_0, weights)
    weights = gathered(weights)
    inside = _inside(cell, weights, options or Options(), data, h_0)
    run = Run(cell, data, batch_sizes, h_0, reverse)
    panels = run.packed("pack_forward", weights.weight_hh, weights.bias_ih, weights.bias_hh)
    h, c = _state(h_0), None if c_0 is None else _state(c_0)
    keep = keep and KERNELS[cell].reserve
    output = run.new(run.elements, run.hidden)
    inner = run.new(run.elements, inner_width(cell, run.hidden)) if keep and KERNELS[cell].inner else None
    kept = run.new(run.elements, run.stacked) if keep else None
    weight_ih = weights.weight_ih.t()
    for piece in run.pieces(backwards=reverse):
        gates = piece.of(kept) if kept is not None else run.scratch(piece, run.stacked)
        matmul(piece.of(data), weight_ih, gates)
        run.call("forward", piece, panels, gates, inner, output, h, c, *inside, last=keep)
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
    options: Options | None = None,
    record: bool = False,
) -> Gradients:
    """Back-propagation through time over the reserve of `forward`.

    Args:
        needs: whether the gradient of `data` and those of the weights are wanted.
        doutput, dh_n, dc_n: gradients of output, h_n and c_n; None for zero.
        data, batch_sizes, h_0, c_0, weights, reverse: of the call of `forward`.
        result: what it returned, with the reserve.
        options: those of the call, with what changes the gradient.
        record: fill `Gradients.norms`.
    Raises:
        UsageError, ShapeError: as `forward`.
    """
    options = options or Options()
    data, weights = data.contiguous(), _contiguous(weights)
    check(cell, data, h_0, c_0, weights)
    h_0, c_0 = h_0.contiguous(), None if c_0 is None else c_0.contiguous()
    given, weights = weights, gathered(weights)
    inside = _inside(cell, weights, options, data, h_0)
    elements, hidden = data.shape[0], h_0.shape[1]
    output = _operand("output", result.output, (elements, hidden), data)
    gates = inner = None
    if KERNELS[cell].reserve:
        gates = _operand("gates", result.gates, (elements, SPECIFICATIONS[cell].gates * hidden), data)
    if KERNELS[cell].inner:
        inner = _operand("inner", result.inner, (elements, inner_width(cell, hidden)), data)
    doutput = None if doutput is None else _operand("doutput", doutput, (elements, hidden), data)
    dh_n = None if dh_n is None else _operand("dh_n", dh_n, tuple(h_0.shape), data)
    dc_n = None if dc_n is None else _operand("dc_n", dc_n, tuple(h_0.shape), data)
    if options.bptt_truncate is not None:
        states, finals = ((h_0,), (dh_n,)) if c_0 is None else ((h_0, c_0), (dh_n, dc_n))
        reserve = (output, gates, inner)
        truncated = _truncated.backward(
            cell, needs, doutput, finals, data, batch_sizes, states, weights, reserve, reverse, options, inside, record
        )
        return _gradients(truncated, given, h_0)
    run = Run(cell, data, batch_sizes, h_0, reverse)
    panels = run.packed("pack_backward", weights.weight_hh)
    dh = torch.zeros_like(h_0) if dh_n is None else _state(dh_n)
    dc = None if c_0 is None else torch.zeros_like(c_0) if dc_n is None else _state(dc_n)
    of_data, of_weights = needs
    ddata = run.new(*data.shape) if of_data else None
    total = WeightGradients(run, weights) if of_weights else None
    vectors = weights.vectors
    dvectors = None if vectors is None else vectors.new_zeros(run.batch, *vectors.shape)
    norms = data.new_empty(run.elements, 3) if record else None
    arrived = [run.new(run.elements, run.hidden) if options.flow and has else None for has in (True, c_0 is not None)]
    watched, omega = (dvectors, norms, *arrived), None
    for piece in [run.whole()] if options.flow else run.pieces(backwards=not reverse):
        dgates = run.scratch(piece, run.stacked)
        dinner = run.scratch(piece, run.apart) if run.apart else None
        state = (h_0, c_0, output, gates, inner, doutput, dgates, dinner, dh, dc)
        run.call("backward", piece, panels, *state, *inside, *watched, last=options.clip)
        if ddata is not None:
            matmul(dgates, weights.weight_ih, piece.of(ddata))
        if total is not None:
            entered = run.entering(piece, output, h_0, options.mask) if total.product else []
            reset = piece.of(gates)[:, : run.hidden] if gates is not None and KERNELS[cell].resets else None
            total.add(dgates, dinner, piece.of(data), entered, reset)
        if options.flow:
            flow = information_flow(dgates, doutput, arrived, batch_sizes, reverse, options.mask)
            omega = flow[0]
    dweights = list(total.finished()) if total is not None else [None] * 4
    if options.flow and dweights[1] is not None:
        dweights[1] = dweights[1] + options.flow * flow[1]
    dvectors = dvectors.sum(0) if dvectors is not None and of_weights else None
    return _gradients((ddata, dh, dc, *dweights, dvectors, norms, omega), given, h_0)


# Above, the packing and the loops of `forward` are small beside the work.
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
    check(cell, x, h, c, weights)
    weights = gathered(_contiguous(weights))
    addresses = map(address, (x, *weights[:4], output, h, c, weights.vectors))
    kernel("sequence", x.dtype)(NUMBER[cell], torch.get_num_threads(), *x.shape, h.shape[1], reverse, *addresses)


def step(cell: str, x: Tensor, h: Tensor, c: Tensor | None, weights: Weights) -> None:
    """One step of time without gradient or preparation: the weights are read where they are.

    Args:
        x: [B, I].
        h, c: [B, H], contiguous; the state, replaced by the new one.
    """
    x = x.contiguous()
    check(cell, x, h, c, weights)
    weights = gathered(_contiguous(weights))
    addresses = map(address, (x, *weights[:4], h, c, weights.vectors))
    kernel("step", x.dtype)(NUMBER[cell], torch.get_num_threads(), *x.shape, h.shape[1], *addresses)


def _state(tensor: Tensor) -> Tensor:
    """A copy that the kernels may write to."""
    return tensor.clone(memory_format=torch.contiguous_format)


def _or_empty(tensor: Tensor | None, like: Tensor) -> Tensor:
    """An operator returns tensors: one that is not there is empty."""
    return like.new_empty(0) if tensor is None else tensor


def _gradients(found: tuple[Tensor | None, ...], weights: Weights, like: Tensor) -> Gradients:
    """From ddata, dh_0, dc_0, the gradients of `gathered` weights, norms and omega."""
    *first, dbias_ih, dbias_hh, dvectors, norms, omega = found
    dnorm_gates = dnorm_cell = None
    if weights.norm_gates is not None and dvectors is not None:
        _, _, dbias_ih, dbias_hh, _, dvectors, dnorm_gates, dnorm_cell = scattered(dvectors, weights)
    every = (*first, dbias_ih, dbias_hh, dvectors, dnorm_gates, dnorm_cell, norms, omega)
    return Gradients(*(_or_empty(d, like) for d in every))


def _contiguous(weights: Weights) -> Weights:
    if all(w is None or w.is_contiguous() for w in weights):
        return weights
    return Weights(*(None if w is None else w.contiguous() for w in weights))  # type: ignore[arg-type]


def _operand(name: str, tensor: Tensor, size: tuple[int, ...], like: Tensor) -> Tensor:
    """Contiguous. What autograd has saved may come back from hooks in any layout, size or type."""
    if tensor.shape != size or tensor.dtype is not like.dtype or not tensor.is_cpu:
        raise ShapeError(
            f"Expected {name} of size {size} in the input's type {like.dtype} on {like.device}; "
            f"got {tuple(tensor.shape)}, {tensor.dtype} on {tensor.device}"
        )
    return tensor.contiguous()


def _inside(cell: str, weights: Weights, options: Options, data: Tensor, h: Tensor) -> tuple[Tensor | None, ...]:
    """The arguments of the recurrence beside the panels: vectors, mask, zoneout of h and of c."""
    zoneout: tuple[Tensor | None, ...] = options.zoneout or (None, None)
    if options.zoneout is not None and not KERNELS[cell].reserve:
        raise UsageError(f"the kernels have no zoneout for {cell}; the leaky cell with a leak of 1 is the same")
    rows = (h.shape[0], data.shape[0], data.shape[0])
    masks = (options.mask, *zoneout, *(None,) * (2 - len(zoneout)))
    operands = (
        None if mask is None else _operand(name, mask, (count, h.shape[1]), data)
        for name, mask, count in zip(("mask", "zoneout", "zoneout"), masks, rows, strict=True)
    )
    return None if weights.vectors is None else weights.vectors.contiguous(), *operands


_NAMES = (*Weights._fields, "c", "h")


def check(cell: str, data: Tensor, h: Tensor, c: Tensor | None, weights: Weights) -> None:
    """Raises unless data [.., I], the state [B, H] and the weights fit each other: the kernels see addresses only."""
    if cell not in KERNELS:
        raise UsageError(f"unknown cell {cell!r}: the kernels have {', '.join(KERNELS)}")
    if h.dim() != 2 or data.dim() < 2:
        raise ShapeError(f"Expected a state [B, H] and data [.., I], got {tuple(h.shape)} and {tuple(data.shape)}")
    batch, hidden = h.shape
    check_parts(cell, 1 if c is None else 2, hidden, weights)
    stacked = SPECIFICATIONS[cell].gates * hidden
    dtype = data.dtype
    if dtype not in DTYPES or not data.is_cpu:
        raise ShapeError(f"the kernels compute in float32 or float64 on the CPU, got {dtype} on {data.device}")
    if weights.weight_ih.dtype is not dtype and weights.weight_ih.is_cpu:
        raise other_type(dtype, weights.weight_ih.dtype)
    matrices = ((stacked, data.shape[-1]), (stacked, hidden), (stacked,), (stacked,))
    sizes = (*matrices, None, None, None, None, (batch, hidden), (batch, hidden))  # None: see `check_parts`
    for name, size, tensor in zip(_NAMES, sizes, (*weights, c, h), strict=True):
        if tensor is None:
            continue
        if (size and tensor.shape != size) or tensor.dtype is not dtype or not tensor.is_cpu:
            raise ShapeError(
                f"Expected {name} of size {size or tuple(tensor.shape)} in the input's type {dtype} on {data.device}; "
                f"got {tuple(tensor.shape)}, {tensor.dtype} on {tensor.device}"
            )
