"""The page of a language model's run: its sentences, plots and shaded words."""

import math
import re

import pytest

from elman.report import write_language_report
from elman.report.language import (
    context_curve,
    context_sentence,
    perplexity_curve,
    perplexity_verdict,
    rate_curve,
    shaded,
)


def history(*losses):
    names = ("train_loss", "validation_loss")
    return [
        {"epoch": i, "learning_rate": 0.1 / i, **dict(zip(names, row, strict=True))} for i, row in enumerate(losses, 1)
    ]


@pytest.mark.parametrize(
    ("losses", "parts"),
    [
        ([(5.0, 5.0), (4.0, 4.5), (3.0, 4.8)], ["Overfitting from epoch 2 on", "rose to 121.5", "fell to 20.09"]),
        ([(5.0, 5.0), (4.0, 4.5)], ["still falling: more epochs", "epoch 2 were kept, validation perplexity 90.02"]),
        ([(5.0, 5.0), (4.0, 4.5), (4.0, 4.495)], ["no longer fell", "epoch 3 were kept"]),
        ([(5.0, 5.0)], ["cannot be told whether more", "epoch 1 were kept, validation perplexity 148.4"]),
        ([(5.0, None)], ["no held-out text"]),
        ([], ["no held-out text"]),
    ],
)
def test_verdict(losses, parts):
    for part in parts:
        assert part in perplexity_verdict(history(*losses), "perplexity").sentence


@pytest.mark.parametrize(
    ("losses", "guess", "parts"),
    [
        ([(7.0, 6.5), (6.5, 6.35)], 6.3, ["Nothing was learned of the order of words", "perplexity of 544.6", "572.5"]),
        ([(6.2, 6.299)], 6.3, ["Nothing was learned of the order of words"]),
        (
            [(5.0, 5.0), (9.0, 9.5)],
            6.3,
            ["Training came apart after epoch 1", "rose to 1.336e+04", "to 8103", "clip_norm"],
        ),
    ],
)
def test_a_model_that_learned_nothing_or_came_apart_is_not_praised(losses, guess, parts):
    judgement = perplexity_verdict(history(*losses), "perplexity", guess)
    assert not judgement.is_fine
    for part in parts:
        assert part in judgement.sentence
    assert perplexity_verdict(history((5.0, 5.0), (4.0, 4.5)), "perplexity", 6.3).is_fine


def context(*rows):
    names = ("first", "last", "loss", "error")
    return [dict(zip(names, row, strict=True), tokens=40) for row in rows]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [(8, 15, 0.02, 0.01), (16, 31, 1e-5, 1e-7)],
            "to know only the last 8 tokens costs at most 0.020 ± 0.010 nats",
        ),
        ([(0, 0, 0.007, 0.004), (1, 1, -0.003, 0.005)], "No effect beyond the noise: .* at most 0.007 ± 0.004 nats"),
        ([(0, 0, 1.0, 0.01), (1, 1, 0.004, 0.003)], "stand more than 1 token back make no difference"),
        ([(0, 0, 1.0, 0.01), (1, 1, 0.5, 0.1), (2, 3, 0.01, 0.1)], "stand more than 2 tokens back make no difference"),
        ([(0, 0, 1.0, 0.01), (1, 1, 0.5, 0.1), (2, 3, 0.4, 0.1)], "still help that stand more than 2 tokens back"),
    ],
)
def test_what_is_concluded_of_the_context_is_beyond_its_noise(rows, words):
    assert re.search(words, context_sentence(context(*rows)))
    old = [{key: value for key, value in row.items() if key != "error"} for row in context(*rows)]
    assert context_sentence(old) and context_curve(old)


def test_noise_does_not_fill_the_picture():
    axes = context_curve(context((0, 0, 0.007, 0.004), (1, 1, -0.003, 0.005))).axes[0]
    low, high = axes.get_ylim()
    assert high - low >= 0.1 and low < 0 < high
    axes = perplexity_curve(history((5.0, 5.0), (4.999, 4.9995)), "perplexity").axes[0]
    low, high = axes.get_ylim()
    assert high - low >= 0.05 * math.exp(4.999)


@pytest.mark.parametrize(
    ("losses", "scale", "lines"),
    [([(5.0, 5.0), (4.0, 4.0)], "linear", 2), ([(9.0, 8.0), (4.0, 4.0)], "log", 2), ([(5.0, None)], "linear", 1)],
)
def test_a_wide_range_of_perplexities_is_drawn_on_a_logarithmic_axis(losses, scale, lines, tmp_path):
    figure = perplexity_curve(history(*losses), "perplexity")
    figure.savefig(tmp_path / "a.png")
    axes = figure.axes[0]
    assert axes.get_yscale() == scale and len(axes.get_lines()) == lines
    assert list(axes.get_lines()[0].get_ydata()) == pytest.approx([math.exp(row[0]) for row in losses])


def test_words_are_shaded_up_to_a_blind_guess():
    found = shaded([["a", 0.0], [" b", math.log(100) / 2], [" ", math.log(100)], ["d", 99.0]], 100)
    assert found == [
        ("", "a", "0.00", "p = 1"),
        (" ", "b", "0.42", "p = 0.1"),
        (" ", " ", "0.85", "p = 0.01"),
        ("", "d", "0.85", "p = 1e-43"),
    ]


def test_the_curve_of_context(tmp_path):
    rows = [{"first": a, "last": b, "tokens": 30, "loss": 1 / (1 + a)} for a, b in [(0, 0), (1, 1), (2, 3)]]
    figure = context_curve(rows)
    figure.savefig(tmp_path / "a.png")
    assert list(figure.axes[0].get_lines()[1].get_ydata()) == [1, 1 / 2, 1 / 3]
    assert context_curve(rows[:1]) is None is context_curve([])


@pytest.mark.parametrize("held_out", [True, False])
def test_the_page_needs_nothing_else_and_takes_text_as_text(tmp_path, held_out):
    line = {"loss": 2.0, "cut": 3, "words": [["<b>", 1.0], [" &c", 9.0]]}
    context = [{"first": n, "last": n, "tokens": 40, "loss": 0.5 - n / 2} for n in (0, 1)]
    names = ("mean", "median", "quantile_90", "clipped", "clip_norm", "proposed_clip_norm")
    split = {"documents": 3, "tokens": 12345, "coverage": 0.987}
    data = {
        "elman": "0",
        "sources": ["/some/where/a<i>.txt"],
        "config": {"objective": "next", "direction": "forward", "cell": "<script>"},
        "tokenizer": "words",
        "vocabulary": 100,
        "parameters": 1234,
        "layers": [{"layer": "LSTM", "output": "(B, T, 3)", "parameters": 1234}],
        "data": {"train": split},
        "history": history((5.0, 4.0 if held_out else None)),
        "measure": "pseudo-perplexity",
        "metrics": {"validation": {"perplexity": 54.6, "loss": 4.0, "tokens": 9}} if held_out else {},
        "gradient": dict.fromkeys(names, 1.0),
        "seconds": {"training": 1.0, "total": 2.0},
        "surprises": {"tokens": 9, "most": [line], "least": [line], "context": context} if held_out else None,
        "samples": ["<i>once"],
    }
    page = write_language_report(data, tmp_path).read_text()
    assert page.count("data:image/png;base64,") == 2 + held_out
    assert (tmp_path / "perplexity.png").exists() and (tmp_path / "context.png").exists() == held_out
    assert "http://" not in page and "https://" not in page and "<script" not in page and "<i>" not in page
    for part in ("a&lt;i&gt;.txt", "&lt;i&gt;once", "12,345", "98.70 %", "1,234", "the next word, read forward"):
        assert part in page
    for part in ("validation pseudo-perplexity", "&lt;b&gt;</span> <span", "&amp;c</span> …", "How far it remembers"):
        assert (part in page) == held_out


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_epochs_are_whole_numbers_on_the_axis(epochs):
    by_epoch = history(*[(5 - n / 9, 5 - n / 8) for n in range(epochs)])
    for figure in (perplexity_curve(by_epoch, "perplexity"), rate_curve(by_epoch)):
        axes = figure.axes[0]
        low, high = axes.get_xlim()
        shown = [tick for tick in axes.get_xticks() if low <= tick <= high]
        assert shown and all(tick == round(tick) for tick in shown)
