"""Batches of encoded texts, bucketed by length, in the layout the network reads."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..ops import ragged
from ..text import RaggedIds
from .ngrams import Evidence

Rows = NDArray[np.int64]

_BUCKET = 50  # batches whose texts are sorted by length together: little padding, much randomness


class Batch(NamedTuple):
    """What `TextRNN` reads: ids as a PackedSequence, and [N, F] features of the same elements or None."""

    ids: PackedSequence
    features: Tensor | None


@dataclass(frozen=True)
class Encoded:
    """Texts as ids, with the n-gram evidence that the network sees, if any."""

    ids: RaggedIds
    evidence: Evidence | None = None

    def batch(self, rows: Rows) -> Batch:
        """These texts as one ragged batch; empty ones count as rows without elements."""
        lengths = torch.from_numpy(self.ids.lengths[rows])
        order, inverse = ragged.sort_by_length(lengths)
        batch_sizes = ragged.batch_sizes_of(lengths)
        row, step = (index.numpy() for index in ragged.rows_and_steps(batch_sizes))
        owner = rows[order.numpy()[row]]
        elements = self.ids.offsets[owner] + step
        ids = torch.from_numpy(self.ids.ids[elements]).long()
        features = None
        if self.evidence is not None:
            features = torch.from_numpy(self.evidence.features(elements, owner))
        return Batch(PackedSequence(ids, batch_sizes, order, inverse), features)


def shuffled_batches(lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator) -> list[Rows]:
    """Every row once, in random batches of similar lengths, the batches in random order."""
    rows = generator.permutation(len(lengths))
    batches: list[Rows] = []
    for start in range(0, len(rows), batch_size * _BUCKET):
        bucket = rows[start : start + batch_size * _BUCKET]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches.extend(bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size))
    return [batches[i] for i in generator.permutation(len(batches))]


def sorted_batches(lengths: NDArray[np.int64], batch_size: int) -> list[Rows]:
    """Every row once, shortest first."""
    rows = np.argsort(lengths, kind="stable")
    return [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
