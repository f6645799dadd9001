"""Several runs in one picture."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .page import png, write_file
from .plots import COLOURS, clean


def write_comparison(rows: list[dict[str, Any]], histories: dict[str, list[float | None]], folder: Path) -> Path:
    """comparison.png: validation accuracy by epoch, and accuracy against time per epoch.

    Args:
        rows: per preset `preset`, `validation_accuracy`, `test_accuracy`, `seconds_per_epoch`.
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
            right.scatter(row["seconds_per_epoch"], score, color=colour, s=40)
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
