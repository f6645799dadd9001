"""Labels and probabilities for a stream of texts."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..text import ColumnNames, ReadOptions, Say, column_names, texts_of, warn
from . import persistence
from .model import Classifier

_CHUNK = 1024


def predict(
    run: str | Path | Classifier,
    texts: str | Path | Iterable[str],
    *,
    text_column: ColumnNames = None,
    encoding: str | None = None,
    say: Say = warn,
) -> Iterator[dict[str, Any]]:
    """One dict per text, in order: `label`, and `probabilities` by label. Holds 1,024 texts at a time in memory.

    Args:
        texts: strings, or the name of a file of them.
        text_column, encoding: of that file; None for those of the training, where it has them.
        say: is told what is read other than in training.
    """
    classifier = run if isinstance(run, Classifier) else persistence.load(run)
    labels = classifier.classes.tolist()
    if isinstance(texts, str | Path):
        columns = column_names(text_column)
        options = ReadOptions(columns, encoding=encoding, trained_on=classifier.provenance, say=say)
        texts = texts_of(texts, options)
    stream = iter(texts)
    while chunk := list(islice(stream, _CHUNK)):
        for row in classifier.probabilities(chunk):
            probabilities = {str(label): round(float(p), 6) for label, p in zip(labels, row, strict=True)}
            yield {"label": labels[int(row.argmax())], "probabilities": probabilities}
