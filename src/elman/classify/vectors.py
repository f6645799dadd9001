"""Word vectors that a network starts from: read for its vocabulary, counted, put into its embedding."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from ..nn import TextRNN, current_generator
from ..text import UNKNOWN_ID, RaggedIds, TextTokenizer, read_vectors, shown, vector_format
from .config import ClassifierConfig

_FIRST = UNKNOWN_ID + 1  # the special ids before it are no words


def with_width(config: ClassifierConfig) -> ClassifierConfig:
    """With `embedding_dim` 0 replaced by the width of the file's vectors, of which only the start is read.

    Raises:
        DataError: no such file, or no word vectors in it.
        UsageError: an `embedding_dim` of another width, or a name that the settings cannot hold.
    """
    if not config.vectors:
        return config
    if shown(config.vectors) != str(config.vectors):
        raise UsageError(f"expected a file of word vectors whose name is UTF-8, got {shown(config.vectors)}")
    dim = vector_format(config.vectors).dim
    if config.embedding_dim not in (0, dim):
        raise UsageError(f"embedding_dim is {config.embedding_dim}, but the vectors in {config.vectors} are {dim} wide")
    return replace(config, embedding_dim=dim)


@dataclass(frozen=True)
class StartVectors:
    """
    Attributes:
        ids: [F] int64, the tokens that have a vector.
        values: [F, E] float32.
        coverage: `file` (its name), `kind`, `dim`, `rows` (words in the file), `tuned`, and how many have a vector:
            `vocabulary`, share of the tokens in the vocabulary but for the two special ones, and `tokens`, share of the
            tokens read in training, where unknown ones have none.
    """

    ids: NDArray[np.int64]
    values: NDArray[np.float32]
    coverage: dict[str, Any]

    @classmethod
    def read(
        cls,
        config: ClassifierConfig,
        tokenizer: TextTokenizer,
        train: RaggedIds,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Self:
        """The vectors of the vocabulary's tokens; words outside it have none, whatever texts they are in.

        Raises:
            DataError: see `text.read_vectors`; or the file has no token of the vocabulary.
        """
        words = tokenizer.words()[_FIRST:]
        found = read_vectors(config.vectors, words, progress)
        if not len(found.places):
            raise DataError(f"{config.vectors}: none of its {found.rows:,} words is in the data's vocabulary")
        ids = found.places + _FIRST
        known = np.zeros(tokenizer.vocab_size, bool)
        known[ids] = True
        coverage = {
            "file": Path(config.vectors).name,
            "kind": found.kind,
            "dim": found.vectors.shape[1],
            "rows": found.rows,
            "tuned": config.tune_vectors,
            "vocabulary": len(ids) / len(words),
            "tokens": float(known[train.ids].mean()),
        }
        return cls(ids, found.vectors, coverage)

    @torch.no_grad()
    def fill(self, network: TextRNN) -> None:
        """Into the embedding; all other rows, of the special tokens too, from N(0, s), s the deviation of `values`."""
        weight = network.embedding.weight
        torch.nn.init.normal_(weight, std=float(self.values.std()), generator=current_generator())
        weight[torch.from_numpy(self.ids)] = torch.from_numpy(self.values)
