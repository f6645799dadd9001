"""Adversarial training: texts whose word vectors are moved to where the network errs most (Miyato et al. 2017)."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..nn import TextRNN, repeated_draws
from ..ops import ragged


def adversarial_loss(network: TextRNN, loss: Callable[[], Tensor], distance: float) -> Tensor:
    """The mean of a loss and of the same on disturbed word vectors; half of its gradient is added to the parameters.

    The other half is that of what is returned. Miyato, Dai & Goodfellow (2017), "Adversarial Training Methods for
    Semi-Supervised Text Classification", eq. 5 and 6: the vectors of a text s move by r = epsilon g / |g|, g the
    gradient of its loss by s. Their word vectors are normalised, so that growing ones cannot outrun epsilon; here it is
    measured in the usual length of a vector of the batch instead, and the language model's vectors stay as they are.

    Args:
        loss: computes the loss of a batch by `network`; called twice, with the same random draws.
        distance: epsilon, the norm of what is added to all vectors of a text together, in root mean square norms of a
            vector.
    """
    parts = [part for part in network.modules() if isinstance(part, TextRNN)]
    seen = [_Disturbance(distance) for _ in parts]
    try:
        for part, disturbance in zip(parts, seen, strict=True):
            part.disturb = disturbance.watch
        with repeated_draws(next(network.parameters())):
            first = loss()
        (first / 2).backward()
        for part, disturbance in zip(parts, seen, strict=True):
            part.disturb = disturbance.move
        return (loss() + first.detach()) / 2
    finally:
        for part in parts:
            part.disturb = None


class _Disturbance:
    """Of one network's word vectors: their gradient, and then what follows from it."""

    def __init__(self, distance: float) -> None:
        self._distance = distance
        self._vectors: Tensor | None = None

    def watch(self, vectors: Tensor, batch_sizes: Tensor) -> Tensor:
        self._vectors = vectors if vectors.requires_grad else vectors.requires_grad_()
        self._vectors.retain_grad()
        return self._vectors

    def move(self, vectors: Tensor, batch_sizes: Tensor) -> Tensor:
        assert self._vectors is not None
        gradient = self._vectors.grad
        if gradient is None or not len(vectors):
            return vectors
        row, _ = ragged.rows_and_steps(batch_sizes)
        squares = gradient.new_zeros(int(batch_sizes[0])).index_add_(0, row, gradient.square().sum(1))
        usual = vectors.detach().square().sum(1).mean().sqrt()
        smallest = torch.finfo(gradient.dtype).tiny
        scale = self._distance * usual / squares.sqrt().clamp_min(smallest)
        return vectors + gradient * scale[row, None]
