"""A trained classifier: tokenizer, network, n-gram branch, and how their scores become probabilities."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax

from ..nn import BothWays, TextRNN
from ..settings import within_memory
from ..text import UNKNOWN_ID, Provenance, TextTokenizer
from .batches import Encoded, sorted_batches
from .config import BOTH, ClassifierConfig
from .ngrams import NGrams, feature_dim

_EVALUATION_BATCH = 128
_DEVIATION = 0.5  # of the logarithm of a weight of scores, before any is fitted


@dataclass
class Classifier:
    """
    Attributes:
        classes: [C] labels, sorted; column c of every score belongs to classes[c].
        ngrams: the n-gram evidence with its wide branch, or None.
        provenance: which columns and encoding it learned from; None of texts in memory.
        scales: weights of the network's and the wide branch's scores in the sum whose softmax is the probability.
    """

    config: ClassifierConfig
    classes: NDArray[Any]
    tokenizer: TextTokenizer
    network: TextRNN
    ngrams: NGrams | None = None
    scales: tuple[float, float] = field(default=(1.0, 1.0))
    provenance: Provenance | None = None

    def encode(self, texts: list[str]) -> Encoded:
        """Token ids, cut to the length that is read, with the n-grams' evidence."""
        ids = self.tokenizer.encode(texts, self.config.max_length, self.config.keep)
        return Encoded(ids, None if self.ngrams is None else self.ngrams.evidence(ids))

    def parts(self, texts: Encoded) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """[B, C] scores of the network, and of the wide branch if there is one."""
        network = network_logits(self.network, texts)
        if self.ngrams is None or texts.evidence is None:
            return network, None
        return network, self.ngrams.logits(texts.ids, texts.evidence.places)

    def weighed(self, network: NDArray[np.float32], wide: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """[B, C] the two scores as one, whose softmax are the probabilities."""
        scores = self.scales[0] * network
        return scores if wide is None else scores + self.scales[1] * wide

    def combine(self, network: NDArray[np.float32], wide: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """[B, C] probabilities, rows sum to 1."""
        return np.asarray(softmax(self.weighed(network, wide), axis=1))

    def scores(self, texts: list[str]) -> NDArray[np.float32]:
        """[B, C], whose softmax are the probabilities."""
        return self.weighed(*self.parts(self.encode(texts)))

    def probabilities(self, texts: list[str]) -> NDArray[np.float32]:
        """[B, C], rows sum to 1."""
        return self.combine(*self.parts(self.encode(texts)))


def build_network(
    config: ClassifierConfig,
    vocab_size: int,
    num_classes: int,
    begin_id: int | None = None,
    device: str = "cpu",
) -> TextRNN:
    """The untrained network of a configuration; its embedding is frozen if the settings leave word vectors as read.

    Args:
        begin_id: the token from which a language model's texts begin.
        device: "meta" for a network without memory, which only has sizes.
    """
    kind = BothWays if config.direction == BOTH else TextRNN
    with within_memory("the network"):
        network = kind(
            vocab_size,
            num_classes,
            feature_dim=feature_dim(config.ngrams, 1 if num_classes == 2 else num_classes) * config.ngram_features,
            unk_id=UNKNOWN_ID,
            begin_id=begin_id,
            device=device,
            dtype=torch.float32,  # whatever the process has as its default
            **config.network,
        )
    network.embedding.requires_grad_(config.tune_vectors)
    return network


@torch.no_grad()
def network_logits(network: TextRNN, texts: Encoded) -> NDArray[np.float32]:
    """[B, C] scores of the network alone, in evaluation mode; the mode it was in is put back."""
    was_training = network.training
    if was_training:  # else it stays untouched: several threads may predict at once
        network.eval()
    scores = np.empty((len(texts.ids), network.output.out_features), np.float32)
    for rows in sorted_batches(texts.ids.lengths, _EVALUATION_BATCH):
        ids, features = texts.batch(rows)
        scores[rows] = network(ids, features=features if network.feature_dim else None).numpy()
    if was_training:
        network.train()
    return scores


def fit_scales(
    network: NDArray[np.float32],
    wide: NDArray[np.float32] | None,
    numbers: NDArray[np.int64],
    weights: NDArray[np.float64] | None = None,
) -> tuple[float, float]:
    """Weights of the two scores that are likeliest on held-out rows (temperature scaling, Guo et al. 2017).

    Before any row is seen the weights that make the mean of the scores are the likeliest, each by a log-normal
    distribution of deviation 0.5: few rows, which may all be right, move them little.

    Args:
        network, wide: [B, C] scores; without the second its weight is 0.
        numbers: [B] right class numbers.
        weights: [B] as how many rows each counts, 1 if not given.
    """
    parts = [torch.from_numpy(s).double() for s in (network, wide) if s is not None]
    target = torch.from_numpy(numbers)
    rows = None if weights is None else torch.from_numpy(weights)
    usual = -math.log(len(parts))
    log_scales = torch.full((len(parts),), usual, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_scales], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = sum(scale.exp() * part for scale, part in zip(log_scales, parts, strict=True))
        away = ((log_scales - usual) ** 2).sum() / (2 * _DEVIATION**2)
        if rows is None:
            value = torch.nn.functional.cross_entropy(logits, target) + away / len(target)
        else:
            losses = torch.nn.functional.cross_entropy(logits, target, reduction="none")
            value = (losses @ rows + away) / rows.sum()
        value.backward()
        return value

    optimizer.step(loss)
    scales = log_scales.detach().exp().tolist()
    return scales[0], scales[1] if len(scales) > 1 else 0.0
