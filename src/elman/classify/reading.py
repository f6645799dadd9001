"""Labelled files to the texts that are learned from and those that are held out."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import UsageError, listing, shortened
from ..labels import Labels, Rows, class_numbers, find_classes, merge_invisible
from ..text import Provenance, ReadOptions, labelled_of
from .split import Split, hold_out, split_notes


@dataclass(frozen=True)
class Data:
    """
    Attributes:
        source: where it was read from.
        classes: [C] the labels of the training texts, sorted.
        held_out: by name ("validation", "test"), those that there are.
        provenance: from which columns the training texts are.
        notes: sentences on what was read, and what was done other than asked for.
    """

    source: str
    classes: Labels
    train: Split
    held_out: dict[str, Split]
    provenance: Provenance
    notes: tuple[str, ...] = ()

    @property
    def texts_held_out(self) -> list[str]:
        return [text for split in self.held_out.values() for text in split.texts]


def read_data(
    data: str | Path,
    validation: str | Path | None,
    test: str | Path | None,
    options: ReadOptions,
    *,
    share: float,
    seed: int,
) -> Data:
    """Read all files, and hold this share of the training rows out for validation unless a file is given for it.

    The columns that were read of the data are those of the other files too, where these have them.

    Raises:
        DataError, ColumnError, LabelError, SplitError: what was read cannot be learned from.
        UsageError: a group column, and nothing is held out.
    """
    if options.group_column is not None and (validation is not None or not share):
        raise UsageError(
            f"group_column is for a validation part of the data, got {options.group_column} and no such part"
        )
    notes: list[str] = []
    options = replace(options, say=notes.append)
    rows = labelled_of(data, options.of_table(data))
    labels, sentences = merge_invisible(rows.labels)
    notes += [str(rows), *(f"{data}: {sentence}" for sentence in sentences)]
    classes, numbers = find_classes(labels)
    notes.append(f"{data}: {_class_sentence(classes, numbers)}")
    train, held_out = Split(rows.texts, numbers), {}
    further = replace(options, group_column=None, trained_on=rows.provenance)
    for name, source in (("validation", validation), ("test", test)):
        if source is not None:
            held = labelled_of(source, further.of_table(source))
            notes.append(str(held))
            held_out[name] = Split(held.texts, class_numbers(held.labels, classes, str(source)))
    if validation is None and share:
        train, held_out["validation"] = hold_out(train, classes, share, seed, rows.groups)
        notes += split_notes(train, held_out["validation"], share)
    return Data(rows.source, classes, train, held_out, rows.provenance, tuple(notes))


def _class_sentence(classes: Labels, numbers: Rows) -> str:
    """Every class with its rows, the largest first; of many the first twenty."""
    rows = np.bincount(numbers, minlength=len(classes))
    largest_first = np.argsort(-rows, kind="stable")
    parts = (f"{shortened(str(classes[number]))} {rows[number]:,}" for number in largest_first)
    return f"{len(classes)} classes: {listing(parts)}"
