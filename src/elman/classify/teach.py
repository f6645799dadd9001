"""Texts without labels, labelled by trained classifiers: self-training and distillation.

A classifier trained on few labels is right about most other texts, and unsure of most it is wrong about. Learning its
probabilities on many of them as if they were labels (Lee 2013, "Pseudo-Label"; soft ones as in Hinton, Vinyals & Dean
2015, "Distilling the Knowledge in a Neural Network", at temperature 1) teaches a student more words and more matter
than the labels do. Several teachers are averaged.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, LabelError, UsageError
from ..labels import Labels, Rows, class_numbers, text_of
from ..text import LeftOut, ReadOptions, mark_of, texts_of
from ..training import FitEvents
from . import persistence
from .reading import Data
from .split import Split

_CHUNK = 1024
_SHOWN = 8 * _CHUNK  # texts between two lines of progress


def check_taught(teachers: Sequence[object], taught: Sequence[object]) -> None:
    """Raises UsageError if there are teachers without texts or texts without teachers."""
    if bool(teachers) != bool(taught):
        raise UsageError(
            f"expected trained classifiers and the texts that they label, got {len(teachers)} classifiers and "
            f"{len(taught)} files of texts"
        )


def taught_split(
    teachers: Sequence[str | Path],
    files: Sequence[str | Path],
    read: Data,
    options: ReadOptions,
    *,
    events: FitEvents,
) -> Split:
    """The texts of files that are new beside the labelled ones, with what the teachers say of them.

    Raises:
        as `taught_texts` and `label`.
    """
    texts = taught_texts(files, read.train, read.texts_held_out, replace(options, say=events.found))
    split = label(teachers, texts, read.classes, stage=events.stage)
    events.found(sentence(split, len(teachers)))
    return split


def taught_texts(files: Sequence[str | Path], known: Split, left_out: Sequence[str], options: ReadOptions) -> list[str]:
    """The texts of files, each once, without those that have a label or are held out, whatever their case and spaces.

    Raises:
        DataError: none is left.
    """
    held_out = LeftOut.of(left_out)
    seen = set(map(mark_of, known.texts))
    texts = []
    for file in files:
        for text in texts_of(file, options.of_table(file)):
            mark = mark_of(text)
            if text.strip() and mark not in seen and mark not in held_out.marks:
                seen.add(mark)
                texts.append(text)
    if not texts:
        raise DataError(f"expected texts without labels in {', '.join(map(str, files))}, got none that is new")
    return texts


def label(teachers: Sequence[str | Path], texts: list[str], classes: Labels, *, stage: Callable[[str], None]) -> Split:
    """Texts with the mean of the teachers' probabilities [B, C] in the place of labels.

    Raises:
        LabelError: a teacher's classes are others.
        ModelFolderError: a folder is no trained classifier.
    """
    total = np.zeros((len(texts), len(classes)), np.float64)
    for number, folder in enumerate(teachers, 1):
        teacher = persistence.load(folder)
        columns = _columns(teacher.classes, classes, str(folder))
        for start in range(0, len(texts), _CHUNK):
            if start % _SHOWN == 0:
                stage(f"labelling texts {start:,} to {len(texts):,} by teacher {number} of {len(teachers)}")
            total[start : start + _CHUNK] += teacher.probabilities(texts[start : start + _CHUNK])[:, columns]
    return believed(texts, total / len(teachers), len(classes))


def _columns(known: Labels, classes: Labels, folder: str) -> Rows:
    """[C] the teacher's column of each class: 2 comes before 10, and "10" before "2"."""
    teacher, names = (np.array([text_of(label) for label in each]) for each in (known, classes))
    with suppress(LabelError):
        columns = class_numbers(names.tolist(), teacher, folder)
        if sorted(columns) == list(range(len(known))):
            return columns
    raise LabelError(f"{folder} knows the classes {teacher.tolist()}, the data has {names.tolist()}")


def believed(texts: list[str], opinions: Any, num_classes: int) -> Split:
    """Texts whose labels are probabilities [B, num_classes].

    Raises:
        LabelError: they are no numbers, of another shape, negative, or do not sum to 1.
    """
    try:
        probabilities = np.asarray(opinions, np.float64)
    except (TypeError, ValueError):
        wanted = f"a table of numbers {(len(texts), num_classes)}"
        raise LabelError(f"expected probabilities as {wanted}, got {type(opinions).__name__}") from None
    if probabilities.shape != (len(texts), num_classes):
        raise LabelError(f"expected probabilities {(len(texts), num_classes)}, got {probabilities.shape}")
    sums = probabilities.sum(axis=1)
    wrong = np.flatnonzero(~((probabilities >= 0).all(axis=1) & (abs(sums - 1) < 1e-3)))
    if len(wrong):
        raise LabelError(f"row {wrong[0] + 1}: expected probabilities that sum to 1, got {probabilities[wrong[0]]}")
    return Split(texts, probabilities.argmax(axis=1), (probabilities / sums[:, None]).astype(np.float32))


def sentence(split: Split, teachers: int) -> str:
    """How many texts were labelled, and how sure of it the teachers are."""
    assert split.probabilities is not None
    sure = split.probabilities.max(axis=1)
    by = "1 teacher" if teachers == 1 else f"{teachers} teachers"
    above = f"{(sure > 0.9).mean():.0%} above 0.9"
    return f"{len(split.texts):,} texts labelled by {by}; mean certainty {sure.mean():.3f}, {above}"
