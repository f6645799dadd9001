"""What a caller hands to `TextClassifier.fit` beside the texts: each thing is what it is said to be."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.exceptions import DataConversionWarning

from ..errors import DataError, LabelError, UsageError
from ..text import listed, strings


def labelled(texts: Iterable[str], labels: Iterable[Any]) -> tuple[list[str], list[Any]]:
    """Texts and as many labels, all of them strings or all of them numbers, which is what a saved model can hold.

    Labels as a column (B, 1) are taken as B, with scikit-learn's DataConversionWarning.

    Raises:
        DataError: no lists, or not equally long. LabelError: a label that is missing or something else, such as one of
            continuous numbers.
    """
    found, values = strings(texts, "row"), one_dimensional(labels)
    if len(found) != len(values):
        raise DataError(f"expected one label per text, got {len(found)} texts and {len(values)} labels")
    for row, value in enumerate(values, 1):
        plain = value.item() if isinstance(value, np.generic) else value
        # A time of NumPy may come out as a bare number.
        if isinstance(value, np.datetime64 | np.timedelta64) or not isinstance(plain, str | int | float | None):
            raise LabelError(f"row {row}: expected a string, a number or a boolean as label, got {value!r}")
        if plain is None or plain != plain:
            raise LabelError(f"row {row}: the label is missing ({plain})")
        if isinstance(plain, str) != isinstance(values[0], str):
            raise LabelError(f"row {row}: expected a label of the same kind as {values[0]!r}, got {value!r}")
        if isinstance(plain, float) and not plain.is_integer():
            raise LabelError(
                "Unknown label type: continuous. Maybe you are trying to fit a classifier, which expects discrete "
                f"classes on a regression target with continuous values. Row {row}: {plain}"
            )
    return found, values


def one_dimensional(labels: Any) -> list[Any]:
    """A list of labels, also of those in a column. Raises LabelError if they have several columns."""
    if hasattr(labels, "columns") and hasattr(labels, "to_numpy"):
        labels = labels.to_numpy()
    shape = tuple(getattr(labels, "shape", ()))
    if len(shape) > 1 and shape[1:] != (1,):
        raise LabelError(f"y should be a 1d array, got an array of shape {shape} instead.")
    values = listed(labels, "labels")
    if values and all(isinstance(value, list | tuple | np.ndarray) and len(value) == 1 for value in values):
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape of y to (n_samples, ), "
            "for example using ravel().",
            DataConversionWarning,
            stacklevel=4,
        )
        return [value[0] for value in values]
    return values


def watched(validation: Any) -> tuple[list[str], list[Any]]:
    """The texts and labels of a validation part. Raises DataError if it is not a pair or empty, and as `labelled`."""
    texts, labels = labelled(*pair(validation, "validation", "labels"))
    if not texts:
        raise DataError("expected validation texts to watch, got none; leave validation out to hold some rows out")
    return texts, labels


def pair(given: Any, name: str, second: str) -> tuple[Any, Any]:
    """Two things. Raises DataError for anything else."""
    try:
        texts, beside = given
    except (TypeError, ValueError):
        size = f" of {len(given)}" if hasattr(given, "__len__") else ""
        raise DataError(f"expected {name} to be (texts, {second}), got a {type(given).__name__}{size}") from None
    return texts, beside


def grouped(groups: Iterable[Any], *, is_split: bool) -> list[Any]:
    """What each text belongs to.

    Raises:
        UsageError: nothing is held out, for which alone groups are. DataError: no list, or one of what cannot be
            compared.
    """
    if not is_split:
        raise UsageError("groups are for a validation part of the rows, got groups and no such part")
    found = listed(groups, "groups")
    for row, group in enumerate(found, 1):
        try:
            hash(group), bool(group == group)
        except (TypeError, ValueError):
            raise DataError(f"row {row}: expected a group such as a string or a number, got {group!r}") from None
    return found
