"""Batches of ragged ids, bucketed by length, in the layout the network reads."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.utils.rnn import PackedSequence

from ..ops import ragged
from ..text import RaggedIds

Rows = NDArray[np.int64]

_BUCKET = 50  # batches whose texts are sorted by length together: little padding, much randomness


def pack(texts: RaggedIds, rows: Rows) -> PackedSequence:
    """These texts as one ragged batch; empty ones count as rows without elements."""
    chosen = texts.select(rows)
    lengths = torch.from_numpy(chosen.lengths)
    order, inverse = ragged.sort_by_length(lengths)
    batch_sizes = ragged.batch_sizes_of(lengths)
    row, step = ragged.rows_and_steps(batch_sizes)
    place = torch.from_numpy(chosen.offsets)[order[row]] + step
    return PackedSequence(torch.from_numpy(chosen.ids)[place].long(), batch_sizes, order, inverse)


def shuffled_batches(lengths: NDArray[np.int64], batch_size: int, generator: np.random.Generator) -> list[Rows]:
    """Every row once, in random batches of similar lengths, the batches in random order."""
    rows = generator.permutation(len(lengths))
    batches = []
    for start in range(0, len(rows), batch_size * _BUCKET):
        bucket = rows[start : start + batch_size * _BUCKET]
        bucket = bucket[np.argsort(lengths[bucket], kind="stable")]
        batches.extend(bucket[i : i + batch_size] for i in range(0, len(bucket), batch_size))
    return [batches[i] for i in generator.permutation(len(batches))]


def sorted_batches(lengths: NDArray[np.int64], batch_size: int) -> list[Rows]:
    """Every row once, shortest first."""
    rows = np.argsort(lengths, kind="stable")
    return [rows[i : i + batch_size] for i in range(0, len(rows), batch_size)]
