"""Texts with their class numbers, and a validation split that no duplicate crosses."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ..errors import SplitError
from ..labels import Labels, Rows
from ..text import mark_of

_NEAR = 0.1  # of the share, that counts as about the share
_OWN_SHARE = 5  # rows from which a class is held out on its own, whatever the others give


@dataclass(frozen=True)
class Split:
    """Texts and their class numbers [B].

    Attributes:
        probabilities: [B, C] of the classes, where labels are not certain; the class number is then the likeliest.
        weights: [B] how much each counts, None if all count alike.
    """

    texts: list[str]
    numbers: Rows
    probabilities: NDArray[np.float32] | None = None
    weights: NDArray[np.float64] | None = None

    def select(self, rows: Rows) -> "Split":
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        weights = None if self.weights is None else self.weights[rows]
        return Split([self.texts[row] for row in rows], self.numbers[rows], probabilities, weights)

    def with_taught(self, taught: "Split") -> "Split":
        """These texts, whose labels are certain, and others whose labels are not and that count 1 each."""
        assert self.probabilities is None and taught.probabilities is not None
        certain = np.eye(taught.probabilities.shape[1], dtype=np.float32)[self.numbers]
        numbers = np.concatenate([self.numbers, taught.numbers])
        weights = None if self.weights is None else np.concatenate([self.weights, np.ones(len(taught.texts))])
        return Split(self.texts + taught.texts, numbers, np.concatenate([certain, taught.probabilities]), weights)


def hold_out(
    data: Split, classes: Labels, share: float, seed: int, groups: Sequence[Any] | None = None
) -> tuple[Split, Split]:
    """Training and validation part: stratified by class, shuffled by `seed`, equal texts on the same side.

    Of each class about this share is held out, of classes too small for it about this share of them together. More is
    only where a group is larger and there is no other, less where equal texts and groups leave no choice; see
    `off_share`. Every class keeps a training row.

    Args:
        classes: [C] the labels of the class numbers.
        groups: [B] what a row belongs to, such as its author; rows of one group are on the same side. None and nan
            stand for a group of its own.
    Raises:
        SplitError: too few rows for both sides, or none that may be held out.
    """
    numbers = data.numbers
    together = _together(data.texts, groups)
    generator = np.random.default_rng(seed)
    by_class: list[list[list[int]]] = [[] for _ in classes]
    for rows in together:
        by_class[numbers[rows[0]]].append(rows)
    shuffled = [[own[index] for index in generator.permutation(len(own))] for own in by_class]
    validation = _held_out(shuffled, numbers, share, seed)
    held_out = np.zeros(len(numbers), bool)
    held_out[validation] = True
    train_rows, validation_rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if len(validation_rows) == 0:
        raise SplitError(_nothing_held_out(len(numbers), len(together), share, groups is not None))
    return data.select(generator.permutation(train_rows)), data.select(validation_rows)


def split_notes(train: Split, validation: Split, share: float) -> list[str]:
    """Sentences on what `hold_out` did where that is not the share asked for, of all rows and of each class."""
    classes = np.union1d(train.numbers, validation.numbers)
    without = len(classes) - len(np.unique(validation.numbers))
    notes = [off_share(train, validation, share)]
    notes += [f"the validation part has no row of {without:,} of {len(classes):,} classes"] if without else []
    return [note for note in notes if note]


def off_share(train: Split, validation: Split, share: float) -> str:
    """How much `hold_out` held out, in a sentence; "" where that is about the share asked for."""
    held_out, rows = len(validation.texts), len(train.texts) + len(validation.texts)
    if _is_about(held_out, share * rows):
        return ""
    return (
        f"{held_out:,} of {rows:,} rows are held out for validation, {held_out / rows:.1%} instead of {share:.1%}: "
        "equal texts and rows of one group stay on one side, and each class keeps a row to learn from"
    )


def _is_about(rows: int, expected: float) -> bool:
    return abs(rows - expected) <= max(1.0, _NEAR * expected)


def _nothing_held_out(rows: int, components: int, share: float, has_groups: bool) -> str:
    """Why there is no validation row."""
    advice = "a larger validation_split, a validation file, or validation_split 0 to train without"
    if round(share * rows) == 0:
        return f"a validation split of {share:g} takes no row out of {rows}; give more rows, {advice}"
    alike = "equal texts and rows of one group" if has_groups else "equal texts"
    return (
        f"a validation split of {share:g} finds no row to hold out: {alike} stay on one side, and of {rows} rows in "
        f"{components} such groups none can go without leaving a class without a training row; give more rows, {advice}"
    )


def _held_out(groups: list[list[list[int]]], numbers: Rows, share: float, seed: int) -> list[int]:
    """The validation rows of groups by class.

    Each class gives its own share, to the next row. Where that does not make the share of all, the classes too small
    for it give theirs together.
    """
    left = np.bincount(numbers, minlength=len(groups))
    quotas = [share * sum(map(len, own)) for own in groups]
    most = 1.5 * share * len(numbers)
    alone = _Draw(numbers, left.copy(), most)
    for own, quota in zip(groups, quotas, strict=True):
        alone.take(own, round(quota))
    if round(share * len(numbers)) == 0 or _is_about(len(alone.rows), share * len(numbers)):
        return alone.rows
    draw = _Draw(numbers, left, most)
    for own, quota in zip(groups, quotas, strict=True):
        if quota >= _OWN_SHARE:
            draw.take(own, round(quota))
    small = [number for number, quota in enumerate(quotas) if quota < _OWN_SHARE]
    order = np.random.default_rng(seed).permutation(small).tolist()
    owed = 0.0
    for number in sorted(order, key=quotas.__getitem__):  # what the smallest cannot give comes from the others
        owed += quotas[number]
        at_most = max(1, round(2 * quotas[number]))
        owed -= draw.take(groups[number], min(math.floor(owed + 0.5), at_most))
    return draw.rows


class _Draw:
    """Rows drawn by whole groups, of which each class keeps one at least.

    Attributes:
        rows: those drawn so far.
    """

    def __init__(self, numbers: Rows, left: Rows, most: float) -> None:
        self.rows: list[int] = []
        self._numbers, self._left, self._most = numbers, left, most

    def take(self, groups: list[list[int]], wanted: int) -> int:
        """About as many rows as wanted, the groups in their order, the smallest if all have far more; how many.

        A group with more than half too many is learned from, and so is then at least half of the others.
        """
        before, most = len(self.rows), 1.5 * wanted
        small = [rows for rows in groups if len(rows) <= most]
        if len(small) < len(groups):
            wanted = min(wanted, sum(map(len, small)) // 2)
        for rows in small:
            drawn = len(self.rows) - before
            if drawn < wanted and drawn + len(rows) <= most:
                self._add(rows)
        largest = max(self._most, sum(map(len, groups)) / 2)
        for rows in sorted(groups, key=len) if most > 0 else ():
            if len(self.rows) == before and len(rows) <= largest:
                self._add(rows)
        return len(self.rows) - before

    def _add(self, rows: list[int]) -> None:
        """Unless a class were left without a row."""
        classes, counts = np.unique(self._numbers[rows], return_counts=True)
        if (counts < self._left[classes]).all():
            self._left[classes] -= counts
            self.rows += rows


def _together(texts: Sequence[str], groups: Sequence[Any] | None) -> list[list[int]]:
    """Rows that stay together, in the order of their first."""
    if groups is not None and len(groups) != len(texts):
        raise SplitError(f"expected one group per text, got {len(groups)} groups and {len(texts)} texts")
    first: dict[Any, int] = {}
    edges = [(row, first.setdefault(mark_of(text), row)) for row, text in enumerate(texts)]
    known: dict[Any, int] = {}
    for row, group in enumerate(groups if groups is not None else ()):
        if group is not None and group == group:  # nan is not
            edges.append((row, known.setdefault(group, row)))
    ends = np.array(edges, np.int64).reshape(-1, 2).T
    graph = sparse.coo_matrix((np.ones(ends.shape[1], np.int8), tuple(ends)), shape=(len(texts), len(texts)))
    found: dict[int, list[int]] = {}
    for row, component in enumerate(connected_components(graph, directed=False)[1].tolist()):
        found.setdefault(component, []).append(row)
    return list(found.values())
