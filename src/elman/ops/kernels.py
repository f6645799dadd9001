"""The compiled kernels on tensors: one layer in one direction, forward, backward and a single step; no autograd here.

What is parallel in time (the input's projection, the weights' gradients) is a matrix product and goes to torch's BLAS;
the recurrence is `_kernels`, written in cpp/. `_kernels` sees only addresses, so every size and type is checked here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ShapeError, UsageError
from . import _kernels
from .weights import Weights

CELLS = ("rnn_tanh", "rnn_relu", "lstm", "gru")  # in the order of the kernels' enumeration
GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}
DTYPES = (torch.float32, torch.float64)


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
    """Run the enclosed code on another instruction set: `with use_tier("scalar"): model(x)`. Holds for all threads."""
    before = tier()
    if not _kernels.choose_tier(name):
        raise UsageError(f"unknown tier {name!r}: this machine runs {', '.join(supported_tiers())}")
    try:
        yield
    finally:
        _kernels.choose_tier(before)


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
    run = _Run(cell, data, batch_sizes, h_0, reverse)
    panels = run.packed("pack_forward", weights.weight_hh, weights.bias_ih, weights.bias_hh)
    h, c = _state(h_0), None if c_0 is None else _state(c_0)
    keep = keep and has_reserve(cell)
    output = run.new(run.hidden)
    inner = run.new(run.hidden) if keep else None
    kept = run.new(run.stacked) if keep else None
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
    run = _Run(cell, data, batch_sizes, h_0, reverse)
    panels = run.packed("pack_backward", weights.weight_hh)
    dh = torch.zeros_like(h_0) if dh_n is None else _state(dh_n)
    dc = None if c_0 is None else torch.zeros_like(c_0) if dc_n is None else _state(dc_n)
    gates, inner = (result.gates, result.inner) if has_reserve(cell) else (None, None)
    of_data, of_weights = needs
    ddata = torch.empty_like(data) if of_data else None
    of_projection = _WeightGradient(weights.weight_ih, weights.bias_ih) if of_weights else None
    of_product = _WeightGradient(weights.weight_hh, weights.bias_hh) if of_weights else None
    for piece in run.pieces(backwards=not reverse):
        dgates = run.scratch(piece, run.stacked)
        dinner = run.scratch(piece, run.hidden) if cell == "gru" else None
        run.call("backward", piece, panels, h_0, c_0, result.output, gates, inner, doutput, dgates, dinner, dh, dc)
        if ddata is not None:
            torch.mm(dgates, weights.weight_ih, out=piece.of(ddata))
        if of_projection is not None and of_product is not None:
            of_projection.add(dgates, piece.of(data))
            before = run.scratch(piece, run.hidden)
            run.call("states_before", piece, result.output, h_0, before)
            of_product.add(dgates if dinner is None else dgates[:, : -run.hidden], before, dinner)
    dweight_ih, dbias_ih = of_projection or (None, None)
    dweight_hh, dbias_hh = of_product or (None, None)
    return Gradients(*(_or_empty(d, h_0) for d in (ddata, dh, dc, dweight_ih, dweight_hh, dbias_ih, dbias_hh)))


def step(cell: str, x: Tensor, state: tuple[Tensor, ...], weights: Weights) -> tuple[Tensor, ...]:
    """One step of time without gradient or preparation: the weights are read where they are.

    Args:
        x: [B, I].
        state: (h [B, H],), and c [B, H] for the LSTM.
    Returns:
        The new state.
    """
    x, weights = x.contiguous(), _contiguous(weights)
    state = tuple(s.contiguous() for s in state)
    c_0 = state[1] if cell == "lstm" else None
    _check(cell, x, state[0], c_0, weights)
    new = tuple(torch.empty_like(s) for s in state)
    arrays = (x, *weights[:4], state[0], c_0, new[0], new[1] if cell == "lstm" else None)
    run = _kernels.step_f32 if x.dtype == torch.float32 else _kernels.step_f64
    run(CELLS.index(cell), x.shape[0], x.shape[1], state[0].shape[1], *map(_address, arrays))
    return new


# --- pieces of a sequence ---------------------------------------------------------------------------------------------

# A piece's gates in bytes: few enough to be still in the cache for the products that read them next.
_PIECE_BYTES = 2 << 20
_PIECE_ELEMENTS = 2048  # and enough elements to keep those products efficient


class _Piece(NamedTuple):
    """Steps [begin, end) and their elements."""

    begin: int
    end: int
    elements: slice

    def of(self, tensor: Tensor) -> Tensor:
        return tensor[self.elements]


class _Run:
    """One call: sizes, layout and how to reach the kernels of its type. `_kernels` sees only addresses."""

    def __init__(self, cell: str, data: Tensor, batch_sizes: Tensor, h_0: Tensor, reverse: bool) -> None:
        self.cell, self.threads = CELLS.index(cell), torch.get_num_threads()
        self.batch, self.hidden = h_0.shape
        self.stacked = GATES[cell] * self.hidden
        self.like, self.suffix = data, "_f32" if data.dtype == torch.float32 else "_f64"
        self.steps, self.elements = batch_sizes.shape[0], data.shape[0]
        self.batch_sizes, self.offsets = batch_sizes, batch_sizes.new_empty(self.steps + 1)
        if (
            batch_sizes.dtype != torch.int64
            or not batch_sizes.is_contiguous()
            or not _kernels.lay_out(self.steps, batch_sizes.data_ptr(), self.elements, self.batch, _address(self.offsets))
        ):
            raise ShapeError(
                f"Expected batch_sizes [T] int64 that never rise, from at most {self.batch} rows, with sum "
                f"{self.elements}; got {batch_sizes.dtype}, {batch_sizes.tolist()[:10]} .., sum {int(batch_sizes.sum())}"
            )
        self.layout = _kernels.Layout(
            batch_sizes.data_ptr(), self.offsets.data_ptr(), self.steps, self.batch, self.hidden, reverse
        )

    def new(self, width: int) -> Tensor:
        return self.like.new_empty(self.elements, width)

    def scratch(self, piece: _Piece, width: int) -> Tensor:
        return self.like.new_empty(piece.elements.stop - piece.elements.start, width)

    def pieces(self, backwards: bool) -> list[_Piece]:
        """Cuts of about equal numbers of elements, in the order in which they are run."""
        size = max(_PIECE_ELEMENTS, _PIECE_BYTES // max(1, self.stacked * self.like.element_size()))
        if self.elements <= size * 3 // 2:
            return [_Piece(0, self.steps, slice(0, self.elements))]
        count = round(self.elements / size)
        targets = torch.arange(1, count) * self.elements // count
        cuts = [0, *torch.searchsorted(self.offsets, targets).unique().tolist(), self.steps]
        starts = self.offsets[cuts].tolist()
        found = [
            _Piece(begin, end, slice(first, last))
            for begin, end, first, last in zip(cuts, cuts[1:], starts, starts[1:], strict=False)
            if begin < end
        ]
        return found[::-1] if backwards else found

    def packed(self, function: str, *matrices: Tensor | None) -> Tensor:
        panels = self.like.new_empty(self._kernel("panels_size")(self.cell, self.hidden))
        self._kernel(function)(self.cell, self.hidden, *map(_address, matrices), panels.data_ptr())
        return panels

    def call(self, function: str, piece: _Piece, *tensors: Tensor | None) -> None:
        cell = () if function == "states_before" else (self.cell,)
        self._kernel(function)(*cell, self.threads, self.layout, piece.begin, piece.end, *map(_address, tensors))

    def _kernel(self, function: str) -> Callable[..., int]:
        kernel: Callable[..., int] = getattr(_kernels, function + self.suffix)
        return kernel


class _WeightGradient:
    """Sums d.T @ x and d over the pieces; iterating gives both, the second None without a bias."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight = torch.zeros_like(weight)
        self.bias = None if bias is None else torch.zeros_like(bias)

    def add(self, d: Tensor, x: Tensor, last: Tensor | None = None) -> None:
        """`last` [M, H] is the gradient of the last gate where it does not lie in d."""
        split = d.shape[1]
        self.weight[:split].addmm_(d.t(), x)
        if last is not None:
            self.weight[split:].addmm_(last.t(), x)
        if self.bias is not None:
            self.bias[:split] += d.sum(0)
            if last is not None:
                self.bias[split:] += last.sum(0)

    def __iter__(self) -> Iterator[Tensor | None]:
        yield from (self.weight, self.bias)


def _state(tensor: Tensor) -> Tensor:
    """A copy that the kernels may write to."""
    return tensor.clone(memory_format=torch.contiguous_format)


def _or_empty(tensor: Tensor | None, like: Tensor) -> Tensor:
    """An operator returns tensors: one that is not there is empty."""
    return like.new_empty(0) if tensor is None else tensor


# --- the border to the addresses --------------------------------------------------------------------------------------


def _address(tensor: Tensor | None) -> int:
    return 0 if tensor is None else tensor.data_ptr()


def _contiguous(weights: Weights) -> Weights:
    return Weights(*(None if w is None else w.contiguous() for w in weights))  # type: ignore[arg-type]


def _check(cell: str, data: Tensor, h_0: Tensor, c_0: Tensor | None, weights: Weights) -> None:
    if cell not in GATES:
        raise UsageError(f"unknown cell {cell!r}: the kernels have {', '.join(CELLS)}")
    if data.dim() != 2 or h_0.dim() != 2:
        raise ShapeError(f"Expected data [N, I] and h_0 [B, H], got {tuple(data.shape)} and {tuple(h_0.shape)}")
    batch, hidden = h_0.shape
    stacked = GATES[cell] * hidden
    wanted: list[tuple[str, Tensor | None, tuple[int, ...]]] = [
        ("weight_ih", weights.weight_ih, (stacked, data.shape[1])),
        ("weight_hh", weights.weight_hh, (stacked, hidden)),
        ("bias_ih", weights.bias_ih, (stacked,)),
        ("bias_hh", weights.bias_hh, (stacked,)),
        ("c_0", c_0, (batch, hidden)),
    ]
    if data.dtype not in DTYPES or data.device.type != "cpu" or h_0.dtype != data.dtype or h_0.device != data.device:
        raise ShapeError(
            f"Expected data and h_0 in float32 or float64 on the CPU, got {data.dtype} on {data.device} "
            f"and {h_0.dtype} on {h_0.device}"
        )
    for name, tensor, size in wanted:
        if tensor is not None and (tensor.shape != size or tensor.dtype != data.dtype or tensor.device != data.device):
            raise ShapeError(
                f"Expected {name} {size} {data.dtype} on {data.device}, "
                f"got {tuple(tensor.shape)} {tensor.dtype} on {tensor.device}"
            )
    if cell == "lstm" and c_0 is None:
        raise ShapeError("an LSTM needs c_0")
