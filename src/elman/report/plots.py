"""Plots as Matplotlib figures; each takes plain data."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import MaxNLocator

GREY, RED, BLUE = "#7a8793", "#c8442b", "#2b6cb0"
COLOURS = (RED, BLUE, "#3d8b57", "#8a5fa8", "#b57a1f", "#4d5b66", "#c26a94", "#2a8c8c", GREY)
TRAIN, VALIDATION = GREY, RED
_INK = "#26292c"
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


def number_epochs(axes: Axes) -> None:
    """The horizontal axis of a curve by epoch, be it one alone."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def curve(history: list[dict[str, Any]], quantity: str) -> Figure:
    """Training against validation, by epoch; `quantity` is accuracy or loss."""
    figure, axes = new_figure()
    epochs = [epoch["epoch"] for epoch in history]
    axes.plot(epochs, [e[f"train_{quantity}"] for e in history], "o--", color=TRAIN, label="training", markersize=4)
    watched = [e for e in history if e[f"validation_{quantity}"] is not None]
    if watched:
        values = [e[f"validation_{quantity}"] for e in watched]
        axes.plot([e["epoch"] for e in watched], values, "o-", color=VALIDATION, label="validation", markersize=4)
        best = int(np.argmax(values) if quantity == "accuracy" else np.argmin(values))
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
    axes.legend(frameon=False, fontsize=9)
    return figure


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
    """Accuracy against mean confidence of each bin; dots grow with the rows in the bin."""
    figure, axes = new_figure(4.4, 3.6)
    axes.plot([0, 1], [0, 1], color="#b8bfc6", linewidth=1, linestyle="--", label="perfect")
    rows = np.array([b["rows"] for b in bins], float)
    confidence, accuracy = [b["confidence"] for b in bins], [b["accuracy"] for b in bins]
    axes.plot(confidence, accuracy, color=VALIDATION, linewidth=1)
    axes.scatter(confidence, accuracy, s=15 + 150 * rows / rows.max(), color=VALIDATION, alpha=0.7, label="model")
    low = min([0.5, *confidence, *accuracy]) - 0.05
    axes.set_xlim(low, 1.02)
    axes.set_ylim(low, 1.04)
    axes.set_xlabel("confidence")
    axes.set_ylabel("accuracy")
    axes.set_title(f"expected calibration error {ece:.3f}", fontsize=10)
    return figure


def lengths(histogram: list[list[int]], max_length: int) -> Figure:
    """Texts by number of tokens, and where they are cut."""
    figure, axes = new_figure(5.2, 2.8)
    counts, edges = histogram
    axes.stairs(counts, edges, fill=True, color=TRAIN, alpha=0.7)
    if max_length and max_length < edges[-1]:
        axes.axvline(max_length, color=VALIDATION, linewidth=1.2)
        axes.text(max_length, max(counts) * 0.95, f" cut at {max_length}", color=VALIDATION, fontsize=9, va="top")
    axes.set_xlabel("tokens in a training text")
    axes.set_ylabel("texts")
    return figure


PLOTS: dict[str, Callable[[dict[str, Any]], Figure | None]] = {
    "accuracy": lambda data: curve(data["history"], "accuracy") if data["history"] else None,
    "loss": lambda data: curve(data["history"], "loss") if data["history"] else None,
    "lengths": lambda data: lengths(data["data"]["splits"]["train"]["length_histogram"], data["config"]["max_length"]),
}
