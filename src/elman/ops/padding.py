"""Between padded tensors and the ragged layout: `unpad` and `pad`, each the other's gradient.

On the CPU the copies are the kernels'; on other devices, in a compiled or traced graph and where operations are
transformed they are torch's indexing. Any dtype.
"""

from typing import Any

import torch
from torch import Tensor

from . import _kernels, ragged
from ._addresses import memory
from ._run import lay_out
from .watched import is_traced, is_transformed


class Padding:
    """Where the rows of a padded batch lie in the ragged layout.

    Args:
        lengths: [B] int64 on the CPU, each between 0 and `steps`.
        steps: T of the padded tensor.
        batch_first: whether it is [B, T, ..] or [T, B, ..].
    Attributes:
        batch_sizes: [T'].
        order, inverse: [B] the order of the rows in the layout, and back.
    """

    def __init__(self, lengths: Tensor, steps: int, batch_first: bool) -> None:
        self.lengths, self.steps, self.batch_first = lengths, steps, batch_first
        self.batch = lengths.shape[0]
        self._place: Tensor | None = None
        if torch.compiler.is_compiling():
            self.batch_sizes, self.order, self.inverse, self._place = ragged.lay_out(lengths, steps, batch_first)
        else:
            self.order, self.inverse = ragged.sort_by_length(lengths)
            self.batch_sizes = ragged.batch_sizes_of(lengths)

    def place(self, device: torch.device) -> Tensor:
        """For each element its place [N] in the flattened padded tensor."""
        if self._place is None:
            self._place = ragged.lay_out(self.lengths, self.steps, self.batch_first)[3]
        return self._place.to(device)

    def copy(self, kernel: Any, data: Tensor, padded: Tensor) -> None:
        """Runs `_kernels.pad` or `unpad` on data [N, ..] and a padded tensor, both contiguous within an element."""
        layout, _offsets = lay_out(self.batch_sizes, data.shape[0], self.batch)
        width = padded.element_size()
        rows, steps = (
            stride * width for stride in (padded.stride() if self.batch_first else padded.stride()[1::-1])[:2]
        )
        bytes_each = padded[0, 0].numel() * width
        addresses = (data.data_ptr(), padded.data_ptr(), self.order.data_ptr())
        kernel(torch.get_num_threads(), layout, bytes_each, *addresses, self.steps, rows, steps)


def unpad(padded: Tensor, padding: Padding) -> Tensor:
    """Elements [N, ..] of a padded tensor [B, T, ..] or [T, B, ..]."""
    if _by_kernel(padded) and padded.numel():
        data: Tensor = _Unpad.apply(padded, padding)
        return data
    return padded.flatten(0, 1).index_select(0, padding.place(padded.device))


def pad(data: Tensor, padding: Padding) -> Tensor:
    """Padded tensor [B, T, ..] or [T, B, ..] of elements [N, ..], 0 beyond a row's length."""
    size = _size(padding, data)
    if _by_kernel(data) and data.numel():
        padded: Tensor = _Pad.apply(data, padding)
        return padded
    empty = data.new_zeros(padding.batch * padding.steps, *data.shape[1:])
    return empty.index_copy(0, padding.place(data.device), data).view(size)


def _size(padding: Padding, data: Tensor) -> tuple[int, ...]:
    size = (padding.batch, padding.steps) if padding.batch_first else (padding.steps, padding.batch)
    return (*size, *data.shape[1:])


def _by_kernel(tensor: Tensor) -> bool:
    return (
        not torch.compiler.is_compiling()
        and tensor.device.type == "cpu"
        and type(tensor) in (Tensor, torch.nn.Parameter)
        and not is_transformed()
        and not is_traced()
    )


class _Unpad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, padded: Tensor, padding: Padding) -> Tensor:
        ctx.padding = padding
        if not padded[0, 0].is_contiguous():
            padded = padded.contiguous()
        data = memory((int(padding.batch_sizes.sum()), *padded.shape[2:]), padded)
        padding.copy(_kernels.unpad, data, padded)
        return data

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return pad(gradients[0], ctx.padding), None


class _Pad(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, data: Tensor, padding: Padding) -> Tensor:
        ctx.padding = padding
        size = _size(padding, data)
        padded = memory(size, data)
        padding.copy(_kernels.pad, data.contiguous(), padded)
        return padded

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return unpad(gradients[0], ctx.padding), None
