"""Texts with their class numbers, and a validation split that no duplicate crosses."""

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


@dataclass(frozen=True)
class Split:
    """Texts and their class numbers [B].

    Attributes:
        probabilities: [B, C] of the classes, where labels are not certain; the class number is then the likeliest.
    """

    texts: list[str]
    numbers: Rows
    probabilities: NDArray[np.float32] | None = None

    def select(self, rows: Rows) -> "Split":
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        return Split([self.texts[row] for row in rows], self.numbers[rows], probabilities)

    def with_taught(self, taught: "Split") -> "Split":
        """These texts, whose labels are certain, and others whose labels are not."""
        assert self.probabilities is None and taught.probabilities is not None
        certain = np.eye(taught.probabilities.shape[1], dtype=np.float32)[self.numbers]
        numbers = np.concatenate([self.numbers, taught.numbers])
        return Split(self.texts + taught.texts, numbers, np.concatenate([certain, taught.probabilities]))


def hold_out(
    data: Split, classes: Labels, share: float, seed: int, groups: Sequence[Any] | None = None
) -> tuple[Split, Split]:
    """Training and validation part: stratified by class, shuffled by `seed`, equal texts on the same side.

    Of each class about this share is held out, and more only where a group is larger and there is no other.

    Args:
        classes: [C] the labels of the class numbers.
        groups: [B] what a row belongs to, such as its author; rows of one group are on the same side. None and nan
            stand for a group of its own.
    Raises:
        SplitError: too few rows for both sides, or not one group for each.
    """
    numbers = data.numbers
    together = _together(data.texts, groups)
    generator = np.random.default_rng(seed)
    validation: list[int] = []
    for number in range(int(numbers.max()) + 1):
        own = [rows for rows in together if numbers[rows[0]] == number]
        wanted = round(share * sum(len(rows) for rows in own))
        validation += _drawn([own[index] for index in generator.permutation(len(own))], wanted)
    held_out = np.zeros(len(numbers), bool)
    held_out[validation] = True
    train_rows, validation_rows = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if len(validation_rows) == 0:
        raise SplitError(
            f"a validation split of {share:g} takes no row out of {len(numbers)}; give more rows, a larger "
            "validation_split, a validation file, or validation_split 0 to train without"
        )
    missing = classes[np.setdiff1d(numbers, numbers[train_rows])].tolist()
    if missing:
        named = ", ".join(repr(label) for label in missing[:5]) + (", .." if len(missing) > 5 else "")
        alike = "equal texts" if groups is None else "equal texts and rows of one group"
        raise SplitError(
            f"a validation split of {share:g} leaves {len(missing)} classes without a training row ({named}): {alike} "
            "stay on one side; give these classes more rows, a smaller validation_split, or a validation file"
        )
    return data.select(generator.permutation(train_rows)), data.select(validation_rows)


def _drawn(groups: list[list[int]], wanted: int) -> list[int]:
    """About as many rows as wanted, by whole groups in their order, the smallest if all have far more.

    A group with more than half too many is learned from, and so is then at least half of the others.
    """
    most = 1.5 * wanted
    small = [rows for rows in groups if len(rows) <= most]
    if len(small) < len(groups):
        wanted = min(wanted, sum(map(len, small)) // 2)
    drawn: list[int] = []
    for rows in small:
        if len(drawn) < wanted and len(drawn) + len(rows) <= most:
            drawn += rows
    return drawn or (min(groups, key=len) if most else [])


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
