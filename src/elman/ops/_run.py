"""One call of the kernels on a ragged batch: its layout, its pieces and its memory.

`_kernels` sees only addresses. A sequence is run in pieces of time so that what a piece's matrix products read is still
in the cache when they read it, and so that no memory grows with the length but what is kept for the backward pass.
"""

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import ShapeError
from . import _kernels, ragged
from ._addresses import address, kernel, memory
from .gemm import matmul, rounds_recurrent
from .reference import CELLS as SPECIFICATIONS
from .weights import Weights


class Kernel(NamedTuple):
    """How a cell's kernels differ from another's, beside what `reference.CELLS` says of the cell.

    reserve: whether the backward pass needs more than the output.
    inner: whether the reserve holds more than the gates.
    apart: how many gates, the last ones, have one gradient towards the recurrent product and another towards the input.
    resets: whether the first gate acts before the product of the last one.
    """

    reserve: bool = True
    inner: bool = False
    apart: int = 0
    resets: bool = False


# In the order of the kernels' enumeration (cpp/include/elman/recurrent.h).
KERNELS = {
    "rnn_tanh": Kernel(reserve=False),
    "rnn_relu": Kernel(reserve=False),
    "lstm": Kernel(inner=True),
    "gru": Kernel(inner=True, apart=1),
    "leaky_tanh": Kernel(),
    "leaky_relu": Kernel(),
    "indrnn_tanh": Kernel(),
    "indrnn_relu": Kernel(),
    "peephole": Kernel(inner=True),
    "coupled": Kernel(inner=True),
    "min_gru": Kernel(),
    "min_lstm": Kernel(inner=True),
    "gru_before": Kernel(resets=True),
    "layer_lstm": Kernel(inner=True, apart=4),
    "layer_gru": Kernel(inner=True, apart=3),
}
NUMBER = {cell: number for number, cell in enumerate(KERNELS)}

# A piece's gates in bytes: few enough to be still in the cache for the products that read them next.
_PIECE_BYTES = 2 << 20
_PIECE_ELEMENTS = 2048  # and enough elements to keep those products efficient


class Piece(NamedTuple):
    """Steps [begin, end) and their elements."""

    begin: int
    end: int
    elements: slice

    def of(self, tensor: Tensor) -> Tensor:
        return tensor[self.elements]


class Run:
    """One call: sizes, layout and how to reach the kernels of its type. `_kernels` sees only addresses."""

    def __init__(self, cell: str, data: Tensor, batch_sizes: Tensor, h_0: Tensor, reverse: bool) -> None:
        self.cell, self.threads = NUMBER[cell], torch.get_num_threads()
        self.bfloat16 = rounds_recurrent()
        self.batch, self.hidden = h_0.shape
        self.stacked = SPECIFICATIONS[cell].gates * self.hidden
        self.apart = KERNELS[cell].apart * self.hidden  # columns of the recurrent product, the last ones
        self.like, self.reverse = data, reverse
        self.steps, self.elements = batch_sizes.shape[0], data.shape[0]
        self._batch_sizes = batch_sizes.contiguous()  # the layout holds its address
        self.layout, self.offsets = lay_out(self._batch_sizes, self.elements, self.batch, self.hidden, reverse)

    def new(self, rows: int, width: int) -> Tensor:
        """Memory [rows, width]; if large, kept for the next call."""
        return memory((rows, width), self.like)

    def scratch(self, piece: Piece, width: int) -> Tensor:
        return self.new(piece.elements.stop - piece.elements.start, width)

    @cached_property
    def rows(self) -> Tensor:
        """[N] the row of each element."""
        return ragged.rows_and_steps(self._batch_sizes)[0]

    def whole(self) -> Piece:
        return Piece(0, self.steps, slice(0, self.elements))

    def pieces(self, backwards: bool) -> list[Piece]:
        """Cuts of about equal numbers of elements, in the order in which they are run."""
        size = max(_PIECE_ELEMENTS, _PIECE_BYTES // max(1, self.stacked * self.like.element_size()))
        if self.elements <= size * 3 // 2:
            return [self.whole()]
        count = round(self.elements / size)
        targets = torch.arange(1, count, device="cpu") * self.elements // count
        cuts = [0, *torch.searchsorted(self.offsets, targets).unique().tolist(), self.steps]
        ends = self.offsets[cuts].tolist()
        found = [
            Piece(begin, end, slice(first, last))
            for begin, end, first, last in zip(cuts, cuts[1:], ends, ends[1:], strict=False)
            if begin < end
        ]
        return found[::-1] if backwards else found

    def packed(self, function: str, *matrices: Tensor | None) -> Tensor:
        panels = self.new(1, kernel("panels_size", self.like.dtype)(self.cell, self.hidden))
        kernel(function, self.like.dtype)(
            self.cell, self.threads, self.bfloat16, self.hidden, *map(address, matrices), panels.data_ptr()
        )
        return panels

    def call(self, function: str, piece: Piece, *tensors: Tensor | None, last: float | bool) -> None:
        kernel(function, self.like.dtype)(
            *(self.cell, self.threads, self.bfloat16, self.layout),
            *(piece.begin, piece.end, *map(address, tensors), last),
        )

    def states_before(self, piece: Piece, output: Tensor, h_0: Tensor) -> Tensor:
        """[M, H] the state before each element's step."""
        states = self.scratch(piece, self.hidden)
        addresses = map(address, (output, h_0, states))
        kernel("states_before", self.like.dtype)(self.threads, self.layout, piece.begin, piece.end, *addresses)
        return states

    def entering(self, piece: Piece, output: Tensor, h_0: Tensor, mask: Tensor | None) -> list[tuple[slice, Tensor]]:
        """What entered each element's product, as parts (elements of the piece, states): views where there is one."""
        start, stop, batch = piece.elements.start, piece.elements.stop, self.batch
        if mask is not None:
            return [(slice(None), self.states_before(piece, output, h_0).mul_(mask[piece.of(self.rows)]))]
        if self.elements != self.steps * batch or not self.elements:
            return [(slice(None), self.states_before(piece, output, h_0))]
        if not self.reverse:
            if start:
                return [(slice(None), output[start - batch : stop - batch])]
            return [(slice(0, batch), h_0), (slice(batch, None), output[: stop - batch])]
        if piece.end < self.steps:
            return [(slice(None), output[start + batch : stop + batch])]
        return [(slice(0, -batch), output[start + batch :]), (slice(-batch, None), h_0)]


class WeightGradients:
    """Sums the gradients of the weights over the pieces."""

    def __init__(self, run: Run, weights: Weights) -> None:
        self.apart, self.partly = run.apart, 0 < run.apart < run.stacked
        self.projection = _Sum(run, *weights.weight_ih.shape)
        self.product = None if weights.weight_hh is None else _Sum(run, run.stacked, run.hidden)
        bias = weights.bias_ih is not None
        self.bias_hh = weights.bias_hh is not None
        self.bias = run.like.new_zeros(run.stacked) if bias else None
        self.inner_bias = run.like.new_zeros(run.apart) if bias and self.partly else None

    def add(
        self,
        dgates: Tensor,
        dinner: Tensor | None,
        data: Tensor,
        entered: list[tuple[slice, Tensor]],
        reset: Tensor | None = None,
    ) -> None:
        """Takes a piece's gradients; a classical cell's `dgates` becomes the gradient of the recurrent product.

        Args:
            dinner: [M, `Run.apart`] gradient of the last columns of the recurrent product, if any are apart.
            entered: what entered the product, as `Run.entering` gives it.
            reset: [M, H] gate of a GRU that acts before the product of its last gate.
        """
        self.projection.add(dgates, data)
        ones = dgates.new_ones(dgates.shape[0])
        if self.bias is not None:
            self.bias.addmv_(dgates.t(), ones)
        if self.partly and dinner is not None:  # the other columns have one gradient
            dgates[:, -self.apart :] = dinner
            if self.inner_bias is not None:
                self.inner_bias.addmv_(dinner.t(), ones)
        elif dinner is not None:
            dgates = dinner
        if self.product is not None:
            for elements, states in entered:
                self.product.add(dgates[elements], states, None if reset is None else reset[elements] * states)

    def finished(self) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None]:
        """Gradients of weight_ih, weight_hh, bias_ih and bias_hh."""
        of_bias_hh = self.bias.clone() if self.bias_hh and self.bias is not None else None
        if of_bias_hh is not None and self.inner_bias is not None:
            of_bias_hh[-self.apart :] = self.inner_bias
        of_product = None if self.product is None else self.product.total
        return self.projection.total, of_product, self.bias, of_bias_hh


class _Sum:
    """Sum of d.T @ x [rows, columns]."""

    def __init__(self, run: Run, rows: int, columns: int) -> None:
        self.total = run.new(rows, columns)
        self.begun = False

    def add(self, d: Tensor, x: Tensor, x_of_last: Tensor | None = None) -> None:
        """`x_of_last` stands for x in the last columns of d, as many as it has itself."""
        parts = [(slice(None), x)]
        if x_of_last is not None:
            cut = d.shape[1] - x.shape[1]
            parts = [(slice(0, cut), x), (slice(cut, None), x_of_last)]
        for gates, states in parts:
            matmul(d[:, gates].t(), states, self.total[gates], self.begun)
        self.begun = True


def lay_out(
    batch_sizes: Tensor, elements: int, batch: int, hidden: int = 0, reverse: bool = False
) -> tuple[_kernels.Layout, Tensor]:
    """The kernels' layout and the offsets [T + 1] in it. It holds addresses: keep both tensors while it is in use.

    Raises:
        ShapeError: batch_sizes that do not describe `elements` elements of `batch` rows.
    """
    steps = batch_sizes.shape[0]
    if batch_sizes.dtype != torch.int64 or not batch_sizes.is_contiguous() or not batch_sizes.is_cpu:
        raise ShapeError(
            f"Expected batch_sizes [T] int64 on the CPU, contiguous, got {batch_sizes.dtype} on {batch_sizes.device}"
        )
    offsets = batch_sizes.new_empty(steps + 1)
    addresses = (batch_sizes.data_ptr(), offsets.data_ptr())
    if not _kernels.lay_out(steps, addresses[0], elements, batch, addresses[1]):
        raise ShapeError(
            f"Expected batch_sizes [T] int64 on the CPU that never rise, from at most {batch} rows, "
            f"with sum {elements}; got {batch_sizes.dtype} {batch_sizes.tolist()[:10]} .."
        )
    return _kernels.Layout(*addresses, steps, batch, hidden, reverse), offsets
