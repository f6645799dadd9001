"""Classification as the training loop sees it: batches of ragged ids and their classes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..nn import TextRNN
from .adversarial import adversarial_loss
from .batches import Encoded, shuffled_batches
from .config import ClassifierConfig
from .model import network_logits
from .weights import Weights

_ALIKE = Weights()


@dataclass(frozen=True)
class Labelled:
    """Encoded texts with their class numbers [B].

    Attributes:
        probabilities: [B, C] of the classes, where labels are not certain.
        weights: [B] how much each counts, None if all count alike.
    """

    texts: Encoded
    numbers: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None = None
    weights: NDArray[np.float64] | None = None

    def targets(self, rows: NDArray[np.int64]) -> Tensor:
        """What the loss of these texts is of: class numbers [n], or probabilities [n, C]."""
        return torch.from_numpy((self.numbers if self.probabilities is None else self.probabilities)[rows])


class ClassificationTask:
    """A `training.Task` over labelled texts.

    Args:
        weights: of the training rows and the classes.
    """

    def __init__(
        self,
        train: Labelled,
        validation: Labelled | None,
        num_classes: int,
        config: ClassifierConfig,
        weights: Weights = _ALIKE,
    ) -> None:
        self._train, self._validation, self._config = train, validation, config
        self._of_classes, self._of_rows = _of_mean_one(train, weights, num_classes)

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        generator = np.random.default_rng((self._config.seed, epoch))
        return shuffled_batches(self._train.texts.ids.lengths, self._config.batch_size, generator)

    def loss(self, model: torch.nn.Module, batch: NDArray[np.int64]) -> tuple[Tensor, float, int]:
        assert isinstance(model, TextRNN)
        ids, features = self._train.texts.batch(batch)
        target, likeliest = self._train.targets(batch), torch.from_numpy(self._train.numbers[batch])
        opinions: list[Tensor] = []

        def loss() -> Tensor:
            """Mean over the texts, and over the networks that have an opinion of each."""
            opinions.append(model.opinions(ids, features=features if self._config.ngram_features else None))
            targets = target.expand(len(opinions[-1]), *target.shape).flatten(0, 1)
            return self._mean_loss(opinions[-1].flatten(0, 1), targets, batch)

        value = adversarial_loss(model, loss, self._config.adversarial) if self._config.adversarial else loss()
        right = opinions[0].mean(0).argmax(1) == likeliest
        return (
            value,
            int(right.sum()) if self._of_rows is None else float(right.float() @ self._of_rows[batch]),
            len(batch),
        )

    def _mean_loss(self, logits: Tensor, targets: Tensor, batch: NDArray[np.int64]) -> Tensor:
        """Of one opinion of each text after the other; weights have a mean of 1 over all training texts, not here."""
        if self._of_classes is None and self._of_rows is None:
            return torch.nn.functional.cross_entropy(logits, targets)
        losses = torch.nn.functional.cross_entropy(logits, targets, self._of_classes, reduction="none")
        if self._of_rows is not None:
            losses = losses * self._of_rows[batch].repeat(len(losses) // len(batch))
        return losses.mean()

    def validate(self, model: torch.nn.Module) -> dict[str, float] | None:
        if self._validation is None:
            return None
        assert isinstance(model, TextRNN)
        logits = torch.from_numpy(network_logits(model, self._validation.texts))
        target = torch.from_numpy(self._validation.numbers)
        right = (logits.argmax(1) == target).double()
        if self._validation.weights is None:
            return {"loss": torch.nn.functional.cross_entropy(logits, target).item(), "accuracy": right.mean().item()}
        losses = torch.nn.functional.cross_entropy(logits, target, reduction="none").double()
        share = torch.from_numpy(self._validation.weights / self._validation.weights.sum())
        return {"loss": (share @ losses).item(), "accuracy": (share @ right).item()}


def _of_mean_one(train: Labelled, weights: Weights, num_classes: int) -> tuple[Tensor | None, Tensor | None]:
    """[C] and [B] weights in the loss, such that the mean of their product over the training texts is 1.

    So a text of weight 2 moves the network as much as two texts, in whatever batch it is.
    """
    of_classes, of_rows = weights.in_loss(train.numbers, num_classes), weights.rows
    if of_rows is not None:
        of_rows = of_rows / of_rows.mean()
    if of_classes is not None:
        of_labels = of_classes[train.numbers] if train.probabilities is None else train.probabilities @ of_classes
        of_classes = of_classes / np.average(of_labels, weights=of_rows)
    return _tensor(of_classes), _tensor(of_rows)


def _tensor(weights: NDArray[np.float64] | None) -> Tensor | None:
    return None if weights is None else torch.from_numpy(weights).float()
