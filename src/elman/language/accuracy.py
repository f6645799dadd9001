"""How often a model's likeliest words are the right one."""

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..nn import Softmax
from ..text import END_ID, ColumnNames, Documents, RaggedIds, Say, corpus, once, warn
from .fill import SPECIALS, sides
from .model import TrainedLanguageModel
from .reading import figures
from .streams import whole_documents

_STREAMS = 64
_SCORES = 1 << 22  # computed at a time: 16 MiB in float32


def accuracy(
    model: TrainedLanguageModel,
    files: Sequence[str | Path],
    *,
    text_column: ColumnNames = None,
    encoding: str | None = None,
    quoting: str | None = None,
    progress: Callable[[int, int], None] = lambda done, chunks: None,
    say: Say = warn,
) -> dict[str, Any]:
    """Of every known word of some files: how often it is the likeliest, and how often among the likeliest five.

    Args:
        files: as of `pretrain`.
        text_column, encoding, quoting: None for those of the training, where a file has them.
        say: is told what is read other than in training.
    Returns:
        as `accuracy_on`.
    Raises:
        DataError, EncodingError, ColumnError: as `read_texts`.
    """
    documents = Documents(
        files,
        model.config.documents,
        text_column,
        encoding,
        quoting=quoting,
        trained_on=model.provenance,
        say=once(say),
    )
    documents.check_columns()
    with tempfile.TemporaryDirectory() as folder:
        return accuracy_on(model, corpus.encode(documents, model.tokenizer, Path(folder) / "text"), progress)


def accuracy_on(
    model: TrainedLanguageModel,
    documents: RaggedIds,
    progress: Callable[[int, int], None] = lambda done, chunks: None,
) -> dict[str, Any]:
    """The same of encoded documents.

    Documents are read as in training: one after the other, the state carried along, and what stands on the right up
    to the end of a chunk of `bptt` steps and one word beyond.

    Returns:
        words (unknown ones and ends do not count and are not guessed), top_1, top_5, and sides, "from both sides" or
        the one that the model reads from.
    """
    tokens = model.config.bptt * min(_STREAMS, len(documents))
    streams = whole_documents(documents, END_ID, batch_size=_STREAMS, tokens=tokens, backward=model.config.backward)
    ranks = figures(model.network, streams, partial(ranks_of, model.network.softmax), progress)
    ranks = ranks[documents.ids >= SPECIALS]
    counted = max(1, len(ranks))
    found = {f"top_{top}": float((ranks < top).sum()) / counted for top in (1, 5)}
    return {"words": len(ranks), **found, "sides": sides(model.config)}


def ranks_of(softmax: Softmax, x: Tensor, words: Tensor) -> Tensor:
    """[n] the `rank` of each word by what the softmax reads of it [n, P]."""
    rows = max(1, _SCORES // softmax.vocab_size)
    parts = zip(x.split(rows), words.split(rows), strict=True)
    return torch.cat([rank(softmax(some), of_them) for some, of_them in parts])


def rank(log_probabilities: Tensor, words: Tensor) -> Tensor:
    """How many words are likelier than that which stands there, of equally likely ones those with lower ids: [n]."""
    own, scores = log_probabilities.gather(1, words[:, None]), log_probabilities[:, SPECIALS:]
    earlier = torch.arange(SPECIALS, log_probabilities.shape[1]) < words[:, None]
    return ((scores > own) | ((scores == own) & earlier)).sum(1)
