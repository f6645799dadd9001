"""Labels under one rule, whatever holds them: the text of a table, typed values of JSON and Parquet, values of Python.

Two labels of different files are the same if they are equal, or else if their normal forms are: a number is the same
however it is written (1, 1.0, 1.00), `true` and `false` are in any case, and what cannot be seen of other text does not
count. Within the training data only the last is one class; see `merge_invisible`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import LabelError

Rows = NDArray[np.int64]
Labels = NDArray[Any]

_SHOWN = 5
_BOOLEANS = ("false", "true")
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
# Soft hyphens, marks of direction and of byte order, spaces without width. Joiners and tags make other emoji.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_JOINERS = "\u200c\u200d"
_VARIANTS = re.compile("[\ufe00-\ufe0f]")  # whether a character is drawn as text or as a picture


def text_of(label: Any) -> str:
    """A label as text: `true`, `false`, a number in its shortest form, other text without the space around it."""
    if isinstance(label, bool | np.bool_):
        return _BOOLEANS[bool(label)]
    if isinstance(label, float | np.floating):
        return str(int(label)) if label.is_integer() else _shortest(float(label))
    if isinstance(label, Decimal):
        plain = format(label, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return str(label).strip()


def _shortest(number: float) -> str:
    """Of a number that was once one of 32 bits, as it was written then."""
    single = np.float32(number)
    return str(single) if single == number else str(number)


def normal_form(label: Any) -> str:
    """What is the same for labels of different files or types that mean the same."""
    text = visible(text_of(label))
    if text.lower() in _BOOLEANS:
        return text.lower()
    return _number_form(text) if _NUMBER.fullmatch(text) else text


def _number_form(text: str) -> str:
    """The digits that count and their exponent, such as 15e-1 for 1.50."""
    sign, digits, exponent = Decimal(text).as_tuple()
    figures = "".join(map(str, digits)).lstrip("0")
    significant = figures.rstrip("0")
    if not significant:
        return "0"
    return f"{'-' if sign else ''}{significant}e{int(exponent) + len(figures) - len(significant)}"


def visible(text: str) -> str:
    """Text without what cannot be seen: characters without width, spaces around it and more than one, NFC or NFD."""
    composed = unicodedata.normalize("NFC", _INVISIBLE.sub("", text).strip(_JOINERS))
    return " ".join(composed.split()) or text


def _likeness(label: str) -> str:
    """The same for labels that are easily taken for each other: also without case, any space, width or style."""
    plain = unicodedata.normalize("NFKC", _VARIANTS.sub("", label))
    shown = "".join(character for character in plain if unicodedata.category(character) != "Cf")
    return normal_form("".join(shown.casefold().split()) or label)


def merge_invisible(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Labels that look the same as one label; others that are only alike stay apart.

    Returns:
        the labels, and sentences on which were merged and which are alike.
    """
    rows = Counter(labels)
    merged = _groups(rows, visible)
    names = {label: name for name, group in merged.items() for label in group}
    sentences = []
    if merged:
        listing = _listing(merged.values(), lambda label: f"{label!a} ({rows[label]:,} rows)")
        sentences.append(f"labels that differ only in what cannot be seen are one class: {listing}")
    unified = [names.get(label, label) for label in labels] if merged else list(labels)
    return unified, sentences + alike(unified)


def alike(labels: Iterable[Any]) -> list[str]:
    """A sentence on different labels that look alike, such as good and Good, or 1 and 1.0; none if there are none."""
    rows = Counter(label for label in labels if isinstance(label, str))
    groups = _groups(rows, _likeness).values()
    if not groups:
        return []
    unseen = {label for group in _groups(rows, visible).values() for label in group}
    written = {label: ascii(label) if label in unseen else repr(label) for label in rows}
    listing = _listing(groups, lambda label: f"{written[label]} ({rows[label]:,} rows)")
    return [f"labels that look alike are classes of their own: {listing}"]


def _groups(labels: Iterable[str], form: Callable[[str], str]) -> dict[str, list[str]]:
    """Labels with an equal form, by it, where there are several."""
    groups: dict[str, list[str]] = {}
    for label in sorted(labels):
        groups.setdefault(form(label), []).append(label)
    return {name: group for name, group in groups.items() if len(group) > 1}


def _listing(groups: Iterable[list[str]], shown: Callable[[str], str]) -> str:
    listed = [" and ".join(map(shown, group[:_SHOWN])) for group in groups]
    return "; ".join(listed[:_SHOWN]) + (f"; and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def find_classes(labels: Sequence[Any]) -> tuple[Labels, Rows]:
    """The distinct labels in sorted order [C], and each row's class number [B].

    Args:
        labels: all of them strings, or all of them numbers or booleans.
    Raises:
        LabelError: fewer than two classes.
    """
    classes, numbers = np.unique(np.asarray(labels), return_inverse=True)
    if len(classes) < 2:
        raise LabelError(f"at least two classes are needed, got only {classes.tolist()}")
    return classes, numbers.astype(np.int64)


def class_numbers(labels: Sequence[Any], classes: Labels, where: str) -> Rows:
    """Each row's class number [B]: of the class that is equal to the label, or else the only one of its normal form.

    Where the classes are true and false alone, 1 and 0 stand for them, and the other way round.

    Raises:
        LabelError: a label that is not among `classes`, or may be several of them.
    """
    numbers: dict[Any, int] = {label: number for number, label in enumerate(classes.tolist())}
    by_form = _by_form(classes)
    result = np.empty(len(labels), np.int64)
    for row, label in enumerate(labels):
        label = label.item() if isinstance(label, np.generic) else label
        if label not in numbers:
            candidates = by_form.get(normal_form(label), [])
            if len(candidates) != 1:
                raise LabelError(f"{where}, row {row + 1}: {_unknown(label, classes, candidates)}")
            numbers[label] = candidates[0]
        result[row] = numbers[label]
    return result


def _by_form(classes: Labels) -> dict[str, list[int]]:
    """Class numbers by normal form."""
    numbers: dict[str, list[int]] = {}
    for number, label in enumerate(classes):
        numbers.setdefault(normal_form(label), []).append(number)
    no, yes = (normal_form(value) for value in (0, 1))
    for pair, other in (((no, yes), _BOOLEANS), (_BOOLEANS, (no, yes))):
        if set(numbers) == set(pair):
            return numbers | {name: numbers[same] for name, same in zip(other, pair, strict=True)}
    return numbers


def _unknown(label: Any, classes: Labels, candidates: list[int]) -> str:
    if candidates:
        names = " or ".join(repr(str(classes[number])) for number in candidates)
        return f"the label {label!r} may be {names}, which the training data has as different classes"
    known = ", ".join(str(name) for name in classes.tolist()[:20])
    likeness = _likeness(text_of(label))
    near = next((str(name) for name in classes.tolist() if _likeness(text_of(name)) == likeness), None)
    question = "" if near is None else f"; did you mean {near!r}?"
    return f"the label {label!r} was not in the training data ({known}){question}"
