"""How much rows and classes count in training: the setting `class_weight`, and weights of rows (`sample_weight`)."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UsageError
from ..settings import shown

Floats = NDArray[np.float64]

NONE, BALANCED = "none", "balanced"
_FORMS = f"{NONE}, {BALANCED} or weights by class such as spam=5,ham=1"


def as_setting(weights: Any, classes: Iterable[Any] = ()) -> Any:
    """A mapping as the setting that stands for it; anything else as it is.

    Args:
        classes: the labels, of which each key that equals one takes the name.
    """
    if not isinstance(weights, Mapping):
        return weights
    names = {(isinstance(label, str), label): str(label) for label in classes}
    plain = {}
    for key, weight in weights.items():
        name = names.get((isinstance(key, str), key), str(key))
        plain[name] = weight.item() if isinstance(weight, np.generic) else weight
    try:
        return json.dumps(plain, ensure_ascii=False)
    except TypeError:
        raise UsageError(f"class_weight: expected numbers by class, got {shown(weights)}") from None


def weights_by_class(setting: str) -> dict[str, float]:
    """What the setting says of single classes; {} for "none" and "balanced". Raises UsageError if it says nothing."""
    if setting in (NONE, BALANCED):
        return {}
    wrong = UsageError(f"class_weight must be {_FORMS}, got {shown(setting)}")
    if setting.lstrip().startswith("{"):
        try:
            weights = json.loads(setting)
        except (ValueError, RecursionError):
            raise wrong from None
    else:
        pairs = [part.rpartition("=") for part in setting.split(",")]
        weights = {label.strip(): weight for label, _, weight in pairs}
        if not all(equals for _, equals, _ in pairs) or len(weights) < len(pairs):
            raise wrong
    return {label: _weight(label, weight, wrong) for label, weight in weights.items()}


def _weight(label: str, given: Any, wrong: UsageError) -> float:
    try:
        weight = float(given)
    except (TypeError, ValueError, OverflowError):
        raise wrong from None
    if isinstance(given, bool) or not (0 <= weight < math.inf):
        raise UsageError(f"class_weight: expected a finite number from 0 on for {shown(label)}, got {shown(given)}")
    return weight


def check_class_weight(setting: str, classes: Iterable[Any]) -> None:
    """Raises UsageError, in scikit-learn's words, if weights are of labels that are not there.

    As there, classes without a weight count 1, and labels too many are passed over where every class has one: a part
    of the rows may lack a class.
    """
    weights, names = weights_by_class(setting), [str(label) for label in classes]
    without = [name for name in names if name not in weights]
    if not weights:
        return
    if without and len(names) - len(without) != len(weights):
        unknown = [label for label in weights if label not in names]
        raise UsageError(
            f"The classes, {without}, are not in class_weight: it has {unknown}, the data has {', '.join(names[:20])}"
        )
    if not any(weights.get(name, 1.0) for name in names):
        raise UsageError("class_weight: expected a class that counts, got 0 for all")


def row_weights(given: Any, rows: int) -> Floats | None:
    """The weights of rows [B], None if all count alike.

    Args:
        given: B numbers, one for all, or None.
    Raises:
        DataError: something else, a weight below 0 or not finite, or none above 0.
    """
    if given is None:
        return None
    if isinstance(given, Iterable) and not hasattr(given, "__len__"):
        given = list(given)
    try:
        weights = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        raise DataError(f"expected sample_weight as {rows} numbers, got {type(given).__name__}") from None
    if weights.ndim == 0:
        weights = np.full(rows, float(weights))
    if weights.shape != (rows,):
        raise DataError(f"expected one sample_weight per text, got shape {weights.shape} and {rows} texts")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(f"row {row + 1}: expected a finite sample_weight from 0 on, got {weights[row]:g}")
    if rows and not weights.any():
        raise DataError("expected a sample_weight above 0, got 0 for all rows")
    return None if (weights == 1).all() else weights


@dataclass(frozen=True)
class Weights:
    """What counts how much.

    Attributes:
        setting: `class_weight`.
        of_classes: [C] that it says of single classes, None for "none" and "balanced".
        rows: [B] of the rows, None if all count alike.
    """

    setting: str = NONE
    of_classes: Floats | None = None
    rows: Floats | None = None

    @classmethod
    def of(cls, setting: str, classes: Iterable[Any], rows: Floats | None) -> "Weights":
        """Raises UsageError, see `check_class_weight`."""
        labels = list(classes)
        check_class_weight(setting, labels)
        weights = weights_by_class(setting)
        of_classes = np.array([weights.get(str(label), 1.0) for label in labels]) if weights else None
        return cls(setting, of_classes, rows)

    def in_loss(self, numbers: NDArray[np.int64], num_classes: int) -> Floats | None:
        """[C] of the loss; balanced: all classes together count alike (scikit-learn's n / (C n_c))."""
        if self.setting != BALANCED:
            return self.of_classes
        counts = np.bincount(numbers, self.rows, num_classes)
        smallest = 1.0 if self.rows is None else counts[counts > 0].min()
        return np.asarray(counts.sum() / (num_classes * np.maximum(counts, smallest)))

    def of_sides(self, numbers: NDArray[np.int64], own: NDArray[np.bool_]) -> Floats | None:
        """[B] of the rows in a regression of a class against the rest; balanced: the two sides count alike."""
        if self.setting == NONE:
            return self.rows
        rows = np.ones(len(own)) if self.rows is None else self.rows
        if self.setting == BALANCED:
            sides = np.bincount(own, rows, 2)
            return np.asarray(rows * (rows.sum() / (2 * sides))[own.astype(int)])
        assert self.of_classes is not None
        return np.asarray(rows * self.of_classes[numbers])
