"""How good predicted probabilities are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 15


def measure(probabilities: NDArray[np.float32], numbers: NDArray[np.int64], classes: NDArray[Any]) -> dict[str, Any]:
    """
    Args:
        probabilities: [B, C].
        numbers: [B] right class numbers.
    Returns:
        accuracy, macro_f1 (over the classes present or predicted), loss (mean -log p of the right class, nats), ece
        (expected calibration error, 15 equal bins of the top probability, Guo et al. 2017), per_class, confusion
        (rows: right, columns: predicted) and the calibration bins.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support  # a second to import

    predicted = probabilities.argmax(axis=1)
    labels = np.arange(len(classes))
    precision, recall, f1, support = precision_recall_fscore_support(
        numbers, predicted, labels=labels, zero_division=0.0
    )
    occurring = np.union1d(numbers, predicted)
    right = probabilities[np.arange(len(numbers)), numbers].astype(np.float64)
    bins = calibration_bins(probabilities.max(axis=1), predicted == numbers)
    return {
        "rows": len(numbers),
        "accuracy": float((predicted == numbers).mean()),
        "macro_f1": float(np.mean(f1[occurring])),
        "loss": float(-np.log(np.maximum(right, 1e-12)).mean()),
        "ece": float(sum(b["rows"] * abs(b["accuracy"] - b["confidence"]) for b in bins) / len(numbers)),
        "per_class": [
            {"class": str(c), "precision": float(p), "recall": float(r), "f1": float(f), "rows": int(s)}
            for c, p, r, f, s in zip(classes.tolist(), precision, recall, f1, support, strict=True)
        ],
        "confusion": confusion_matrix(numbers, predicted, labels=labels).tolist(),
        "calibration": bins,
    }


def calibration_bins(confidence: NDArray[np.float32], correct: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Mean confidence, accuracy and rows of each non-empty bin of the top probability."""
    place = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    return [
        {
            "confidence": float(confidence[place == b].mean()),
            "accuracy": float(correct[place == b].mean()),
            "rows": int((place == b).sum()),
        }
        for b in range(_BINS)
        if (place == b).any()
    ]
