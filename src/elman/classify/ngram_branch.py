"""The wide branch: logistic regression on naive-Bayes-weighted n-grams.

Wang & Manning (2012), "Baselines and Bigrams", with logistic regression as in Mesnil et al. (2015), who showed that it
and a recurrent network err on different reviews. Each n-gram counts by its log-ratio between a class and the rest,
and each text's features are scaled to length 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from ..text import RaggedIds, fit_ngrams, ngram_matrix

_SMOOTHING = 1.0
_INVERSE_PENALTY = 10.0
_MIN_TEXTS = 2


@dataclass(frozen=True)
class NGramBranch:
    """
    Attributes:
        longest: n of the longest n-grams.
        keys: [F] uint64, sorted; the n-grams known.
        ratio: [F, K] float32, log-ratio of each n-gram; K = 1 for two classes, C for more (one against the rest).
        weight: [F, K] float32, learned.
        bias: [K] float32.
    """

    longest: int
    keys: NDArray[np.uint64]
    ratio: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def fit(
        cls, texts: RaggedIds, numbers: NDArray[np.int64], num_classes: int, longest: int, class_weight: str, seed: int
    ) -> "NGramBranch":
        """Learn from texts and their class numbers [B]."""
        keys, matrix = fit_ngrams(texts, longest, _MIN_TEXTS if len(texts) > 1000 else 1)
        columns = [1] if num_classes == 2 else list(range(num_classes))
        ratio = np.empty((len(keys), len(columns)), np.float32)
        weight = np.zeros_like(ratio)
        bias = np.zeros(len(columns), np.float32)
        for column, number in enumerate(columns):
            own = numbers == number
            ratio[:, column] = _log_ratio(matrix[own]) - _log_ratio(matrix[~own])
            regression = LogisticRegression(
                C=_INVERSE_PENALTY,
                solver="liblinear",
                dual=True,
                tol=0.01,
                class_weight="balanced" if class_weight == "balanced" else None,
                random_state=seed,
            )
            regression.fit(_scaled(matrix, ratio[:, column]), own)
            weight[:, column] = regression.coef_[0]
            bias[column] = regression.intercept_[0]
        return cls(longest, keys, ratio, weight, bias)

    def logits(self, texts: RaggedIds) -> NDArray[np.float32]:
        """[B, C] class scores."""
        matrix = ngram_matrix(texts, self.longest, self.keys)
        scores = np.empty((len(texts), len(self.bias)), np.float32)
        for column, bias in enumerate(self.bias):
            scaled = _scaled(matrix, self.ratio[:, column])
            scores[:, column] = scaled @ self.weight[:, column] + bias
        return np.concatenate([-scores, scores], axis=1) / 2 if len(self.bias) == 1 else scores


def _log_ratio(matrix: sparse.csr_matrix) -> NDArray[np.float64]:
    """Log of each n-gram's smoothed share of all occurrences."""
    count = np.asarray(matrix.sum(axis=0)).ravel() + _SMOOTHING
    return np.asarray(np.log(count / count.sum()))


def _scaled(matrix: sparse.csr_matrix, ratio: NDArray[np.float32]) -> sparse.csr_matrix:
    """Features times their ratio, each text's vector of length 1 (0 stays 0)."""
    scaled = matrix.copy()
    scaled.data = ratio[matrix.indices]
    norm = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    scaled.data /= np.repeat(np.maximum(norm, 1e-12), np.diff(matrix.indptr)).astype(np.float32)
    return scaled
