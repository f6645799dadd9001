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


@dataclass(frozen=True)
class Labelled:
    """Encoded texts with their class numbers [B], and where these are not certain the classes' probabilities [B, C]."""

    texts: Encoded
    numbers: NDArray[np.int64]
    probabilities: NDArray[np.float32] | None = None

    def targets(self, rows: NDArray[np.int64]) -> Tensor:
        """What the loss of these texts is of: class numbers [n], or probabilities [n, C]."""
        return torch.from_numpy((self.numbers if self.probabilities is None else self.probabilities)[rows])


class ClassificationTask:
    """A `training.Task` over labelled texts."""

    def __init__(
        self, train: Labelled, validation: Labelled | None, num_classes: int, config: ClassifierConfig
    ) -> None:
        self._train, self._validation, self._config = train, validation, config
        self._weight = None
        if config.class_weight == "balanced":
            counts = np.bincount(train.numbers, minlength=num_classes)
            self._weight = torch.from_numpy(len(train.numbers) / (num_classes * np.maximum(counts, 1))).float()

    def batches(self, epoch: int) -> list[NDArray[np.int64]]:
        generator = np.random.default_rng((self._config.seed, epoch))
        return shuffled_batches(self._train.texts.ids.lengths, self._config.batch_size, generator)

    def loss(self, model: torch.nn.Module, batch: NDArray[np.int64]) -> tuple[Tensor, int, int]:
        assert isinstance(model, TextRNN)
        ids, features = self._train.texts.batch(batch)
        target, likeliest = self._train.targets(batch), torch.from_numpy(self._train.numbers[batch])
        opinions: list[Tensor] = []

        def loss() -> Tensor:
            """Mean over the texts, and over the networks that have an opinion of each."""
            opinions.append(model.opinions(ids, features=features if self._config.ngram_features else None))
            targets = target.expand(len(opinions[-1]), *target.shape).flatten(0, 1)
            return torch.nn.functional.cross_entropy(opinions[-1].flatten(0, 1), targets, self._weight)

        value = adversarial_loss(model, loss, self._config.adversarial) if self._config.adversarial else loss()
        return value, int((opinions[0].mean(0).argmax(1) == likeliest).sum()), len(batch)

    def validate(self, model: torch.nn.Module) -> dict[str, float] | None:
        if self._validation is None:
            return None
        assert isinstance(model, TextRNN)
        logits = torch.from_numpy(network_logits(model, self._validation.texts))
        target = torch.from_numpy(self._validation.numbers)
        loss = torch.nn.functional.cross_entropy(logits, target)
        return {"loss": loss.item(), "accuracy": (logits.argmax(1) == target).double().mean().item()}
