"""The verdict in words, and plots of any shape."""

import warnings

import pytest

from elman.errors import RunFolderError
from elman.report import clipping_verdict, overfitting_verdict, plots, write_comparison, write_memory


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
