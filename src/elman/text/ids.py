"""Many texts as token ids in two arrays: the ragged form that encoding produces and batches are taken from."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

KEEP = ("start", "end", "both")


@dataclass(frozen=True)
class RaggedIds:
    """
    Attributes:
        ids: [N] int32, the tokens of all texts one after the other.
        offsets: [B + 1] int64; text b is ids[offsets[b] : offsets[b + 1]].
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]

    @classmethod
    def from_lists(cls, texts: Iterable[ArrayLike]) -> "RaggedIds":
        rows = [np.asarray(text, np.int32) for text in texts]
        ids = np.concatenate([np.empty(0, np.int32), *rows])
        return cls(ids, np.cumsum([0, *map(len, rows)], dtype=np.int64))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> NDArray[np.int32]:
        return self.ids[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """[B] tokens of each text."""
        return np.diff(self.offsets)

    def select(self, rows: NDArray[np.int64]) -> "RaggedIds":
        """The texts of these rows, in this order."""
        lengths = self.lengths[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        place = np.repeat(self.offsets[rows] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return RaggedIds(self.ids[place], offsets)

    def cut(self, max_length: int, keep: str) -> "RaggedIds":
        """Texts of at most `max_length` tokens (0: any length), keeping their start, their end, or half of both."""
        lengths = self.lengths
        if max_length == 0 or not (lengths > max_length).any():
            return self
        head, tail = share_of_ends(max_length, keep)
        parts = []
        for start, end in pairwise(self.offsets.tolist()):
            if end - start <= max_length:
                parts.append(self.ids[start:end])
            else:
                parts += [self.ids[start : start + head], self.ids[end - tail : end]]
        offsets = np.concatenate([[0], np.cumsum(np.minimum(lengths, max_length))]).astype(np.int64)
        return RaggedIds(np.concatenate(parts), offsets)


def share_of_ends(max_length: int, keep: str) -> tuple[int, int]:
    """How many tokens of a longer text are read at its start, and how many at its end."""
    head = {"start": max_length, "end": 0, "both": (max_length + 1) // 2}[keep]
    return head, max_length - head
