"""An output layer that begins as logistic regression on what a language model makes of the texts.

Fine-tuning from a random output moves the layers below before the output says where to; with few texts the language
model's knowledge is spent on that. Kumar et al. (2022), "Fine-Tuning can Distort Pretrained Features and Underperform
Out-of-Distribution", fit the output first, with the rest frozen, and tune everything from there.
"""

from collections.abc import Callable

import numpy as np
import torch

from ..nn import BothWays, TextRNN
from .model import of_each_text
from .task import Labelled

_MOST_TEXTS = 4000


@torch.no_grad()
def start_output(
    network: TextRNN, train: Labelled, *, balanced: bool, seed: int, stage: Callable[[str], None] = lambda name: None
) -> None:
    """Fit the output of a network, or of each of two read both ways; see the module.

    The penalty falls with the root of the number of texts. With more than 4,000 texts nothing is fitted: there tuning
    gets as far from a random output, and the fitted one, which has seen no dropout, only makes the first losses large.
    """
    numbers = train.numbers
    if len(numbers) > _MOST_TEXTS or len(np.unique(numbers)) < network.output.out_features:
        return
    stage("fitting the output")
    from sklearn.linear_model import LogisticRegression  # a second to import

    for part in (network, network.other) if isinstance(network, BothWays) else (network,):
        vectors = of_each_text(part, train.texts, part.pooled, part.output.in_features).astype(np.float64)
        mean, spread = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
        regression = LogisticRegression(
            C=0.1 / len(numbers) ** 0.5,
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
