"""Reading by the command line: quotes, class folders, and a pipe that stays open."""

import json
import os
import subprocess
import sys

import pytest

import elman
from conftest import make_reviews
from elman import classify
from elman.cli._app import run

SMALL = ["--epochs", "1", "--embedding-dim", "8", "--hidden-size", "6", "--min-count", "1"]
STRAY = 'text\tlabel\n"Hello there, he said\tgood\nI like it\tbad\nso it is\tbad\nand "so" he left\tgood\n'


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "model"
    texts, labels = make_reviews(60)
    elman.TextClassifier(epochs=1, embedding_dim=8, hidden_size=6, min_count=1).fit(texts, labels).save(folder)
    return folder


@pytest.fixture
def reviews_csv(tmp_path):
    texts, labels = make_reviews(60)
    lines = "".join(f'"{text}\nand on",{label}\n' for text, label in zip(texts, labels, strict=True))
    (tmp_path / "a.csv").write_text("text,label\n" + lines)
    return tmp_path / "a.csv"


def refused(capsys, arguments, code, *parts):
    assert run([str(argument) for argument in arguments]) == code
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("elman: ") and all(part in last for part in parts)


@pytest.mark.parametrize("command", ["predict", "evaluate", "diagnose"])
def test_commands_that_read_tables_name_the_quote(capsys, tmp_path, model, command):
    path = tmp_path / "a.tsv"
    path.write_text(STRAY)
    out = ["--out", tmp_path / "d"] if command == "diagnose" else []
    refused(capsys, [command, model, path, *out], 1, "a.tsv, line 2: a quote that opens there", "--quoting none")
    refused(capsys, [command, model, path, *out, "--quoting", "all"], 2, "quoting must be one of auto, standard, none")
    if command == "predict":
        assert run(["predict", str(model), str(path), "--quoting", "none"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 4
    if command == "evaluate":
        assert run(["evaluate", str(model), str(path), "--quoting", "none", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["rows"] == 4


@pytest.mark.parametrize("command", ["train", "compare", "pretrain"])
def test_commands_that_train_name_the_quote(capsys, tmp_path, command):
    path = tmp_path / "a.tsv"
    path.write_text(STRAY)
    refused(capsys, [command, path, "--out", tmp_path / "run"], 1, "a.tsv, line 2: a quote that opens there")
    out = ["--out", tmp_path / "run", "--quoting", "all"]
    refused(capsys, [command, path, *out], 2, "quoting must be one of auto, standard, none")


def test_what_spans_lines_is_said_and_classes_are_listed(capsys, tmp_path, reviews_csv):
    assert run(["train", str(reviews_csv), "--out", str(tmp_path / "run"), *SMALL]) == 0
    said = capsys.readouterr().err
    assert said.count("60 rows, 60 of them over several lines") == 1
    listed = said.index("a.csv: 2 classes: bad 30, good 30")
    assert listed < said.index("epoch  1")
    assert run(["predict", str(tmp_path / "run"), str(reviews_csv)]) == 0
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 60 and "60 rows, 60 of them over several lines" in captured.err


def test_how_quotes_were_read_is_kept_in_the_model(capsys, tmp_path):
    texts, labels = make_reviews(60)
    rows = zip(texts, labels, strict=True)
    (tmp_path / "a.tsv").write_text("text\tlabel\n" + "".join(f'"{text}\t{label}\n' for text, label in rows))
    run_folder = tmp_path / "run"
    assert run(["train", str(tmp_path / "a.tsv"), "--quoting", "none", "--out", str(run_folder), *SMALL]) == 0
    assert "quoting none" in capsys.readouterr().err
    assert run(["predict", str(run_folder), str(tmp_path / "a.tsv")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 60
    refused(
        capsys, ["predict", run_folder, tmp_path / "a.tsv", "--quoting", "auto"], 1, "a.tsv, line", "--quoting none"
    )


def test_what_a_class_folder_leaves_out_is_named(capsys, tmp_path):
    texts, labels = make_reviews(40)
    for number, (text, label) in enumerate(zip(texts, labels, strict=True)):
        folder = tmp_path / "data" / label / str(number % 3)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.txt").write_text(text)
    (tmp_path / "data" / "good" / "Thumbs.db").write_bytes(b"\xd0\xcf\0")
    assert run(["train", str(tmp_path / "data"), "--out", str(tmp_path / "run"), *SMALL]) == 0
    said = capsys.readouterr().err
    assert "good/Thumbs.db" in said and "2 classes: bad 20, good 20" in said


def test_lists_of_texts_are_answered_one_by_one(model):
    asked = []

    def lists():
        for number in range(3):
            asked.append(number)
            yield [f"text {number}", "another"]

    answers = classify.predict(model, lists())
    for number in range(3):
        first, second = next(answers), next(answers)
        assert asked == list(range(number + 1)) and set(first) == set(second) == {"label", "probabilities"}
    texts = [f"text {number}" for number in range(3)]
    assert list(classify.predict(model, texts)) == list(classify.predict(model, [texts]))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of POSIX")
def test_a_pipe_that_stays_open_is_answered_line_by_line(model):
    command = [sys.executable, "-m", "elman", "predict", str(model), "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for texts in (["great"], ["awful", "a great one", ""], ["half a "], ["line\n"]):
            content = "".join(text if text == "half a " else text.rstrip("\n") + "\n" for text in texts)
            process.stdin.write(content.encode())
            process.stdin.flush()
            for _ in range(content.count("\n")):
                assert "label" in json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.stdout.read() == b"" and process.wait() == 0
