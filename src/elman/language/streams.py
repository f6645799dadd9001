"""Documents as streams of words that are read side by side, a chunk of steps at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..text import RaggedIds

IGNORED = -1  # the target where a stream has come to its end before the others
_SHORTEST = 5


class Chunk(NamedTuple):
    """T steps of B streams, [T, B] each.

    Attributes:
        target: the words themselves; IGNORED behind the end of a stream.
        left, right: the words before and after; at either end of a document the token that ends one.
        starts, ends: which words are the first and the last of a document.
        rate_scale: the chunk's length as a share of the usual one.
    """

    target: Tensor
    left: Tensor
    starts: Tensor
    right: Tensor
    ends: Tensor
    rate_scale: float = 1.0

    def sides(self, both: bool) -> tuple[Tensor, ...]:
        """What a network reads: the left side, and the right one too if it is bidirectional."""
        return (self.left, self.starts, self.right, self.ends) if both else (self.left, self.starts)


@dataclass(frozen=True)
class Streams(Sequence[Chunk]):
    """The chunks of some documents, made when they are asked for.

    Attributes:
        corpus: all documents, of which `order` [D] is read, one after the other.
        cumulated: [D + 1] tokens before each document of the order.
        first, length: [B] of each stream its first token, counted over the order, and how many it has.
        bounds: [K, 2] first step of each chunk and the one after its last.
        usual: steps of a usual chunk.
        backward: documents are read from their end, but for the token that ends them.
    """

    corpus: RaggedIds
    end_id: int
    order: NDArray[np.int64]
    cumulated: NDArray[np.int64]
    first: NDArray[np.int64]
    length: NDArray[np.int64]
    bounds: NDArray[np.int64]
    usual: int
    backward: bool = False

    def __len__(self) -> int:
        return len(self.bounds)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return replace(self, bounds=self.bounds[index])
        start, end = self.bounds[index]
        return self._chunk(int(start), int(end))

    def __iter__(self) -> Iterator[Chunk]:
        return (self[number] for number in range(len(self)))

    def places(self, number: int) -> NDArray[np.int64]:
        """[T, B] where the words of a chunk stand in `corpus.ids`; IGNORED behind the end of a stream."""
        steps = np.arange(*self.bounds[number])[:, None]
        index, _ = self._index((self.first + steps) % self.cumulated[-1])
        return np.where(steps < self.length, index, IGNORED)

    def _chunk(self, start: int, end: int) -> Chunk:
        # One word before and one behind the chunk are its outer neighbours.
        steps = np.arange(start - 1, end + 1)
        place = (self.first + steps[:, None]) % self.cumulated[-1]
        index, begins = self._index(place)
        words = self.corpus.ids[index].astype(np.int64)
        # The state of a stream begins at zero even where it is cut out of the middle of a document.
        starts = begins[1:-1] | (steps[1:-1, None] == 0)
        target, ends = words[1:-1], begins[2:]
        left = np.where(begins[1:-1], self.end_id, words[:-2])
        right = np.where(ends, self.end_id, words[2:])
        target = np.where(steps[1:-1, None] < self.length, target, IGNORED)
        scale = (end - start) / self.usual
        return Chunk(_tensor(target), _tensor(left), _tensor(starts), _tensor(right), _tensor(ends), scale)

    def documents(self, index: int) -> NDArray[np.int64]:
        """[T, B] of each word of a chunk the number of its document."""
        steps = np.arange(*self.bounds[index])
        place = (self.first + steps[:, None]) % self.cumulated[-1]
        numbers: NDArray[np.int64] = self.order[np.searchsorted(self.cumulated, place, "right") - 1]
        return numbers

    def _index(self, place: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where in the corpus these places of the order are, and whether they are the first of their document."""
        number = np.searchsorted(self.cumulated, place, "right") - 1
        within = place - self.cumulated[number]
        document = self.order[number]
        offset = within
        if self.backward:
            last = self.corpus.lengths[document] - 1
            offset = np.where(within < last, last - 1 - within, within)
        return self.corpus.offsets[document] + offset, within == 0


def training_streams(
    corpus: RaggedIds,
    end_id: int,
    *,
    batch_size: int,
    steps: int,
    jitter: bool,
    backward: bool,
    generator: np.random.Generator,
) -> Streams:
    """All documents in random order as one text, cut into `batch_size` streams of equal length.

    The last stream goes on with the first words where the text does not divide. With `jitter` the chunks' lengths vary,
    so that a word is not always as far from its chunk's start (Merity et al. 2018, section 5): N(s, 5) with s = steps
    in 95 of 100 cases, else half of that, and 5 at least.
    """
    order = generator.permutation(len(corpus))
    cumulated = _cumulated(corpus, order)
    streams = min(batch_size, int(cumulated[-1]))
    length = -(-int(cumulated[-1]) // streams)
    cuts = [0]
    while cuts[-1] < length:
        wanted = steps
        if jitter:
            mean = steps if generator.random() < 0.95 else steps / 2
            wanted = max(min(_SHORTEST, steps), round(generator.normal(mean, 5)))
        cuts.append(min(length, cuts[-1] + wanted))
    return Streams(
        corpus,
        end_id,
        order,
        cumulated,
        np.arange(streams, dtype=np.int64) * length,
        np.full(streams, length),
        np.stack([cuts[:-1], cuts[1:]], 1),
        steps,
        backward,
    )


def whole_documents(
    corpus: RaggedIds, end_id: int, *, batch_size: int = 64, tokens: int = 8192, backward: bool = False
) -> Streams:
    """Every document once, whole, in at most `batch_size` streams, in chunks of about `tokens` words of all streams.

    A single stream reads them in their order.
    """
    lengths = corpus.lengths
    count = min(batch_size, len(corpus))
    longest_first = np.argsort(-lengths, kind="stable") if count > 1 else range(len(corpus))
    streams: list[list[int]] = [[] for _ in range(count)]
    sizes = np.zeros(count, np.int64)
    for document in longest_first:
        shortest = int(sizes.argmin())
        streams[shortest].append(int(document))
        sizes[shortest] += lengths[document]
    order = np.array([document for stream in streams for document in stream], np.int64)
    steps = max(1, tokens // count)
    starts = np.arange(0, int(sizes.max()), steps)
    bounds = np.stack([starts, np.minimum(starts + steps, sizes.max())], 1)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return Streams(corpus, end_id, order, _cumulated(corpus, order), first, sizes, bounds, steps, backward)


def _cumulated(corpus: RaggedIds, order: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(corpus.lengths[order])]).astype(np.int64)


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
