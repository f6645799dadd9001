"""What the commands print, and where it goes: names as they are, any encoding, a full disk, a hasty Ctrl-C."""

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import elman
from cli.test_commands import refused
from cli.test_commands import run as process
from conftest import make_reviews
from elman.cli._app import run
from elman.errors import DataError, RunFolderError, UsageError
from elman.training import write_text

NAMES = {"bad": "schlecht é", "good": "好😀"}
SMALL = {"embedding_dim": 4, "hidden_size": 3, "epochs": 2, "min_count": 1}
FLAGS = [part for name, value in SMALL.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, and a model and a run of it."""
    folder = tmp_path_factory.mktemp("output")
    texts, labels = make_reviews(80)
    labels = [NAMES[label] for label in labels]
    rows = "".join(f"{text},{label}\n" for text, label in zip(texts, labels, strict=True))
    (folder / "a.csv").write_text("text,label\n" + rows, encoding="utf-8")
    elman.TextClassifier(**SMALL).fit(texts, labels).save(folder / "model")
    assert run(["train", str(folder / "a.csv"), "--out", str(folder / "run"), *FLAGS]) == 0
    return folder


def test_brackets_and_colons_are_no_markup(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "o[lstm]:smile:[" / "b]"
    assert run(["train", str(folder / "a.csv"), "--out", str(out), "--diagnose", *FLAGS]) == 0
    said = capsys.readouterr().out
    assert f"report: {out}/report.html\n" in said and f"diagnosis: {out}/diagnosis.html\n" in said
    assert run(["report", str(out)]) == 0
    assert capsys.readouterr().out == f"report: {out}/report.html\n"
    assert run(["diagnose", str(out), str(folder / "a.csv")]) == 0
    assert capsys.readouterr().out.endswith(f"page: {out}/diagnosis.html\n")
    shutil.copy(folder / "a.csv", tmp_path / "a[red].csv")
    monkeypatch.chdir(tmp_path)
    assert run(["evaluate", str(out), "a[red].csv"]) == 0
    assert "a[red].csv " in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_labels_that_the_output_cannot_show(folder, encoding):
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [sys.executable, "-m", "elman"]

    def printed(*arguments):
        done = subprocess.run([*command, *arguments], capture_output=True, env=env, cwd=folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode(encoding)

    for line in printed("predict", "model", "a.csv").splitlines():
        assert set(json.loads(line)["probabilities"]) == set(NAMES.values())
    figures = json.loads(printed("evaluate", "model", "a.csv", "--json"))
    assert {row["class"] for row in figures["per_class"]} == set(NAMES.values())
    table = printed("evaluate", "model", "a.csv")
    for name in NAMES.values():
        assert name.encode(encoding, "backslashreplace").decode(encoding) in table


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["predict"], ["evaluate"], ["evaluate", "--json"]], ids=" ".join)
def test_standard_output_on_a_full_disk(folder, command, unbuffered):
    env = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    line = [sys.executable, "-m", "elman", command[0], "model", "a.csv", *command[1:]]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, env=env, cwd=folder)
    assert done.returncode == 1
    assert done.stderr == "elman: standard output: No space left on device\n"


def test_a_picture_or_page_that_cannot_be_written_is_named(folder, tmp_path):
    target = shutil.copytree(folder / "run", tmp_path / "run")
    for name in ("report.html", "accuracy.png"):
        (target / name).unlink()
        (target / name).mkdir()
        refused(process("report", target), 1, f"{name}: cannot be written (Is a directory)")


def test_an_interrupt_while_modules_are_imported():
    code = """
import os, signal, sys

class Impatient:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            os.kill(os.getpid(), signal.SIGINT)

from elman.cli import main
sys.meta_path.insert(0, Impatient())
main(["--version"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "elman: stopped\n")


@pytest.mark.parametrize("command", ["predict", "evaluate", "diagnose"])
def test_help_says_which_runs_a_command_takes(capsys, command):
    assert run([command, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "A run folder written by elman train." in said and "pretrain" not in said


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ([], "text-rnn"),
        (["--preset", "lstm"], "lstm"),
        (["--from", "lm"], "fine-tuned"),
        (["--from", "lm", "--preset", "gru"], "gru"),
        (["--unlabelled", "a.txt"], "fine-tuned"),
        (["--config", "gru.toml"], "gru"),
        (["--config", "gru.toml", "--from", "lm"], "gru"),
        (["--config", "gru.toml", "--preset", "simple-rnn"], "simple-rnn"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else None,
)
def test_the_folder_of_a_run_has_its_presets_name(monkeypatch, tmp_path, options, name):
    def train(data, out, config, **how):
        raise UsageError(f"{out} {config.cell}")

    seen = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gru.toml").write_text('preset = "gru"\n')
    monkeypatch.setattr("elman.cli.train.classify.train", train)
    monkeypatch.setattr("elman.cli.train.language.load", lambda folder: folder)
    monkeypatch.setattr("elman.cli._app._say", seen.append)
    assert run(["train", "reviews.csv", *options]) == 2
    cell = {"gru": "gru", "simple-rnn": "rnn"}.get(name, "lstm")
    assert seen == [f"runs/reviews-{name} {cell}"]


def test_the_folder_of_a_language_model_has_its_presets_name(monkeypatch, tmp_path):
    def pretrain(texts, out, config, **how):
        raise UsageError(str(out))

    seen = []
    (tmp_path / "a.toml").write_text('preset = "awd-lstm"\n')
    monkeypatch.setattr("elman.cli.pretrain.language.pretrain", pretrain)
    monkeypatch.setattr("elman.cli._app._say", seen.append)
    config = ["--config", str(tmp_path / "a.toml")]
    for options in ([], config, [*config, "--preset", "classic-rnn"]):
        assert run(["pretrain", "raw.txt", *options]) == 2
    assert seen == ["runs/raw-lstm", "runs/raw-awd-lstm", "runs/raw-classic-rnn"]


NOT_UTF8 = os.fsdecode(b"r\xffn [x]")


def test_a_folder_whose_name_is_not_utf8(folder, tmp_path, monkeypatch, capsys):
    """Linux has names of any bytes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace"))
    out, data = NOT_UTF8, str(folder / "a.csv")
    assert run(["train", data, "--out", out, "--diagnose", *FLAGS]) == 0
    for command in (["predict", out, data], ["evaluate", out, data], ["summary", out], ["report", out]):
        assert run(command) == 0
    assert run(["diagnose", out, data]) == 0
    assert run(["train", data, "--out", out, "--overwrite", *FLAGS]) == 0
    expected = elman.TextClassifier.load(folder / "run").predict_proba(["great"])
    assert (elman.TextClassifier.load(out).predict_proba(["great"]) == expected).all()
    capsys.readouterr()
    assert run(["train", data, "--out", out, "--overwrite", "--tensorboard", *FLAGS]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("elman: ") and said.endswith("TensorBoard writes only into folders whose name is UTF-8")
    assert elman.TextClassifier.load(out)


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        ("<&-", "elman: standard input: cannot be read to its end ([Errno 9] Bad file descriptor)\n"),
        (">&-", "elman: standard output: Bad file descriptor\n"),
        ("<&- >&- 2>&-", ""),
    ],
)
def test_a_stream_that_is_closed_is_named(folder, closed, said):
    line = f"{shlex.quote(sys.executable)} -m elman predict model {'a.csv' if '>' in closed else '-'} {closed}"
    done = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


def test_standard_error_on_a_full_disk_stops_no_training(folder, tmp_path):
    line = [sys.executable, "-m", "elman", "train", "a.csv", "--out", str(tmp_path / "run"), *FLAGS]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=full, text=True, cwd=folder)
    assert done.returncode == 0 and done.stdout.endswith("report.html\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (EOFError("it ends early"), "elman: EOFError: it ends early (--debug shows where)"),
        (MemoryError(), "elman: not enough memory (--debug shows where)"),
        (DataError("x" * 10**6), f"elman: {'x' * 498} … {'x' * 498}"),
        (DataError("a\nb"), "elman: a b"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_errors_are_one_line_and_no_interrupt(monkeypatch, capsys, error, said):
    def fail(*rest, **options):
        raise error

    monkeypatch.setattr("elman.cli.predict.classify.predict", fail)
    assert run(["predict", "model", "a.csv"]) == 1
    assert capsys.readouterr().err.strip() == said
    with pytest.raises(type(error)):
        run(["--debug", "predict", "model", "a.csv"])


def test_scores_go_to_a_device_as_they_are(tmp_path):
    """No file takes its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    write_text(pipe, "scores\n")
    assert reader.communicate()[0] == "scores\n" and pipe.is_fifo()
    with pytest.raises(RunFolderError, match="/dev/full: cannot be written"):
        write_text(Path("/dev/full"), "scores\n")
    assert Path("/dev/full").is_char_device()
    with (tmp_path / "scores").open("w") as file:
        write_text(Path(f"/dev/fd/{file.fileno()}"), "scores\n")
    assert (tmp_path / "scores").read_text() == "scores\n" and [*tmp_path.glob("*.new")] == []
