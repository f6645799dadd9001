"""Labels and probabilities for a stream of texts."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from . import persistence
from .model import Classifier

_CHUNK = 1024


def predict(run: str | Path | Classifier, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """One dict per text, in order: `label`, and `probabilities` by label. Holds 1,024 texts at a time in memory."""
    classifier = run if isinstance(run, Classifier) else persistence.load(run)
    labels = classifier.classes.tolist()
    stream = iter(texts)
    while chunk := list(islice(stream, _CHUNK)):
        for row in classifier.probabilities(chunk):
            probabilities = {str(label): round(float(p), 6) for label, p in zip(labels, row, strict=True)}
            yield {"label": labels[int(row.argmax())], "probabilities": probabilities}
