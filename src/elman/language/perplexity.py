"""Measuring a language model on text."""

import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..text import UNKNOWN_ID, ColumnNames, Documents, Line, Say, corpus, once, warn
from ..training import to_json, write_text
from . import persistence
from .cache import Cache
from .model import TrainedLanguageModel
from .scoring import Dynamic, document_losses

_BEGINS = 12  # tokens of a document that are shown of it


@dataclass(frozen=True)
class Scores:
    """How well a model predicts some documents.

    Attributes:
        measure: see `TrainedLanguageModel.measure`.
        losses: [D] of each document the sum of its tokens' negative log-probabilities, in nats.
        tokens: [D] of each document, ends of lines included.
        begins: [D] the first words of each.
        unknown: how many of all tokens are unknown to the model.
        characters: of all texts, ends of lines included.
        seconds: of reading and scoring.
    """

    measure: str
    losses: NDArray[np.float64]
    tokens: NDArray[np.int64]
    begins: list[str]
    unknown: int
    characters: int
    seconds: float

    @property
    def loss(self) -> float:
        """Nats a token."""
        return float(self.losses.sum() / self.tokens.sum())

    @property
    def perplexity(self) -> float:
        """e to the loss."""
        return perplexity_of(self.loss)

    def figures(self) -> dict[str, Any]:
        """All in one dictionary. An unknown word costs no more than the one token that stands for all of them."""
        return {
            "measure": self.measure,
            "perplexity": self.perplexity,
            "loss": self.loss,
            "bits_per_token": self.loss / math.log(2),
            "bits_per_character": float(self.losses.sum()) / math.log(2) / self.characters,
            "documents": len(self.tokens),
            "tokens": int(self.tokens.sum()),
            "unknown": self.unknown / int(self.tokens.sum()),
            "characters": self.characters,
            "seconds": self.seconds,
        }

    def rows(self) -> Iterator[dict[str, Any]]:
        """One for each document, in their order."""
        for number, (loss, tokens, begins) in enumerate(zip(self.losses, self.tokens, self.begins, strict=True), 1):
            yield {
                "document": number,
                self.measure: perplexity_of(float(loss / tokens)),
                "tokens": int(tokens),
                "begins": begins,
            }


def perplexity(
    model: str | Path | TrainedLanguageModel,
    texts: Sequence[str | Path],
    *,
    documents: str | None = None,
    text_column: ColumnNames = None,
    encoding: str | None = None,
    quoting: str | None = None,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    out: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, tokens: None,
    say: Say = warn,
) -> Scores:
    """Measure a language model on files, folders or built-in names, read as those that it learned from.

    Args:
        documents: what is a document, see `text.Documents`; None: as in the model's settings.
        text_column, encoding, quoting: None for those of the training, where a file has them.
        out: a file for a line of JSON per document.
        progress: is told how many tokens of how many are done.
        say: is told what is read other than in training.
    Raises:
        ModelFolderError; DataError for a file that cannot be read or has no word; RunFolderError if `out` cannot be
        written, UsageError if it is one of the files; UsageError and DivergedError as `scoring.document_losses`.
    """
    if not isinstance(model, TrainedLanguageModel):
        model = persistence.load(model)
    kind = documents or model.config.documents
    lines = Documents(texts, kind, text_column, encoding, quoting=quoting, trained_on=model.provenance, say=once(say))
    lines.check_columns()
    if out is not None:
        lines.check_apart(Path(out))
    scores = score(model, lines, cache=cache, dynamic=dynamic, progress=progress)
    if out is not None:
        write_text(Path(out), "".join(to_json(row) + "\n" for row in scores.rows()))
    return scores


def score(
    model: TrainedLanguageModel,
    lines: Iterable[Line],
    *,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    progress: Callable[[int, int], None] = lambda done, tokens: None,
) -> Scores:
    """Measure a language model on lines of text with their documents' ends."""
    for name, given, wanted in (("cache", cache, Cache), ("dynamic", dynamic, Dynamic)):
        if given is not None and not isinstance(given, wanted):
            raise UsageError(f"{name} must be a {wanted.__name__}, got {given!r}")
    started = time.monotonic()
    characters = 0

    def counted() -> Iterator[Line]:
        nonlocal characters
        for text, is_last in lines:
            characters += len(text) + 1
            yield text, is_last

    with tempfile.TemporaryDirectory() as folder:
        ids = corpus.encode(counted(), model.tokenizer, Path(folder) / "text")
        losses = document_losses(
            model.network, ids, backward=model.config.backward, cache=cache, dynamic=dynamic, progress=progress
        )
        return Scores(
            model.measure,
            losses,
            ids.lengths,
            [model.tokenizer.text_of(ids[row][:_BEGINS]) for row in range(len(ids))],
            int((ids.ids == UNKNOWN_ID).sum()),
            characters,
            time.monotonic() - started,
        )


def perplexity_of(loss: float) -> float:
    """Of a loss in nats a word; infinite where that is too much for a float."""
    return math.exp(loss) if loss < 700 else math.inf
