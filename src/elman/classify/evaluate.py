"""Measuring a classifier on labelled text."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..labels import class_numbers, text_of
from ..text import ColumnNames, ReadOptions, Say, column_names, labelled_of, warn
from ..training import run_folder
from . import contamination, persistence
from .metrics import measure
from .model import Classifier
from .split import Split

_MISTAKES = 20


def evaluate(
    run: str | Path,
    data: str | Path,
    *,
    text_column: ColumnNames = None,
    label_column: str | None = None,
    encoding: str | None = None,
    skip_unlabelled: bool = False,
    quoting: str | None = None,
    say: Say = warn,
) -> dict[str, Any]:
    """Metrics of a saved model on a labelled file; see `metrics.measure` and `evaluate_split`.

    Args:
        text_column, label_column, encoding, quoting: None for those of the training, where the file has them.
        skip_unlabelled: leave rows without a label out.
        say: is told what is read other than in training, how many rows are left out, and how many were learned from.
    """
    classifier = persistence.load(run)
    options = ReadOptions(column_names(text_column), label_column, None, encoding, skip_unlabelled, quoting, say=say)
    split = labelled_split(classifier, data, options)
    training = contamination.read(Path(run) / run_folder.TRAINING_TEXTS)
    metrics, _ = evaluate_split(classifier, split, training)
    if metrics.get("in_training"):
        say(contamination.sentence(str(data), metrics["in_training"], metrics["rows"]))
    return metrics


def labelled_split(classifier: Classifier, data: str | Path, options: ReadOptions) -> Split:
    """A labelled file, read as the classifier's training data were where it can be."""
    rows = labelled_of(data, replace(options, trained_on=classifier.provenance))
    names = np.array([text_of(label) for label in classifier.classes])
    return Split(rows.texts, class_numbers(rows.labels, names, str(data)))


def evaluate_split(
    classifier: Classifier, data: Split, training: contamination.Marks | None = None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Metrics, and the mistakes made with the highest probability.

    With n-grams the metrics also hold the accuracy of the network and of the wide branch, each alone; where the
    training texts are known, also how many of these texts are among them (`in_training`).
    """
    network, wide = classifier.parts(classifier.encode(data.texts))
    probabilities = classifier.combine(network, wide)
    parts: dict[str, float] = {}
    if wide is not None:
        parts = {
            "network_accuracy": float((network.argmax(1) == data.numbers).mean()),
            "wide_accuracy": float((wide.argmax(1) == data.numbers).mean()),
        }
    if training is not None:
        parts["in_training"] = contamination.count(data.texts, training)
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
