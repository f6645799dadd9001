"""The cross-entropy of a linear layer over a large vocabulary, without keeping its scores."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_SCORES = 1 << 23  # computed at a time: 32 MiB in float32


def linear_cross_entropy(x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """Sum over the rows of -log softmax(x weight' + bias)[target].

    The scores of a block of rows become their gradient where they stand and are gone: memory is that of a block, not
    of [N, V], and the scores are read once instead of three times.

    Args:
        x: [N, P]. weight: [V, P]. bias: [V]. target: [N] int64.
    """
    return _LinearCrossEntropy.apply(x, weight, bias, target)  # type: ignore[no-any-return]


@torch.no_grad()
def cross_entropy_by_row(x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
    """[N] the terms of that sum, by blocks of rows too; without a gradient."""
    losses = x.new_empty(len(x))
    rows = max(1, _SCORES // len(weight))
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        scores = torch.addmm(bias, x[part], weight.T)
        losses[part] = scores.logsumexp(1) - scores.gather(1, target[part, None])[:, 0]
    return losses


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradients are computed on the way forward, scaled on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, target: Tensor) -> Tensor:
        taken = any(ctx.needs_input_grad)
        total = x.new_zeros(())
        dx, dweight, dbias = (torch.zeros_like(part) for part in (x, weight, bias)) if taken else (x, weight, bias)
        rows = max(1, _SCORES // len(weight))
        for start in range(0, len(x), rows):
            part = slice(start, start + rows)
            scores = torch.addmm(bias, x[part], weight.T)
            right = target[part, None]
            log_probabilities = torch.log_softmax(scores, 1)
            total -= log_probabilities.gather(1, right).sum()
            if taken:
                dscores = log_probabilities.exp_()
                dscores.scatter_add_(1, right, dscores.new_full(right.shape, -1))
                torch.mm(dscores, weight, out=dx[part])
                dweight.addmm_(dscores.T, x[part])
                dbias += dscores.sum(0)
        if taken:
            ctx.save_for_backward(dx, dweight, dbias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        dx, dweight, dbias = ctx.saved_tensors
        return dx * grad_output, dweight * grad_output, dbias * grad_output, None
