"""Labelled files to the texts that are learned from and those that are held out."""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..text import LabelledTexts, read_labelled
from .split import Labels, Split, class_numbers, find_classes, hold_out, split_notes


@dataclass(frozen=True)
class Data:
    """
    Attributes:
        source: where it was read from.
        classes: [C] the labels of the training texts, sorted.
        held_out: by name ("validation", "test"), those that there are.
        notes: sentences on what was done other than asked for.
    """

    source: str
    classes: Labels
    train: Split
    held_out: dict[str, Split]
    notes: tuple[str, ...] = ()

    @property
    def texts_held_out(self) -> list[str]:
        return [text for split in self.held_out.values() for text in split.texts]


def read_data(
    data: str | Path,
    validation: str | Path | None,
    test: str | Path | None,
    *,
    share: float,
    seed: int,
    text_column: str | None,
    label_column: str | None,
    group_column: str | None,
    encoding: str,
) -> Data:
    """Read all files, and hold this share of the training rows out for validation unless a file is given for it.

    Raises:
        DataError, ColumnError, LabelError, SplitError: what was read cannot be learned from.
        UsageError: a group column, and nothing is held out.
    """
    if group_column is not None and (validation is not None or not share):
        raise UsageError(f"group_column is for a validation part of the data, got {group_column} and no such part")

    def read(source: str | Path, groups: str | None = None) -> LabelledTexts:
        return read_labelled(
            source, text_column=text_column, label_column=label_column, group_column=groups, encoding=encoding
        )

    rows = read(data, group_column)
    classes, numbers = find_classes(rows.labels)
    train, held_out = Split(rows.texts, numbers), {}
    notes: list[str] = []
    for name, source in (("validation", validation), ("test", test)):
        if source is not None:
            held = read(source)
            held_out[name] = Split(held.texts, class_numbers(held.labels, classes, str(source)))
    if validation is None and share:
        train, held_out["validation"] = hold_out(train, classes, share, seed, rows.groups)
        notes = split_notes(train, held_out["validation"], share)
    return Data(rows.source, classes, train, held_out, tuple(notes))
