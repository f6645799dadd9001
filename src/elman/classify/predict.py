"""Labels and probabilities for a stream of texts."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..text import ColumnNames, ReadOptions, Say, column_names, texts_of, warn
from . import persistence
from .model import Classifier

_CHUNK = 1024


def predict(
    run: str | Path | Classifier,
    texts: str | Path | Iterable[str | list[str]],
    *,
    text_column: ColumnNames = None,
    encoding: str | None = None,
    quoting: str | None = None,
    say: Say = warn,
) -> Iterator[dict[str, Any]]:
    """One dict per text, in order: `label`, and `probabilities` by label. Holds 1,024 texts at a time in memory.

    Args:
        texts: strings, which are gathered up to 1,024; lists of them, each of which is answered before the next is
            asked for, as where somebody waits for the answers; or the name of a file.
        text_column, encoding, quoting: of that file; None for those of the training, where it has them.
        say: is told what is read other than in training.
    """
    classifier = run if isinstance(run, Classifier) else persistence.load(run)
    labels = classifier.classes.tolist()
    if isinstance(texts, str | Path):
        columns = column_names(text_column)
        options = ReadOptions(columns, encoding=encoding, quoting=quoting, trained_on=classifier.provenance, say=say)
        texts = texts_of(texts, options)
    for chunk in _chunks(texts):
        for row in classifier.probabilities(chunk):
            probabilities = {str(label): round(float(p), 6) for label, p in zip(labels, row, strict=True)}
            yield {"label": labels[int(row.argmax())], "probabilities": probabilities}


def _chunks(texts: Iterable[str | list[str]]) -> Iterator[list[str]]:
    gathered: list[str] = []
    for each in texts:
        if isinstance(each, str):
            gathered.append(each)
            is_complete = len(gathered) == _CHUNK
        else:
            gathered += each
            is_complete = True
        if is_complete:
            yield from (gathered[start : start + _CHUNK] for start in range(0, len(gathered), _CHUNK))
            gathered = []
    if gathered:
        yield gathered
