"""Plots as Matplotlib figures; each takes plain data."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .verdict import kept_epoch, majority

GREY, RED, BLUE = "#7a8793", "#c8442b", "#2b6cb0"
COLOURS = (RED, BLUE, "#3d8b57", "#8a5fa8", "#b57a1f", "#4d5b66", "#c26a94", "#2a8c8c", GREY)
TRAIN, VALIDATION = GREY, RED
_INK = "#26292c"
_SMALLEST_SPAN = 0.05  # of accuracies and of losses in nats, that an axis spans at least
# Class names may be in any script: of these fonts those installed are tried in turn.
_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC")


def new_figure(width: float = 5.2, height: float = 3.4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    clean(axes)
    axes.tick_params(colors=_INK, labelsize=9)
    return figure, axes


def clean(axes: Axes) -> None:
    """Without the frame's lines at the top and on the right."""
    axes.spines[["top", "right"]].set_visible(False)


def at_least(axes: Axes, span: float) -> None:
    """No less than so much on the vertical axis, about the middle of what is shown: noise fills no picture."""
    low, high = axes.get_ylim()
    if high - low < span:
        middle = (low + high) / 2
        axes.set_ylim(middle - span / 2, middle + span / 2)


def number_epochs(axes: Axes) -> None:
    """The horizontal axis of a curve by epoch, be it one alone."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def curve(history: list[dict[str, Any]], quantity: str, validation: dict[str, Any] | None = None) -> Figure:
    """Training against validation, by epoch.

    Args:
        quantity: accuracy or loss.
        validation: the figures of the validation texts, of which accuracies have a sampling error and the most frequent
            class a share; None for neither.
    """
    figure, axes = new_figure()
    epochs = [epoch["epoch"] for epoch in history]
    axes.plot(epochs, [e[f"train_{quantity}"] for e in history], "o--", color=TRAIN, label="training", markersize=4)
    watched = [e for e in history if e[f"validation_{quantity}"] is not None]
    if watched:
        values = [e[f"validation_{quantity}"] for e in watched]
        axes.plot([e["epoch"] for e in watched], values, "o-", color=VALIDATION, label="validation", markersize=4)
        if quantity == "accuracy" and validation is not None and validation["rows"]:
            _sampling(axes, [e["epoch"] for e in watched], np.array(values), validation)
        best = watched.index(kept_epoch(watched)) if quantity == "accuracy" else int(np.argmin(values))
        axes.annotate(
            f"{values[best]:.3f}",
            (watched[best]["epoch"], values[best]),
            xytext=(0, 7 if quantity == "accuracy" else -13),
            textcoords="offset points",
            ha="center",
            color=VALIDATION,
            fontsize=9,
            bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )
    number_epochs(axes)
    axes.set_ylabel(quantity if quantity == "accuracy" else "loss (nats)")
    axes.margins(y=0.12)
    at_least(axes, _SMALLEST_SPAN)
    axes.legend(frameon=False, fontsize=9)
    return figure


def _sampling(axes: Axes, epochs: list[int], accuracies: NDArray[np.float64], validation: dict[str, Any]) -> None:
    """A band of two sampling errors about the accuracies, and the share of the most frequent class."""
    errors = 2 * np.sqrt(accuracies * (1 - accuracies) / validation["rows"])
    axes.fill_between(epochs, accuracies - errors, accuracies + errors, color=VALIDATION, alpha=0.13, linewidth=0)
    share, _ = majority(validation["per_class"])
    axes.axhline(share, color=TRAIN, linewidth=1, linestyle=":", label="most frequent class")


def confusion(matrix: list[list[int]], classes: list[str]) -> Figure:
    """Rows: right class; columns: predicted; shade: share of the row."""
    counts = np.asarray(matrix)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = float(np.clip(1.6 + 0.55 * len(classes), 3.2, 12))
    figure, axes = new_figure(size + 0.6, size)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [c if len(c) <= 14 else c[:13] + "…" for c in classes]
    installed = {font.name for font in fontManager.ttflist}
    style: dict[str, Any] = {"parse_math": False, "fontfamily": [font for font in _FONTS if font in installed]}
    slanted = max(map(len, names)) > 4
    axes.set_xticks(range(len(names)), names, rotation=45 * slanted, ha="right" if slanted else "center", **style)
    axes.set_yticks(range(len(names)), names, **style)
    axes.set_xlabel("predicted")
    axes.set_ylabel("right")
    if len(classes) <= 20:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if share[row, column] > 0.5 else _INK
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=9)
    return figure


def calibration(bins: list[dict[str, float]], ece: float) -> Figure:
    """Accuracy against mean confidence of each bin; dots grow with the rows in the bin.

    The bars are two sampling errors of an accuracy that is as the confidence says.
    """
    figure, axes = new_figure(4.4, 3.6)
    axes.plot([0, 1], [0, 1], color="#b8bfc6", linewidth=1, linestyle="--", label="perfect")
    rows = np.array([b["rows"] for b in bins], float)
    confidence, accuracy = [b["confidence"] for b in bins], [b["accuracy"] for b in bins]
    errors = 2 * np.sqrt(np.array(confidence) * (1 - np.array(confidence)) / rows)
    axes.errorbar(confidence, accuracy, errors, color=VALIDATION, linewidth=1, elinewidth=0.7, alpha=0.8)
    axes.scatter(confidence, accuracy, s=15 + 150 * rows / rows.max(), color=VALIDATION, alpha=0.7, label="model")
    low = min([0.5, *confidence, *accuracy]) - 0.05
    axes.set_xlim(low, 1.02)
    axes.set_ylim(low, 1.04)
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.set_title(f"expected calibration error {ece:.3f}", fontsize=10)
    return figure


def lengths(histogram: list[list[int]], max_length: int) -> Figure:
    """Texts by number of tokens, and where they are cut.

    Args:
        histogram: counts and edges, whole numbers; a bin has the lengths from its edge to below the next.
    """
    figure, axes = new_figure(5.2, 2.8)
    counts, edges = whole_bins(*histogram)
    between = np.array(edges) - 0.5
    axes.stairs(counts, between, fill=True, color=TRAIN, alpha=0.7)
    if max_length and max_length + 1 < edges[-1]:
        axes.axvline(max_length + 0.5, color=VALIDATION, linewidth=1.2)
        axes.text(max_length + 0.5, max(counts) * 0.95, f" cut at {max_length}", color=VALIDATION, fontsize=9, va="top")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("tokens in a training text")
    axes.set_ylabel("texts")
    return figure


def whole_bins(counts: list[int], edges: list[int]) -> tuple[list[int], list[int]]:
    """The same, or one bin a length where an older run has edges twice, which were fractions cut to whole numbers."""
    if len(set(edges)) == len(edges):
        return counts, edges
    fractions = np.linspace(edges[0], max(edges[-1], edges[0] + 1), len(edges))
    places = np.ceil(fractions[:-1]).astype(int) - edges[0]
    places[-1] = int(fractions[-1]) - edges[0]  # the last bin has the longest text
    by_length = np.bincount(places, counts).astype(int)
    return by_length.tolist(), list(range(edges[0], edges[0] + len(by_length) + 1))


PLOTS: dict[str, Callable[[dict[str, Any]], Figure | None]] = {
    "accuracy": lambda data: (
        curve(data["history"], "accuracy", data["metrics"].get("validation")) if data["history"] else None
    ),
    "loss": lambda data: curve(data["history"], "loss") if data["history"] else None,
    "lengths": lambda data: lengths(data["data"]["splits"]["train"]["length_histogram"], data["config"]["max_length"]),
}
