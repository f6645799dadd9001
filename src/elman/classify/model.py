"""A trained classifier: tokenizer, network, n-gram branch, and how their scores become probabilities."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..nn import TextRNN
from ..text import UNKNOWN_ID, RaggedIds, TextTokenizer
from .batches import pack, sorted_batches
from .config import ClassifierConfig
from .ngram_branch import NGramBranch

_EVALUATION_BATCH = 128


@dataclass
class Classifier:
    """
    Attributes:
        classes: [C] labels, sorted; column c of every score belongs to classes[c].
        ngrams: the wide branch, or None.
        scales: weights of the network's and the n-gram branch's scores in the sum whose softmax is the probability.
    """

    config: ClassifierConfig
    classes: NDArray[Any]
    tokenizer: TextTokenizer
    network: TextRNN
    ngrams: NGramBranch | None = None
    scales: tuple[float, float] = field(default=(1.0, 1.0))

    def encode(self, texts: list[str]) -> RaggedIds:
        """Token ids, cut to the length the network reads."""
        return self.tokenizer.encode(texts).cut(self.config.max_length, self.config.keep)

    def logits(self, texts: RaggedIds) -> NDArray[np.float32]:
        """[B, C] scores whose softmax are the probabilities."""
        scores = self.scales[0] * network_logits(self.network, texts)
        if self.ngrams is not None:
            scores = scores + self.scales[1] * self.ngrams.logits(texts)
        return scores

    def probabilities(self, texts: list[str]) -> NDArray[np.float32]:
        """[B, C], rows sum to 1."""
        return softmax(self.logits(self.encode(texts)))


def build_network(config: ClassifierConfig, vocab_size: int, num_classes: int) -> TextRNN:
    """The untrained network of a configuration."""
    return TextRNN(
        vocab_size,
        num_classes,
        embedding_dim=config.embedding_dim,
        hidden_size=config.hidden_size,
        num_layers=config.num_layers,
        cell=config.cell,
        nonlinearity=config.nonlinearity,
        bidirectional=config.bidirectional,
        merge=config.merge,
        pooling=config.pooling,
        dropout=config.dropout,
        embedding_dropout=config.embedding_dropout,
        word_dropout=config.word_dropout,
        unk_id=UNKNOWN_ID,
    )


@torch.no_grad()
def network_logits(
    network: TextRNN, texts: RaggedIds, progress: Callable[[int], None] | None = None
) -> NDArray[np.float32]:
    """[B, C] scores of the network alone, in evaluation mode; the mode it was in is put back."""
    was_training = network.training
    network.eval()
    scores = np.empty((len(texts), network.output.out_features), np.float32)
    for rows in sorted_batches(texts.lengths, _EVALUATION_BATCH):
        scores[rows] = network(pack(texts, rows)).numpy()
        if progress is not None:
            progress(len(rows))
    network.train(was_training)
    return scores


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Along the last axis."""
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exp / exp.sum(axis=1, keepdims=True), np.float32)


def fit_scales(
    network: NDArray[np.float32], ngrams: NDArray[np.float32] | None, numbers: NDArray[np.int64]
) -> tuple[float, float]:
    """Weights of the two scores that minimise the log-loss on held-out rows (temperature scaling, Guo et al. 2017).

    Args:
        network, ngrams: [B, C] scores; without the second its weight is 0.
        numbers: [B] right class numbers.
    """
    parts = [torch.from_numpy(s).double() for s in (network, ngrams) if s is not None]
    target = torch.from_numpy(numbers)
    log_scales = torch.zeros(len(parts), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_scales], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = sum(scale.exp() * part for scale, part in zip(log_scales, parts, strict=True))
        # The small pull to 1 keeps a scale finite where the rows are separated perfectly or the part is useless.
        value = torch.nn.functional.cross_entropy(logits, target) + 1e-3 * (log_scales**2).sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    scales = log_scales.detach().exp().tolist()
    return scales[0], scales[1] if len(scales) > 1 else 0.0
