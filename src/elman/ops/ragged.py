"""The ragged layout: many sequences of different lengths in one tensor, without padding.

It is that of `torch.nn.utils.rnn.PackedSequence`: rows sorted by length (longest first), time-major:

    data         [N, F]  step 0 of every row, then step 1 of every row that has one, ...; N = sum of lengths
    batch_sizes  [T]     how many rows have a step t; never rises; int64 on the CPU

One thing is added: rows of length zero. They come last, own no element of `data` and no place in `batch_sizes`,
and are counted by the batch size B that travels beside (as the length of `sorted_indices`, or the rows of `h_0`).
"""

import torch
from torch import Tensor

from ..errors import ShapeError
from ._library import library


def batch_sizes_of(lengths: Tensor) -> Tensor:
    """Number of rows alive at each step.

    Args:
        lengths: [B] int64, any order, zeros allowed.
    Returns:
        [T] int64 with T = max(lengths).
    """
    if lengths.numel() == 0:
        return lengths.new_empty(0)
    ended = torch.bincount(lengths).cumsum(0)  # ended[t]: rows with length <= t
    return lengths.numel() - ended[:-1]


def lengths_of(batch_sizes: Tensor, batch: int) -> Tensor:
    """Lengths [B] of the sorted rows; rows beyond `batch_sizes[0]` have length 0."""
    alive = torch.bincount(batch_sizes, minlength=batch + 1)  # alive[n]: steps that exactly n rows take
    return alive.flip(0).cumsum(0).flip(0)[1 : batch + 1]


def rows_and_steps(batch_sizes: Tensor) -> tuple[Tensor, Tensor]:
    """For each of the N elements its row [N] and its step [N]."""
    steps = torch.repeat_interleave(torch.arange(batch_sizes.numel(), device=batch_sizes.device), batch_sizes)
    rows = torch.arange(steps.numel(), device=steps.device) - starts_of(batch_sizes)[steps]
    return rows, steps


def read_order(batch_sizes: Tensor, batch: int, reverse: bool) -> tuple[Tensor, Tensor]:
    """For each of the N elements its row [N], and its step [N] as the row is read: from its end if `reverse`."""
    rows, steps = rows_and_steps(batch_sizes)
    return rows, lengths_of(batch_sizes, batch)[rows] - 1 - steps if reverse else steps


def starts_of(batch_sizes: Tensor) -> Tensor:
    """[T] the first element of each step: that of row b is b further."""
    return batch_sizes.cumsum(0) - batch_sizes


def from_end(batch_sizes: Tensor) -> Tensor:
    """[N] for each element the one of the same row that lies as far from the row's end as it does from its start."""
    rows, mirrored = read_order(batch_sizes, int(batch_sizes[0]) if len(batch_sizes) else 0, reverse=True)
    return starts_of(batch_sizes)[mirrored] + rows


def later_elements(batch_sizes: Tensor, reverse: bool) -> Tensor:
    """[N] the element of the same row that is processed next; -1 where there is none."""
    rows, steps = rows_and_steps(batch_sizes)
    starts = starts_of(batch_sizes)
    if reverse:
        later = starts[(steps - 1).clamp(min=0)] + rows
        return torch.where(steps > 0, later, -1)
    end = len(batch_sizes) - 1
    after = (steps + 1).clamp(max=max(end, 0))
    return torch.where((steps < end) & (rows < batch_sizes[after]), starts[after] + rows, -1)


def padded_index(batch_sizes: Tensor, batch: int, reverse: bool = False) -> tuple[Tensor, Tensor]:
    """Where each step of each row lies in `data`, right padded.

    Args:
        reverse: walk each row from its last element to its first.
    Returns:
        index [T, B] into `data` (0 where there is nothing), and padding [T, B] bool.
    """
    lengths = lengths_of(batch_sizes, batch)
    step = torch.arange(batch_sizes.numel(), device=batch_sizes.device)[:, None]
    padding = step >= lengths
    if reverse:
        step = (lengths - 1 - step).clamp(min=0)
    index = starts_of(batch_sizes)[step] + torch.arange(batch, device=batch_sizes.device)
    return index.masked_fill(padding, 0), padding


def packed_index(batch_sizes: Tensor, batch: int, reverse: bool = False) -> Tensor:
    """Inverse of `padded_index`: for each of the N elements its place [N] in a flattened [T * B] padded tensor."""
    rows, steps = read_order(batch_sizes, batch, reverse)
    return steps * batch + rows


def sort_by_length(lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Stable order [B] that puts longer rows first, and its inverse [B]."""
    order = torch.argsort(lengths, descending=True, stable=True)
    return order, torch.argsort(order)


def check_lengths(lengths: Tensor, steps: int) -> None:
    """Raises ShapeError unless each of the lengths [B] is between 0 and `steps`."""
    if not lengths.numel():
        return
    shortest, longest = int(lengths.min()), int(lengths.max())
    if shortest < 0 or longest > steps:
        raise ShapeError(f"Expected lengths between 0 and {steps} (the padded length), got {shortest} to {longest}")


def lay_out(lengths: Tensor, steps: int, batch_first: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Everything that leads from a padded tensor to the ragged layout and back.

    Args:
        lengths: [B] int64 on the CPU, each between 0 and `steps`.
        batch_first: whether the padded tensor is [B, T, ..] or [T, B, ..].
    Raises:
        ShapeError: another length; of a compiled or exported graph too, when it runs.
    Returns:
        batch_sizes [T'], the order [B] of the rows and its inverse [B], and for each element its place [N] in the
        flattened padded tensor.
    """
    if torch.compiler.is_compiling():
        result: tuple[Tensor, Tensor, Tensor, Tensor] = torch.ops.elman.lay_out(lengths, steps, batch_first)
        return result
    return _lay_out(lengths, steps, batch_first)


def _lay_out(lengths: Tensor, steps: int, batch_first: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    check_lengths(lengths, steps)
    order, inverse = sort_by_length(lengths)
    batch_sizes = batch_sizes_of(lengths)
    rows, at = rows_and_steps(batch_sizes)
    rows = order[rows]
    return batch_sizes, order, inverse, rows * steps + at if batch_first else at * lengths.numel() + rows


library.define(
    "lay_out(Tensor lengths, SymInt steps, bool batch_first) -> (Tensor, Tensor, Tensor, Tensor)",
    tags=(torch.Tag.pt2_compliant_tag,),
)
library.impl("lay_out", _lay_out, "CPU")


@torch.library.register_fake("elman::lay_out", lib=library)
def _lay_out_fake(lengths, steps, batch_first):  # type: ignore[no-untyped-def]
    context = torch.library.get_ctx()
    taken, elements = context.new_dynamic_size(), context.new_dynamic_size()
    empty = torch.empty_like
    return lengths.new_empty(taken), empty(lengths), empty(lengths), lengths.new_empty(elements)
