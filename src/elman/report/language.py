"""The page of a language model's run: perplexity, what surprised it, how far it remembers, what it writes."""

import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from .page import picture, write_page
from .plots import TRAIN, VALIDATION, new_figure, number_epochs
from .verdict import clipping_verdict

_WIDE = 10  # from this ratio of the largest perplexity to the smallest on the axis is logarithmic


def write_language_report(data: dict[str, Any], folder: Path) -> Path:
    """Write report.html and one PNG per plot into a folder; returns the page's path.

    Args:
        data: as in report.json of a language model's run: elman, sources, config, tokenizer, vocabulary, parameters,
            layers, data, history, measure, metrics, gradient, seconds, surprises (None without held-out text) and
            samples.
    """
    figures = {
        "perplexity": perplexity_curve(data["history"], data["measure"]) if data["history"] else None,
        "learning-rate": rate_curve(data["history"]) if data["history"] else None,
        "context": context_curve(data["surprises"]["context"]) if data["surprises"] else None,
    }
    return write_page(
        folder / "report.html",
        "language.html.j2",
        data,
        pictures={name: picture(name, figure, folder) for name, figure in figures.items() if figure is not None},
        verdict=perplexity_verdict(data["history"], data["measure"]),
        clipping=clipping_verdict(data["gradient"]),
        shaded=lambda words: shaded(words, data["vocabulary"]),
        perplexity=_perplexity,
    )


def perplexity_verdict(history: list[dict[str, Any]], measure: str) -> str:
    """What the perplexities by epoch say, and what to do about it.

    Args:
        history: per epoch train_loss and validation_loss in nats a token.
        measure: "perplexity" or "pseudo-perplexity".
    """
    watched = [epoch for epoch in history if epoch["validation_loss"] is not None]
    if not watched:
        return "There was no held-out text, so it cannot be told how well the model predicts new text."
    best, last = min(watched, key=lambda epoch: epoch["validation_loss"]), watched[-1]
    kept = f"The weights of epoch {best['epoch']} were kept, validation {measure} {_figure(best['validation_loss'])}."
    if last["validation_loss"] > best["validation_loss"] + 0.02 and last["train_loss"] < best["train_loss"]:
        return (
            f"Overfitting from epoch {best['epoch']} on: the validation {measure} rose to "
            f"{_figure(last['validation_loss'])} while that of training fell to {_figure(last['train_loss'])}. {kept} "
            "More dropout or text would help; more epochs will not."
        )
    if best is last and len(watched) > 1 and watched[-2]["validation_loss"] > last["validation_loss"] + 0.01:
        return f"The validation {measure} was still falling: more epochs may help. {kept}"
    if len(watched) == 1:
        return f"After one epoch it cannot be told whether more would help. {kept}"
    return f"The validation {measure} no longer fell by much. {kept}"


def perplexity_curve(history: list[dict[str, Any]], measure: str) -> Figure:
    """Training against validation, by epoch."""
    figure, axes = new_figure()
    shown: list[float] = []
    for name, key, colour, line in (
        ("training", "train_loss", TRAIN, "o--"),
        ("validation", "validation_loss", VALIDATION, "o-"),
    ):
        points = [(e["epoch"], _perplexity(e[key])) for e in history if e[key] is not None]
        if points:
            axes.plot(*zip(*points, strict=True), line, color=colour, label=name, markersize=4)
            shown += [value for _, value in points]
    watched = [(_perplexity(e["validation_loss"]), e["epoch"]) for e in history if e["validation_loss"] is not None]
    if watched:
        lowest, epoch = min(watched)
        axes.annotate(
            f"{lowest:.4g}",
            (epoch, lowest),
            (0, -13),
            textcoords="offset points",
            ha="center",
            color=VALIDATION,
            fontsize=9,
        )
    if max(shown) > _WIDE * min(shown):
        axes.set_yscale("log")
    number_epochs(axes)
    axes.set_ylabel(measure)
    axes.margins(y=0.15)
    axes.legend(frameon=False, fontsize=9)
    return figure


def rate_curve(history: list[dict[str, Any]]) -> Figure:
    """The learning rate at the end of each epoch."""
    figure, axes = new_figure()
    axes.plot([e["epoch"] for e in history], [e["learning_rate"] for e in history], "o-", color=TRAIN, markersize=4)
    number_epochs(axes)
    axes.set_ylabel("learning rate at its end")
    axes.set_ylim(bottom=0)
    return figure


def context_curve(context: list[dict[str, float]]) -> Figure | None:
    """What is lost where only the last few words are known; None if it could not be measured."""
    if len(context) < 2:
        return None
    figure, axes = new_figure()
    known = [math.sqrt(row["first"] * row["last"]) for row in context]
    axes.axhline(0, color="#b8bfc6", linewidth=1)
    axes.plot(known, [row["loss"] for row in context], "o-", color=VALIDATION, markersize=4)
    axes.set_xscale("symlog", base=2, linthresh=1)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("tokens known before")
    axes.set_ylabel("loss added (nats a token)")
    return figure


def shaded(words: list[tuple[str, float]], vocabulary: int) -> list[tuple[str, str, str, str]]:
    """The space before each word, the word, its opacity (full where it is as unlikely as one drawn blindly), its p."""
    blind = math.log(vocabulary)
    return [
        (
            " " * word.startswith(" "),
            word.removeprefix(" ") or " ",
            f"{0.85 * min(1.0, loss / blind):.2f}",
            f"p = {math.exp(-loss):.2g}",
        )
        for word, loss in words
    ]


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 500))  # beyond it the ticks and the margin of an axis are no floats any more


def _figure(loss: float) -> str:
    return f"{_perplexity(loss):.4g}"
