"""What the commands say of the data that they read, and what they refuse of it; in one process."""

import csv
import io
import json
import sys

import pytest

from conftest import make_reviews
from elman.cli._app import run as run_command

FAST = [*("--embedding-dim", "8", "--hidden-size", "6", "--batch-size", "16", "--min-count", "1"), "--epochs", "1"]
TINY = [*("--embedding-dim", "8", "--hidden-size", "8", "--min-count", "1", "--num-layers", "1"), "--epochs", "1"]


def table(path, columns, *values):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(*values, strict=True)])
    return path


@pytest.fixture
def run(capsys):
    def of(*arguments, code=0):
        assert run_command([str(a) for a in arguments]) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return said.out, said.err

    return of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier and a language model that read the column abstract of a table with titles."""
    folder = tmp_path_factory.mktemp("cli")
    texts, labels = make_reviews(120)
    table(folder / "a.csv", ("title", "abstract", "label"), ["a title"] * 120, texts, labels)
    table(folder / "titles.csv", ("title", "label"), texts, labels)
    (folder / "a.txt").write_text("great ___\n")
    command = ["train", folder / "a.csv", "--text-column", "abstract", "--out", folder / "run", *FAST]
    assert run_command([str(a) for a in command]) == 0
    command = ["pretrain", folder / "a.csv", "--text-column", "abstract", "--out", folder / "lm", *TINY]
    assert run_command([str(a) for a in command]) == 0
    return folder


def test_training_says_what_it_reads(folder, tmp_path, run):
    columns = ["--text-column", "title", "--text-column", "abstract"]
    _, err = run("train", folder / "a.csv", *columns, "--out", tmp_path / "run", *FAST)
    assert f"{folder / 'a.csv'}: 120 rows; text columns 'title' and 'abstract', label column 'label', utf-8" in err
    assert "text cut into words" in err
    _, err = run("pretrain", folder / "a.csv", *columns, "--out", tmp_path / "lm", *TINY)
    assert "text columns 'title' and 'abstract', utf-8" in err
    assert json.loads((tmp_path / "lm" / "config.json").read_text())["provenance"]["text_columns"] == columns[1::2]
    run("train", folder / "a.csv", *columns[:2], *columns[:2], "--out", tmp_path / "other", *FAST, code=1)


def test_the_other_commands_read_the_same_and_say_a_difference(folder, tmp_path, run):
    data, titles = folder / "a.csv", folder / "titles.csv"
    difference = f"{titles}: the text read is 'title'; in training it was 'abstract'"
    commands = (
        ("evaluate", "run", ()),
        ("predict", "run", ()),
        ("diagnose", "run", ("--sample", 4, "--out", tmp_path)),
        ("perplexity", "lm", ()),
        ("fill", "lm", ()),
    )
    for name, model, options in commands:
        assert "the text read" not in run(name, folder / model, data, *options)[1], name
        assert run(name, folder / model, titles, *options)[1].count(difference) == 1, name
    assert difference in run("fill", folder / "lm", "--evaluate", titles)[1]
    assert run("predict", folder / "run", data)[0].count("\n") == 120


def test_a_column_of_what_has_none_is_refused(folder, tmp_path, run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"great\n")))
    column, text = ("--text-column", "nonsense"), folder / "a.txt"
    (tmp_path / "data" / "pos").mkdir(parents=True)
    (tmp_path / "data" / "pos" / "a.txt").write_text("great")
    for arguments in (
        ("predict", folder / "run", text),
        ("predict", folder / "run", "-"),
        ("predict", folder / "run"),
        ("evaluate", folder / "run", tmp_path / "data"),
        ("diagnose", folder / "run", tmp_path / "data"),
        ("train", tmp_path / "data", "--out", tmp_path / "run"),
        ("compare", tmp_path / "data", "--out", tmp_path / "run"),
        ("train", "imdb", "--out", tmp_path / "run"),
        ("pretrain", text, "--out", tmp_path / "run"),
        ("perplexity", folder / "lm", text),
        ("fill", folder / "lm", text),
        ("fill", folder / "lm", "-"),
        ("fill", folder / "lm", "great ___"),
        ("fill", folder / "lm", "--evaluate", text),
    ):
        _, err = run(*arguments, *column, code=1)
        assert "no column 'nonsense'; only a table has columns" in err, arguments
    assert not (tmp_path / "run").exists()


def test_rows_without_a_label(folder, tmp_path, run):
    texts, labels = make_reviews(120)
    data = table(tmp_path / "a.csv", ("abstract", "label"), texts, ["", "", *labels[2:]])
    commands = (
        ("evaluate", folder / "run", data),
        ("diagnose", folder / "run", data, "--sample", 4, "--out", tmp_path),
        ("train", data, "--text-column", "abstract", "--out", tmp_path / "run", *FAST),
        ("compare", data, "--text-column", "abstract", "--out", tmp_path / "c", "--presets", "gru", *FAST),
    )
    for command in commands:
        _, err = run(*command, code=1)
        assert "line 2: the label is missing; 2 of 120 rows have no label" in err and "--skip-unlabelled" in err
        _, err = run(*command, "--skip-unlabelled")
        assert err.count("2 of 120 rows have no label and are left out, the first in line 2") == 1


def test_labels_and_rows_that_are_not_what_they_seem(folder, tmp_path, run):
    texts, labels = make_reviews(120)
    other = ["Good" if at % 3 else "goo\u200bd" if y == "good" else y for at, y in enumerate(labels)]
    data = table(tmp_path / "a.csv", ("text", "label"), texts, other)
    out, err = run("train", data, "--test", data, "--out", tmp_path / "run", *FAST)
    assert "labels that look alike are classes of their own: 'Good' (80 rows) and 'goo\\u200bd' (20 rows)" in err
    assert "test: 120 of 120 texts are training texts too" not in err  # some are held out
    counted = json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["in_training"]
    sentence = f"test: {counted} of 120 texts are training texts too"
    assert 100 < counted < 120 and sentence in err and sentence in out
    out, err = run("evaluate", tmp_path / "run", data, "--json")
    assert json.loads(out)["in_training"] == counted and f"{data}: {counted} of 120 texts" in err
