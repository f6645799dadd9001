"""Texts that are measured although the classifier has learned from them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..text import mark_of
from ..training import beside, model_folder

Marks = NDArray[np.uint64]
_BLANK = mark_of("")


def marks_of(texts: Iterable[str]) -> Marks:
    """[N] a number for each text that is not blank, equal for texts that differ in case, spaces or <br> alone."""
    marks = (mark_of(text) for text in texts)
    return np.array([int.from_bytes(mark[:8]) for mark in marks if mark != _BLANK], np.uint64)


def count(texts: Iterable[str], training: Marks) -> int:
    """How many of the texts are training texts too.

    Args:
        training: as of `marks_of`.
    """
    return int(np.isin(marks_of(texts), training).sum())


def sentence(name: str, in_training: int, rows: int) -> str:
    """What the figures of texts are worth of which some were learned from."""
    return (
        f"{name}: {in_training:,} of {rows:,} texts are training texts too (case and spaces aside), so the figures say "
        "less of new texts"
    )


def sentences(metrics: dict[str, dict[str, Any]]) -> list[str]:
    """One on each split with training texts in it, from the figures of `evaluate_split` by its name."""
    counts = {name: (figures.get("in_training", 0), figures["rows"]) for name, figures in metrics.items()}
    return [sentence(name, in_training, rows) for name, (in_training, rows) in counts.items() if in_training]


def write(path: Path, training: Marks) -> None:
    """The training texts' marks, each once. Raises RunFolderError if it cannot be written."""
    with beside(path) as new, new.open("wb") as file:
        np.save(file, np.unique(training))


def read(path: Path) -> Marks | None:
    """None where nothing is known of the training texts. Raises ModelFolderError for a damaged file."""
    if not path.exists():
        return None
    with model_folder.named_errors(path):
        marks = np.load(path)
        if marks.dtype != np.uint64 or marks.ndim != 1:
            raise ValueError(f"expected a row of 64-bit numbers, got {marks.dtype} {marks.shape}")
        return np.asarray(marks)
