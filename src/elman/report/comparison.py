"""Several runs in one picture."""

import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .page import png, write_file
from .plots import COLOURS, clean


def write_comparison(rows: list[dict[str, Any]], histories: dict[str, list[float | None]], folder: Path) -> Path:
    """comparison.png: validation accuracy by epoch, and accuracy against time per epoch.

    Args:
        rows: per preset `preset`, `validation_accuracy`, `test_accuracy`, `seconds_per_epoch` and, for the sampling
            error, `rows` by split.
        histories: per preset the validation accuracy of each epoch.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        clean(axes)
    for colour, row in zip(COLOURS * len(rows), rows, strict=False):
        name = row["preset"]
        watched = [(i, a) for i, a in enumerate(histories[name], 1) if a is not None]
        if watched:
            left.plot(*zip(*watched, strict=True), "o-", color=colour, label=name, markersize=4)
        score = row["test_accuracy"] if row["test_accuracy"] is not None else row["validation_accuracy"]
        if score is not None:
            right.errorbar(row["seconds_per_epoch"], score, _two_errors(row, score), fmt="o", color=colour, capsize=3)
            right.annotate(
                f"{name} {score:.3f}", (row["seconds_per_epoch"], score), xytext=(6, 4), textcoords="offset points"
            )
    left.set_xlabel("epoch")
    left.set_ylabel("validation accuracy (network alone)")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend(frameon=False)
    right.set_xlabel("seconds per epoch")
    right.set_ylabel("accuracy")
    right.margins(x=0.35, y=0.2)
    path = folder / "comparison.png"
    write_file(path, png(figure, 120))
    return path


def _two_errors(row: dict[str, Any], score: float) -> float:
    """Twice the sampling error of the accuracy, 0 where it is not known of how many texts that is."""
    split = "test" if row["test_accuracy"] is not None else "validation"
    texts = row.get("rows", {}).get(split)
    return 2 * math.sqrt(score * (1 - score) / texts) if texts else 0.0
