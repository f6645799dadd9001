"""An output layer that begins as logistic regression on what a language model makes of the texts.

Fine-tuning from a random output moves the layers below before the output says where to; with few texts the language
model's knowledge is spent on that. Kumar et al. (2022), "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", fit the output first, with the rest frozen, and tune everything from there.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from ..nn import BothWays, TextRNN
from .batches import sorted_batches
from .task import Labelled

_MOST_TEXTS = 4000
_BATCH = 128


@torch.no_grad()
def start_output(network: TextRNN, train: Labelled, *, balanced: bool, seed: int) -> None:
    """Fit the output of a network, or of each of two read both ways, on the first texts at most; see the module.

    The penalty falls with the root of the number of texts.
    """
    from sklearn.linear_model import LogisticRegression  # a second to import

    rows = np.arange(min(len(train.numbers), _MOST_TEXTS))
    numbers = train.numbers[rows]
    known = np.unique(numbers)
    if len(known) < network.output.out_features:
        return
    for part in (network, network.other) if isinstance(network, BothWays) else (network,):
        vectors = _pooled(part, train, rows)
        mean, spread = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
        regression = LogisticRegression(
            C=0.1 / len(rows) ** 0.5,
            max_iter=1000,
            class_weight="balanced" if balanced else None,
            random_state=seed,
        )
        regression.fit((vectors - mean) / spread, numbers)
        weight = regression.coef_ / spread
        bias = regression.intercept_ - weight @ mean
        if len(weight) == 1:
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        part.output.weight.copy_(torch.from_numpy(weight))
        part.output.bias.copy_(torch.from_numpy(bias))


def _pooled(network: TextRNN, train: Labelled, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """[n, F] of these texts, in evaluation mode; the mode it was in is put back."""
    was_training = network.training
    network.eval()
    vectors = np.empty((len(rows), network.output.in_features))
    for places in sorted_batches(train.texts.ids.lengths[rows], _BATCH):
        ids, features = train.texts.batch(rows[places])
        vectors[places] = network.pooled(ids, features=features if network.feature_dim else None).numpy()
    network.train(was_training)
    return vectors
