"""Predicting words as the training loop sees it: chunks of streams and the words in them."""

import numpy as np
import torch
from torch import Tensor

from ..nn import LanguageModel
from ..text import END_ID, RaggedIds
from .config import LanguageConfig
from .reading import negative_log_likelihood
from .streams import Chunk, Streams, training_streams


class LanguageTask:
    """A `training.Task` over documents; the loss is in nats a word."""

    def __init__(self, train: RaggedIds, validation: RaggedIds | None, config: LanguageConfig) -> None:
        self._train, self._validation, self._config = train, validation, config

    def batches(self, epoch: int) -> Streams:
        config = self._config
        return training_streams(
            self._train,
            END_ID,
            batch_size=config.batch_size,
            steps=config.bptt,
            jitter=config.jitter,
            backward=config.backward,
            generator=np.random.default_rng((config.seed, epoch)),
        )

    def loss(self, model: torch.nn.Module, batch: Chunk) -> tuple[Tensor, None, int]:
        assert isinstance(model, LanguageModel)
        states = model.states(*batch.sides(model.bidirectional))
        output = model.dropped(states)
        count = batch.target.numel()
        loss = model.softmax.loss(output.flatten(0, 1), batch.target.flatten()) / count
        penalty = self._penalty(output, states)
        if penalty is not None:
            loss = loss + (penalty - penalty.detach())  # in the gradient, not in the figure
        return loss, None, count

    def _penalty(self, output: Tensor, states: Tensor) -> Tensor | None:
        """Merity, McCann & Socher (2017), "Revisiting Activation Regularization for Language RNNs", eq. 1 and 2.

        AR is of the output after dropout, TAR of the states before it.
        """
        config = self._config
        penalty = config.activation * output.square().mean() if config.activation else None
        if config.slowness and len(states) > 1:
            slow = config.slowness * (states[1:] - states[:-1]).square().mean()
            penalty = slow if penalty is None else penalty + slow
        return penalty

    def validate(self, model: torch.nn.Module) -> dict[str, float] | None:
        if self._validation is None:
            return None
        assert isinstance(model, LanguageModel)
        total, count = negative_log_likelihood(model, self._validation, backward=self._config.backward)
        return {"loss": total / count}
