"""The page of a language model's run: perplexity, what surprised it, how far it remembers, what it writes."""

import math
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from .page import picture, write_page
from .plots import TRAIN, VALIDATION, at_least, new_figure, number_epochs
from .verdict import Judgement, clipping_verdict

_NOISE = 0.02  # nats a token, that two losses must differ by
_ERRORS = 3  # sampling errors, from which an effect is none of chance
_LEAST = 0.01  # nats a token, from which it matters
_SMALLEST_EFFECT = 0.1  # nats a token, that an axis spans at least
_APART = 0.3  # nats a token, by which the losses of a run that came apart have risen
_WIDE = 10  # from this ratio of the largest perplexity to the smallest on the axis is logarithmic


def write_language_report(data: dict[str, Any], folder: Path) -> Path:
    """Write report.html and one PNG per plot into a folder; returns the page's path.

    Args:
        data: as in report.json of a language model's run: elman, sources, config, tokenizer, vocabulary, parameters,
            layers, data, history, measure, metrics, gradient, seconds, surprises (None without held-out text) and
            samples.
    """
    context = data["surprises"]["context"] if data["surprises"] else []
    figures = {
        "perplexity": perplexity_curve(data["history"], data["measure"]) if data["history"] else None,
        "learning-rate": rate_curve(data["history"]) if data["history"] else None,
        "context": context_curve(context),
    }
    return write_page(
        folder / "report.html",
        "language.html.j2",
        data,
        pictures={name: picture(name, figure, folder) for name, figure in figures.items() if figure is not None},
        verdict=perplexity_verdict(data["history"], data["measure"], _guess(data)),
        clipping=clipping_verdict(data["gradient"]),
        shaded=lambda words: shaded(words, data["vocabulary"]),
        perplexity=_perplexity,
        reach=context_sentence(context) if context else "",
    )


def perplexity_verdict(history: list[dict[str, Any]], measure: str, guess: float | None = None) -> Judgement:
    """What the perplexities by epoch say, and what to do about it.

    Args:
        history: per epoch train_loss and validation_loss in nats a token.
        measure: "perplexity" or "pseudo-perplexity".
        guess: loss of the held-out text by the frequencies of single tokens in training; None if unknown.
    """
    watched = [epoch for epoch in history if epoch["validation_loss"] is not None]
    if not watched:
        return Judgement(True, "There was no held-out text, so it cannot be told how well the model predicts new text.")
    best, last = min(watched, key=lambda epoch: epoch["validation_loss"]), watched[-1]
    kept = f"The weights of epoch {best['epoch']} were kept, validation {measure} {_figure(best['validation_loss'])}."
    if guess is not None and best["validation_loss"] > guess - _NOISE:
        return Judgement(
            False,
            "Nothing was learned of the order of words: how often each occurs in training gives a validation "
            f"{measure} of {_figure(guess)}. {kept} A higher learning_rate, more epochs or more text may help.",
        )
    if last["validation_loss"] > best["validation_loss"] + _NOISE:
        rose = f"the validation {measure} rose to {_figure(last['validation_loss'])}"
        if last["train_loss"] < best["train_loss"]:
            return Judgement(
                False,
                f"Overfitting from epoch {best['epoch']} on: {rose} while that of training fell to "
                f"{_figure(last['train_loss'])}. {kept} More dropout or text would help; more epochs will not.",
            )
        if min(last[name] - best[name] for name in ("train_loss", "validation_loss")) > _APART:
            return Judgement(
                False,
                f"Training came apart after epoch {best['epoch']}: {rose}, and that of training to "
                f"{_figure(last['train_loss'])}. {kept} A lower learning_rate or clip_norm would help.",
            )
    if best is last and len(watched) > 1 and watched[-2]["validation_loss"] > last["validation_loss"] + 0.01:
        return Judgement(True, f"The validation {measure} was still falling: more epochs may help. {kept}")
    if len(watched) == 1:
        return Judgement(True, f"After one epoch it cannot be told whether more would help. {kept}")
    return Judgement(True, f"The validation {measure} no longer fell by much. {kept}")


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
    if axes.get_yscale() == "linear":
        at_least(axes, 0.05 * min(shown))
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
    """What is lost where only the last few words are known, with two sampling errors; None if it was not measured."""
    if len(context) < 2:
        return None
    figure, axes = new_figure()
    known = [math.sqrt(row["first"] * row["last"]) for row in context]
    axes.axhline(0, color="#b8bfc6", linewidth=1)
    errors = [2 * row.get("error", 0.0) for row in context]
    axes.errorbar(known, [row["loss"] for row in context], errors, fmt="o-", color=VALIDATION, markersize=4, capsize=2)
    at_least(axes, _SMALLEST_EFFECT)
    axes.set_xscale("symlog", base=2, linthresh=1)
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("tokens known before")
    axes.set_ylabel("loss added (nats a token)")
    return figure


def context_sentence(context: list[dict[str, float]]) -> str:
    """How many words back still help, as far as that can be told from noise.

    Args:
        context: `first`, `last`, `loss` and, of runs that have measured it, its sampling `error`; in order.
    """
    helped = [row for row in context if row["loss"] > max(_LEAST, _ERRORS * row.get("error", 0.0))]
    if not helped:
        largest, first = max(context, key=lambda row: row["loss"]), context[0]["first"]
        known = f"only the last {first:.0f} tokens" if first else "nothing of what stands before"
        return (
            f"No effect beyond the noise: to know {known} costs at most {largest['loss']:.3f} ± "
            f"{largest.get('error', 0.0):.3f} nats a token."
        )
    last = helped[-1]
    if last is context[-1]:
        return f"Words still help that stand more than {last['first']:.0f} tokens back."
    steps = f"{last['last'] + 1:.0f} token" + "s" * (last["last"] > 0)
    return f"Words that stand more than {steps} back make no difference that can be told from noise."


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


def _guess(data: dict[str, Any]) -> float | None:
    """Loss by the tokens' frequencies, of runs that have counted it."""
    guess: float | None = data["data"].get("validation", {}).get("guess")
    return guess


def _perplexity(loss: float) -> float:
    return math.exp(min(loss, 500))  # beyond it the ticks and the margin of an axis are no floats any more


def _figure(loss: float) -> str:
    return f"{_perplexity(loss):.4g}"
