"""Measuring a classifier on labelled text."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..text import read_labelled
from . import persistence
from .metrics import measure
from .model import Classifier
from .split import Split, class_numbers

_MISTAKES = 20


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "utf-8",
) -> dict[str, Any]:
    """Metrics of a saved model on a labelled file; see `metrics.measure`."""
    classifier = persistence.load(run)
    rows = read_labelled(data, text_column=text_column, label_column=label_column, encoding=encoding)
    numbers = labels_of(classifier, rows.labels, str(data))
    return evaluate_split(classifier, Split(rows.texts, numbers))[0]


def labels_of(classifier: Classifier, labels: list[str], where: str) -> NDArray[np.int64]:
    """Class numbers of labels read from a file, which are strings whatever the model's own labels are."""
    return class_numbers(labels, np.array([str(c) for c in classifier.classes.tolist()]), where)


def evaluate_split(classifier: Classifier, data: Split) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Metrics, and the mistakes made with the highest probability.

    With n-grams the metrics also hold the accuracy of the network and of the wide branch, each alone.
    """
    network, wide = classifier.parts(classifier.encode(data.texts))
    probabilities, parts = classifier.combine(network, wide), {}
    if wide is not None:
        parts = {
            "network_accuracy": float((network.argmax(1) == data.numbers).mean()),
            "wide_accuracy": float((wide.argmax(1) == data.numbers).mean()),
        }
    metrics = {**measure(probabilities, data.numbers, classifier.classes), **parts}
    return metrics, _mistakes(classifier, data, probabilities)


def _mistakes(classifier: Classifier, data: Split, probabilities: NDArray[np.float32]) -> list[dict[str, Any]]:
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != data.numbers)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    return [
        {
            "text": data.texts[row],
            "label": str(classifier.classes[data.numbers[row]]),
            "predicted": str(classifier.classes[predicted[row]]),
            "probability": float(confidence[row]),
        }
        for row in worst
    ]
