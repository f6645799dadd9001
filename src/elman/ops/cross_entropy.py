"""The cross-entropy of a linear layer over a large vocabulary, without keeping its scores."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ..errors import ShapeError
from ._addresses import DTYPES, address, kernel, memory
from .gemm import matmul

_SCORES = 1 << 22  # computed at a time: 16 MiB in float32


def linear_cross_entropy(x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """Sum over the rows of -log softmax(x weight' + bias)[target].

    The scores of a block of rows become their gradient where they stand and are gone: memory is that of a block, not
    of [N, V].

    Args:
        x: [N, P], computed in the type of weight. weight: [V, P]. bias: [V]. target: [N] int64.
    Raises:
        ShapeError: sizes or types that do not fit, a target outside 0 .. V - 1.
    """
    _check(x, weight, bias, target)
    return _LinearCrossEntropy.apply(x.to(weight.dtype), weight, bias, target)  # type: ignore[no-any-return]


@torch.no_grad()
def cross_entropy_by_row(x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """[N] the terms of that sum, by blocks of rows too; without a gradient."""
    _check(x, weight, bias, target)
    losses = x.new_empty(len(x))
    for part, scores in _blocks(x, weight):
        losses[part] = _losses(scores, bias, target[part], gradient=False)
    return losses


def _check(x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> None:
    """The kernel sees addresses: a target outside the vocabulary would write into foreign memory."""
    words = len(weight)
    if (
        bias.shape != (words,)
        or bias.dtype != weight.dtype
        or target.shape != x.shape[:1]
        or target.dtype != torch.int64
    ):
        given = ", ".join(f"{tuple(t.shape)} {t.dtype}" for t in (x, weight, bias, target))
        raise ShapeError(f"Expected x [N, P], weight [V, P], bias [V] and target [N] of int64, got {given}")
    if target.numel() and not 0 <= int(target.min()) <= int(target.max()) < words:
        raise ShapeError(f"Expected targets in 0 .. {words - 1}, got {int(target.min())} .. {int(target.max())}")


def _blocks(x: Tensor, weight: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Rows and their scores [rows, V], in the same memory each time."""
    rows = max(1, _SCORES // len(weight))
    scores = memory((min(rows, len(x)), len(weight)), x)
    for start in range(0, len(x), rows):
        part = slice(start, min(start + rows, len(x)))
        yield part, matmul(x[part], weight.t(), scores[: part.stop - start])


def _losses(scores: Tensor, bias: Tensor, target: Tensor, gradient: bool) -> Tensor:
    """[rows] losses; the scores become their derivatives, or are spent."""
    losses = scores.new_empty(len(scores))
    if scores.dtype in DTYPES and scores.is_cpu:
        parts = (scores, bias.contiguous(), target.contiguous(), losses)
        kernel("cross_entropy", scores.dtype)(torch.get_num_threads(), *scores.shape, *map(address, parts), gradient)
        return losses
    log_probabilities = torch.log_softmax(scores.add_(bias), 1)
    right = target[:, None]
    torch.neg(log_probabilities.gather(1, right)[:, 0], out=losses)
    if gradient:
        torch.exp(log_probabilities, out=scores)
        scores.scatter_add_(1, right, scores.new_full(right.shape, -1))
    return losses


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradients are computed on the way forward, scaled on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
        taken = any(ctx.needs_input_grad)
        total = x.new_zeros(())
        dx, dweight, dbias = (memory(tuple(part.shape), part) if taken else part for part in (x, weight, bias))
        if taken and not len(x):
            dweight.zero_(), dbias.zero_()
        for part, scores in _blocks(x, weight):
            total += _losses(scores, bias, target[part], taken).sum()
            if taken:
                matmul(scores, weight, dx[part])
                matmul(scores.t(), x[part], dweight, accumulate=part.start > 0)
                dbias = scores.sum(0) if part.start == 0 else dbias.add_(scores.sum(0))
        if taken:
            ctx.save_for_backward(x, weight, bias, target, dx, dweight, dbias)
        return total

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, target, dx, dweight, dbias = ctx.saved_tensors
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            return *_differentiable(inputs, target, grad_output, ctx.needs_input_grad), None
        return *(torch.mul(d, grad_output, out=memory(tuple(d.shape), d)) for d in (dx, dweight, dbias)), None


def _differentiable(
    inputs: list[Tensor], target: Tensor, grad_output: Tensor, needs: tuple[bool, ...]
) -> Iterator[Tensor | None]:
    """Gradients that can be differentiated again, by torch's operators and with all scores at once."""
    x, weight, bias = inputs = [t.view_as(t) for t in inputs]  # of this call alone
    total = torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, weight, bias), target, reduction="sum")
    wanted = [tensor for tensor, need in zip(inputs, needs, strict=False) if need]
    found = iter(torch.autograd.grad(total, wanted, grad_output, create_graph=True))
    return (next(found) if need else None for need in needs[:3])
