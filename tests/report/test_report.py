"""The verdict in words, and plots of any shape."""

import itertools
import warnings

import numpy as np
import pytest

from elman.classify.fit import length_histogram
from elman.errors import RunFolderError
from elman.report import (
    chance_sentence,
    clipping_verdict,
    learning_verdict,
    overfitting_verdict,
    plots,
    write_comparison,
    write_memory,
)


def history(*rows):
    names = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    return [{"epoch": i, **dict(zip(names, row, strict=True))} for i, row in enumerate(rows, 1)]


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        (
            [(0.6, 0.7, 0.5, 0.80), (0.3, 0.9, 0.4, 0.85), (0.1, 0.99, 0.7, 0.84)],
            ["Overfitting from epoch 2", "0.400 to 0.700"],
        ),
        ([(0.6, 0.7, 0.5, 0.80), (0.2, 0.95, 0.49, 0.82)], ["Some overfitting", "0.130 above"]),
        ([(0.6, 0.7, 0.6, 0.70), (0.5, 0.8, 0.5, 0.80)], ["still falling: more epochs"]),
        ([(0.6, 0.7, 0.6, 0.70), (0.5, 0.8, 0.5, 0.80), (0.5, 0.8, 0.5, 0.80)], ["No overfitting to speak of"]),
        ([(0.6, 0.7, None, None)], ["no validation data"]),
        ([], ["no validation data"]),
    ],
)
def test_verdict(rows, parts):
    words = overfitting_verdict(history(*rows))
    for part in parts:
        assert part in words


def figures(*rows, recalls=None):
    """Of validation texts with so many of each class."""
    classes = [{"rows": count, "recall": recall} for count, recall in zip(rows, recalls or rows, strict=True)]
    return {"rows": sum(rows), "per_class": classes}


CHANCE = "The network has learned nothing that can be told from chance"


@pytest.mark.parametrize(
    ("accuracies", "rows", "learned"),
    [
        ([0.337], (100, 100, 100), False),
        ([0.33, 0.40, 0.35], (100, 100, 100), False),  # 2.4 sampling errors, the best of three
        ([0.33, 0.45, 0.35], (100, 100, 100), True),
        ([0.90], (900, 100), False),
        ([0.95], (900, 100), True),
        ([0.91], (900, 100), False),
        ([0.50], (900, 100), False),
        ([0.60], (10, 10), False),
        ([0.95], (10, 10), True),
        ([0.52], (5000, 5000), True),
        ([1.0], (50, 0), False),  # of one class
        ([1.0], (50, 50), True),
    ],
)
def test_what_was_learned_is_judged_against_the_most_frequent_class(accuracies, rows, learned):
    epochs = history(*[(1.0, accuracy, 1.0, accuracy) for accuracy in accuracies])
    judgement = learning_verdict(epochs, figures(*rows))
    assert judgement.sentence.startswith(CHANCE) != learned and judgement.is_fine == learned
    assert overfitting_verdict(epochs).startswith("No overfitting")  # nothing to judge against
    assert (chance_sentence(epochs, figures(*rows)) == "") == learned
    assert chance_sentence(epochs, None) == chance_sentence(epochs, {}) == chance_sentence([], figures(*rows)) == ""


def test_labels_without_relation_to_the_texts():
    judgement = learning_verdict(history((1.1, 0.34, 1.1, 0.337)), figures(100, 100, 100))
    for part in (CHANCE, "0.337 of the 300 validation texts", "0.333 ± 0.027", "a higher learning_rate"):
        assert part.lower() in judgement.sentence.lower()
    by_heart = learning_verdict(history((1.1, 0.34, 1.1, 0.337), (0.1, 0.98, 3.0, 0.33)), figures(100, 100, 100))
    assert by_heart.sentence.startswith(CHANCE) and "by heart (accuracy 0.980)" in by_heart.sentence


def test_random_answers_are_seldom_praised():
    draws = np.random.default_rng(0)
    praised = 0
    for _ in range(300):
        accuracies = draws.binomial(200, 1 / 3, 8) / 200
        praised += not chance_sentence(history(*[(1.1, a, 1.1, a) for a in accuracies]), figures(67, 67, 66))
    assert praised <= 9  # one in a hundred is allowed


def test_classes_that_are_weighed_are_judged_by_their_recall():
    epochs = history((1.0, 0.5, 1.0, 0.6))
    assert learning_verdict(epochs, figures(900, 100, recalls=(0.55, 0.95)), weighted=True).is_fine
    judgement = learning_verdict(epochs, figures(900, 100, recalls=(0.6, 0.45)), weighted=True)
    assert not judgement.is_fine and "0.525 is the mean recall of the 2 classes" in judgement.sentence
    assert "gives 0.500 ± 0.026" in judgement.sentence


def test_a_run_that_came_apart_did_not_overfit():
    judgement = learning_verdict(history((0.6, 0.7, 0.5, 0.8), (3.0, 0.5, 4.0, 0.5)))
    assert judgement.sentence.startswith("Training came apart after epoch 1") and not judgement.is_fine
    assert "from 0.600 to 3.000" in judgement.sentence
    level = learning_verdict(history((0.6, 0.7, 0.5, 0.8), (0.61, 0.7, 0.6, 0.79)))
    assert "while the training loss stayed near 0.610" in level.sentence


@pytest.mark.parametrize("lengths", [range(2, 14), [5, 5, 5], [0, 0, 1], range(40), range(41), [3, 1000], [7]])
def test_bins_of_lengths_are_whole_and_have_no_holes(lengths):
    lengths = np.array(list(lengths))
    counts, edges = length_histogram(lengths)
    assert len(edges) == len(counts) + 1 <= 41 and all(type(value) is int for value in counts + edges)
    widths = set(np.diff(edges).tolist())
    assert len(widths) == 1 and edges[0] == lengths.min() and edges[-2] <= lengths.max() < edges[-1]
    assert counts == [int(((lengths >= a) & (lengths < b)).sum()) for a, b in itertools.pairwise(edges)]
    plots.lengths([counts, edges], 4)
    assert plots.whole_bins(counts, edges) == (counts, edges)
    assert length_histogram(np.zeros(0, np.int64)) == [[0], [0, 1]]


@pytest.mark.parametrize("lengths", [list(range(2, 19)) * 3, [5, 5], [3, 3, 9], list(range(100))])
def test_histograms_of_older_runs_are_drawn_by_length(lengths):
    """They had edges of np.histogram cut to whole numbers, of which several were the same."""
    old = [[int(value) for value in side] for side in np.histogram(lengths, bins=40)]
    counts, _ = plots.whole_bins(*old)
    if max(lengths) - min(lengths) < 40 and len(set(lengths)) > 1:
        assert counts == [lengths.count(length) for length in range(min(lengths), max(lengths) + 1)]
    assert sum(counts) == len(lengths)
    plots.lengths(old, 0)


def test_accuracies_are_drawn_with_their_sampling_error():
    epochs = history(*[(1.1, a, 1.1, a) for a in (0.333, 0.337)])
    axes = plots.curve(epochs, "accuracy", figures(100, 100, 100)).axes[0]
    low, high = axes.get_ylim()
    assert high - low > 4 * (0.333 * 0.667 / 300) ** 0.5 and low < 1 / 3 < high
    assert "most frequent class" in {text.get_text() for text in axes.get_legend().get_texts()}
    low, high = plots.curve(history((1.1, 0.3, 1.1, 0.3), (1.0999, 0.3, 1.0999, 0.3)), "loss").axes[0].get_ylim()
    assert high - low == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("clip_norm", "parts"),
    [
        (0.0, ["clip_norm is off: 2.1, the usual norm, would suit", "2.5 % of the steps"]),
        (1.0, ["clip_norm 1 is low: 2.1, the usual norm, would suit"]),
        (1.05, ["clip_norm 1.05 suits", "the usual norm 2.1"]),
        (21.0, ["clip_norm 21 suits"]),
        (21.5, ["clip_norm 21.5 is high: 2.1, the usual norm, would suit"]),
    ],
)
def test_clipping_is_judged_by_the_usual_norm(clip_norm, parts):
    figures = {"mean": 2.11, "median": 1.5, "quantile_90": 3.456, "clipped": 0.025, "proposed_clip_norm": 2.1}
    words = clipping_verdict({**figures, "clip_norm": clip_norm})
    for part in ["mean 2.11, median 1.5, 90 % below 3.46", "0.5 to 10 times", *parts]:
        assert part in words


def test_no_gradient_leaves_nothing_to_clip():
    names = ("mean", "median", "quantile_90", "clipped", "clip_norm", "proposed_clip_norm")
    assert "nothing to clip" in clipping_verdict(dict.fromkeys(names, 0.0))


def test_class_names_are_not_formulas(tmp_path):
    names = ["$a_b$", "{$", "差评", "\\frac"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that no font here has
        figure = plots.confusion([[1] * 4] * 4, names)
        figure.savefig(tmp_path / "a.png")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names


@pytest.mark.parametrize("classes", [2, 6, 40])
def test_confusion_of_any_size(classes, tmp_path):
    matrix = [[i * j for i in range(classes)] for j in range(classes)]
    plots.confusion(matrix, [f"a rather long class name {i}" for i in range(classes)]).savefig(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_curves_without_validation_or_with_one_epoch(tmp_path):
    for rows in ([(0.6, 0.7, None, None)], [(0.6, 0.7, 0.5, 0.8)]):
        plots.curve(history(*rows), "loss").savefig(tmp_path / "a.png")
        axes = plots.curve(history(*rows), "accuracy").axes[0]
        assert len(axes.get_lines()) == 1 + (rows[0][2] is not None)


def test_a_picture_that_cannot_be_written_is_named(tmp_path):
    row = {"preset": "gru", "validation_accuracy": 0.5, "test_accuracy": None, "seconds_per_epoch": 1.0}
    with pytest.raises(RunFolderError, match=r"none/comparison\.png: cannot be written \(No such file or directory\)"):
        write_comparison([row], {"gru": [0.5]}, tmp_path / "none")
    with pytest.raises(RunFolderError, match=r"none/memory\.md: cannot be written"):
        write_memory([], tmp_path / "none")
