"""Naive-Bayes evidence of n-grams: what the network reads beside the words, and a linear classifier of its own.

The log-ratio of an n-gram says how much more often texts of a class have it than other texts. It enters twice:

- as features of each token (of the n-grams that end there), so that the recurrent network weighs them in context.
  Ratios that a training text sees are counted without that text's fold, or they would give its label away.
- as the wide branch, logistic regression on ratio-weighted n-grams (Wang & Manning 2012, "Baselines and Bigrams";
  Mesnil et al. 2015 found that it and a recurrent network err on different reviews).
"""

import os
import threading
import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..text import RaggedIds, frequent_ngrams, ngram_places
from .weights import Weights

_SMOOTHING = 1.0
_INVERSE_PENALTY = 10.0
_MOST_RATIOS = 2**24
_FOLDS = 10
_MOST_FEATURE_CLASSES = 64  # beyond, features of every class would be wider than the word vectors
_ALIKE = Weights()

_locks: dict[int, threading.Lock] = {}


def _one_at_a_time() -> threading.Lock:
    """liblinear draws from one generator of the whole process. A lock for each process: a fork copies held ones."""
    return _locks.setdefault(os.getpid(), threading.Lock())


@dataclass(frozen=True)
class NGrams:
    """
    Attributes:
        longest: n of the longest n-grams.
        keys: [F] uint64, sorted; the n-grams known.
        ratio: [F, K] float32, log-ratio of each n-gram; K = 1 for two classes, C for more (one against the rest).
        weight: [F, K] float32, of the wide branch.
        bias: [K] float32, of the wide branch.
    """

    longest: int
    keys: NDArray[np.uint64]
    ratio: NDArray[np.float32]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def fit(
        cls,
        texts: RaggedIds,
        numbers: NDArray[np.int64],
        num_classes: int,
        longest: int,
        *,
        weights: Weights = _ALIKE,
        seed: int,
    ) -> tuple[Self, "Evidence"]:
        """Learn from texts and their class numbers [B]; also the evidence that the training texts see.

        A text of weight 2 counts as two. The weights of classes are those of the wide branch alone: a ratio is of
        shares within a class, however often the class is.
        """
        from sklearn.exceptions import ConvergenceWarning  # a second to import, which prediction need not wait for
        from sklearn.linear_model import LogisticRegression

        columns = [1] if num_classes == 2 else list(range(num_classes))
        keys = frequent_ngrams(texts, longest, _MOST_RATIOS // len(columns), weights.rows)
        keys = keys if len(keys) else np.zeros(1, np.uint64)  # of no n-gram: what has none has no evidence
        places = ngram_places(texts, longest, keys)
        matrix = _presence(texts, places, len(keys))
        counted = matrix if weights.rows is None else sparse.diags(weights.rows) @ matrix
        folds = np.random.default_rng(seed).integers(0, min(_FOLDS, len(texts)), len(texts))
        shape = (int(folds.max()) + 1, len(keys), len(columns))
        ratio, held_out = np.empty(shape[1:], np.float32), np.empty(shape, np.float32)
        weight, bias = np.empty(shape[1:], np.float32), np.empty(len(columns), np.float32)
        for column, number in enumerate(columns):
            own = numbers == number
            ratio[:, column], held_out[:, :, column] = _ratios(counted.tocsr(), own, folds)
            regression = LogisticRegression(
                C=_INVERSE_PENALTY,
                solver="liblinear",
                dual=True,
                tol=0.01,
                random_state=seed,
            )
            with _one_at_a_time(), warnings.catch_warnings():
                # Texts that few n-grams tell apart: its scores are weighed by held-out texts, near is near enough.
                warnings.simplefilter("ignore", ConvergenceWarning)
                regression.fit(_scaled(matrix, ratio[:, column]), own, sample_weight=weights.of_sides(numbers, own))
            weight[:, column] = regression.coef_[0]
            bias[column] = regression.intercept_[0]
        return cls(longest, keys, ratio, weight, bias), Evidence(places, held_out, folds)

    def feature_dim(self) -> int:
        """Features per token, 0 with too many classes."""
        return feature_dim(self.longest, self.ratio.shape[1])

    def evidence(self, texts: RaggedIds) -> "Evidence":
        """What texts other than those of training see."""
        return Evidence(ngram_places(texts, self.longest, self.keys), self.ratio[None], np.zeros(len(texts), np.int64))

    def logits(self, texts: RaggedIds, places: NDArray[np.int32]) -> NDArray[np.float32]:
        """[B, C] scores of the wide branch; `places` as in Evidence."""
        matrix = _presence(texts, places, len(self.keys))
        scores = np.empty((len(texts), len(self.bias)), np.float32)
        for column, bias in enumerate(self.bias):
            scores[:, column] = _scaled(matrix, self.ratio[:, column]) @ self.weight[:, column] + bias
        return np.concatenate([-scores / 2, scores / 2], axis=1) if len(self.bias) == 1 else scores


@dataclass(frozen=True)
class Evidence:
    """The n-grams of texts and the ratios that they see.

    Attributes:
        places: [N, longest] int32, index of the n-grams that end at each token; -1 for none.
        ratios: [folds, F, K] float32.
        folds: [B] the fold whose ratios each text sees.
    """

    places: NDArray[np.int32]
    ratios: NDArray[np.float32]
    folds: NDArray[np.int64]

    def features(self, elements: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """[n, longest * K] of these elements, each of which belongs to the text of the same position in `rows`."""
        places = self.places[elements]
        ratios = self.ratios[self.folds[rows][:, None], places]
        ratios[places < 0] = 0
        return ratios.reshape(len(elements), self.places.shape[1] * self.ratios.shape[2])


def feature_dim(longest: int, columns: int) -> int:
    """Width of `Evidence.features`; 0 where the network gets none."""
    return longest * columns if columns <= _MOST_FEATURE_CLASSES else 0


def _presence(texts: RaggedIds, places: NDArray[np.int32], known: int) -> sparse.csr_matrix:
    """[B, F] with 1 where the text has the n-gram."""
    rows = np.repeat(np.arange(len(texts)), texts.lengths)
    hit = places >= 0
    owners = np.broadcast_to(rows[:, None], places.shape)[hit]
    ones = np.ones(len(owners), np.float32)
    matrix = sparse.csr_matrix((ones, (owners, places[hit])), shape=(len(texts), known))
    matrix.data[:] = 1  # the constructor has added repeats up
    return matrix


def _ratios(
    matrix: sparse.csr_matrix, own: NDArray[np.bool_], folds: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log-ratio of own texts to the rest: over all texts [F], and without each fold [folds, F]."""
    logs, whole = [], []
    for side in (own, ~own):
        parts = np.stack([np.asarray(matrix[side & (folds == f)].sum(axis=0)).ravel() for f in range(folds.max() + 1)])
        total = parts.sum(axis=0)
        logs.append(_log_share(total - parts))
        whole.append(_log_share(total))
    return whole[0] - whole[1], logs[0] - logs[1]


def _log_share(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    smoothed = counts + _SMOOTHING
    return np.asarray(np.log(smoothed / smoothed.sum(axis=-1, keepdims=True)))


def _scaled(matrix: sparse.csr_matrix, ratio: NDArray[np.float32]) -> sparse.csr_matrix:
    """Features times their ratio, each text's vector of length 1 (0 stays 0)."""
    scaled = matrix.copy()
    scaled.data = ratio[matrix.indices]
    norm = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    scaled.data /= np.repeat(np.maximum(norm, 1e-12), np.diff(matrix.indptr)).astype(np.float32)
    return scaled
