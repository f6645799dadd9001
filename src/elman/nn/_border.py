"""Where sequences enter and leave the ragged layout: padded, packed, nested or unbatched in, the same form out."""

import operator
from collections.abc import Iterable, Iterator
from typing import SupportsIndex

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import ShapeError
from ..ops import padding, ragged
from ._layout import RaggedLayout

Lengths = Tensor | Iterable[int] | RaggedLayout | None


class Border:
    """One call's input in the ragged layout, and the way back.

    Attributes:
        data: [N, ...] elements in the ragged layout.
        batch_sizes: [T] int64, on the CPU.
        batch: number of rows B, those of length zero included.
        starts, clock: as in `RaggedLayout`.
        unbatched: whether the input was one sequence without a batch dimension.
    """

    def __init__(self, input: Tensor | PackedSequence, lengths: Lengths, batch_first: bool, batched_dims: int) -> None:
        """
        Args:
            input: [T, B, ...] (batch_first: [B, T, ...]) with `batched_dims` dimensions, [T, ...] with one less, a
                PackedSequence, or a jagged nested tensor [B, *, ...].
            lengths: real length of each row of a batched tensor, any order, zeros allowed; None: all are T. A
                `RaggedLayout`: the input is [N, ...] already.
        """
        self._packed = isinstance(input, PackedSequence)
        self.starts: Tensor | None = None
        self.clock: Tensor | int = 0
        self._is_ragged = isinstance(lengths, RaggedLayout)
        self._jagged: tuple[Tensor, Tensor] | None = None
        self.unbatched = False
        self._order: Tensor | None = None
        self._inverse: Tensor | None = None
        if isinstance(lengths, RaggedLayout):
            self._enter_ragged(input, lengths, batched_dims)
            return
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ShapeError("lengths= goes with a padded tensor; a PackedSequence carries its own")
            self.data, self.batch_sizes, self._order, self._inverse = input
            rows = self._order.numel() if self._order is not None else self.batch_sizes[:1].sum()
            self.batch = int(rows)
            return
        if input.is_nested:
            self._enter_jagged(input, lengths, batched_dims)
            return
        if input.dim() not in (batched_dims - 1, batched_dims):
            raise ShapeError(
                f"Expected input to be {batched_dims - 1}D (unbatched) or {batched_dims}D (batched), "
                f"got {input.dim()}D of size {tuple(input.shape)}"
            )
        self.unbatched = input.dim() == batched_dims - 1
        if self.unbatched:
            if lengths is not None:
                raise ShapeError("lengths= goes with a batch; an unbatched sequence has the length of its tensor")
            input = input.unsqueeze(1)
        self._batch_first = batch_first and not self.unbatched
        self.batch, self.steps = input.shape[:2] if self._batch_first else input.shape[1::-1]
        self._padding: padding.Padding | None = None
        if lengths is None:
            steps = self.steps if self.batch else 0
            self.batch_sizes = torch.full((steps,), self.batch, dtype=torch.int64, device="cpu")
            self.data = (input.transpose(0, 1) if self._batch_first else input).flatten(0, 1)
            return
        self._padding = padding.Padding(_checked(lengths, self.batch, self.steps), self.steps, self._batch_first)
        self._order, self._inverse = self._padding.order, self._padding.inverse
        self.batch_sizes = self._padding.batch_sizes
        self.data = padding.unpad(input, self._padding)

    def _enter_ragged(self, input: Tensor | PackedSequence, layout: RaggedLayout, batched_dims: int) -> None:
        if not isinstance(input, Tensor) or input.dim() != batched_dims - 1:
            form = f"{input.dim()}D" if isinstance(input, Tensor) else type(input).__name__
            raise ShapeError(f"Expected elements of {batched_dims - 1}D with a RaggedLayout, got {form}")
        for name, rows in (("starts", layout.starts), ("clock", layout.clock)):
            if isinstance(rows, Tensor) and rows.shape != (layout.batch,):
                raise ShapeError(f"Expected {name} of size ({layout.batch},), one per row, got {tuple(rows.shape)}")
        self.data = input
        self.batch_sizes, self.batch, self.starts, self.clock = layout

    def _enter_jagged(self, input: Tensor, lengths: Lengths, batched_dims: int) -> None:
        if input.layout != torch.jagged or input.dim() != batched_dims or lengths is not None:
            raise ShapeError(
                f"Expected a jagged nested tensor [B, *, ...] of {batched_dims} dimensions without lengths=, "
                f"got {input.dim()} dimensions of layout {input.layout}"
            )
        input = input.contiguous()
        jagged_offsets: Tensor = input.offsets()  # type: ignore[attr-defined]
        offsets = jagged_offsets.cpu()
        self.batch = len(offsets) - 1
        self._order, self._inverse = ragged.sort_by_length(offsets.diff())
        self.batch_sizes = ragged.batch_sizes_of(offsets.diff())
        rows, steps = ragged.rows_and_steps(self.batch_sizes)
        place = offsets[self._order][rows] + steps  # of each element in the nested tensor's values
        self._jagged = jagged_offsets, torch.argsort(place).to(input.device)
        self.data = input.values().index_select(0, place.to(input.device))

    @property
    def layout(self) -> RaggedLayout:
        """Of `data`, the rows in its order."""
        return RaggedLayout(self.batch_sizes, self.batch, self.starts, self.clock)

    def sort(self, state: Tensor, dim: int) -> Tensor:
        """Rows of a state from the caller's order to the ragged one."""
        return state if self._order is None else state.index_select(dim, self._order.to(state.device))

    def unsort(self, state: Tensor, dim: int) -> Tensor:
        """Rows of a state from the ragged order back to the caller's."""
        inverse = self._inverse
        if inverse is None:
            if self._order is None:
                return state
            inverse = torch.argsort(self._order)
        return state.index_select(dim, inverse.to(state.device))

    def leave(self, output: Tensor) -> Tensor | PackedSequence:
        """Elements [N, F] in the form the input came in; positions beyond a row's length are 0."""
        if self._is_ragged:
            return output
        if self._packed:
            return PackedSequence(output, self.batch_sizes, self._order, self._inverse)
        if self._jagged is not None:
            offsets, back = self._jagged
            nested: Tensor = torch.nested.nested_tensor_from_jagged(output.index_select(0, back), offsets)
            return nested
        if self._padding is not None:
            return padding.pad(output, self._padding)
        padded = output.view(self.steps, self.batch, *output.shape[1:])
        if self.unbatched:
            return padded.squeeze(1)
        return padded.transpose(0, 1) if self._batch_first else padded


def read_once(lengths: Lengths) -> Lengths:
    """The same lengths for several readers, also from an iterator."""
    return list(lengths) if isinstance(lengths, Iterator) else lengths


def _checked(lengths: Tensor | Iterable[int], batch: int, steps: int) -> Tensor:
    """Lengths [B] as int64 on the CPU; a graph compares them with `steps` when it runs."""
    tensor = lengths if isinstance(lengths, Tensor) else _tensor(lengths)
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex or tensor.dtype == torch.bool:
        raise ShapeError(f"lengths must be integers, got {tensor.dtype}")
    if tensor.is_nested or tensor.shape != (batch,):
        size = "a nested tensor" if tensor.is_nested else tuple(tensor.shape)
        raise ShapeError(f"Expected lengths of size ({batch},), one per row, got {size}")
    whole = tensor.to("cpu", torch.int64)
    if not torch.compiler.is_compiling():
        ragged.check_lengths(whole, steps)
    return whole


def _tensor(lengths: Iterable[int]) -> Tensor:
    """From a list, an iterator, a NumPy array or whatever else gives whole numbers in the order of the rows."""
    if isinstance(lengths, str | set | frozenset | dict) or not isinstance(lengths, Iterable):
        raise ShapeError(f"lengths must be integers, one per row and in their order, got a {type(lengths).__name__}")
    try:
        numbers = list(lengths)
    except TypeError:  # NumPy's arrays without a dimension
        raise ShapeError(f"Expected lengths of one dimension, one per row, got {_described(lengths)}") from None
    for number in numbers:
        if not isinstance(number, SupportsIndex) or isinstance(number, bool):
            raise ShapeError(f"lengths must be integers, got {_described(number)}")
    try:
        return torch.tensor([operator.index(number) for number in numbers], dtype=torch.int64, device="cpu")
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ShapeError(f"lengths must be integers of up to 64 bits, got {_described(numbers)}") from error


def _described(value: object) -> str:
    text = repr(value)
    return f"the {type(value).__name__} {text if len(text) < 60 else text[:60] + ' ..'}"
