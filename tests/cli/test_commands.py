"""The commands as a person runs them: processes on small files."""

import csv
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import time

import pytest

import elman
from conftest import make_reviews

FAST = [
    "--embedding-dim",
    "8",
    "--hidden-size",
    "6",
    "--batch-size",
    "16",
    "--min-count",
    "1",
    "--learning-rate",
    "0.02",
]


def run(*arguments, input=None, **options):
    return subprocess.run(
        [sys.executable, "-m", "elman", *map(str, arguments)], input=input, capture_output=True, text=True, **options
    )


def history(folder):
    with (folder / "history.csv").open() as file:
        return list(csv.DictReader(file))


def refused(done, code, *parts):
    """One line on stderr that holds the parts, no traceback, the exit code."""
    assert done.returncode == code
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("elman: ") and "Traceback" not in done.stderr
    for part in parts:
        assert part in last


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name, rows, seed in (("train", 200, 0), ("test", 60, 1)):
        texts, labels = make_reviews(rows, seed=seed)
        if name == "test":
            labels[:3] = ["good" if label == "bad" else "bad" for label in labels[:3]]  # something to get wrong
        lines = [json.dumps({"review": t, "label": y}) for t, y in zip(texts, labels, strict=True)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    done = run("train", data / "train.jsonl", "--out", folder, "--test", data / "test.jsonl", "--epochs", 5, *FAST)
    assert done.returncode == 0
    return folder, done


def test_train_writes_the_run(trained):
    folder, done = trained
    names = {"config.json", "config.toml", "model.safetensors", "tokenizer.json", "metrics.json", "history.csv"}
    plots = {"accuracy.png", "loss.png", "lengths.png", "confusion-test.png", "calibration-validation.png"}
    present = {path.name for path in folder.iterdir()}
    assert names | plots | {"report.html", "report.json"} <= present
    assert not [name for name in present if name.startswith("checkpoint") or name.endswith(".new")]
    metrics = json.loads((folder / "metrics.json").read_text())
    gradient = metrics.pop("gradient")
    assert set(metrics) == {"validation", "test"}
    for figures in metrics.values():
        assert {"accuracy", "macro_f1", "loss", "ece"} <= set(figures)
    assert metrics["test"]["accuracy"] > 0.9
    rows = history(folder)
    assert [row["epoch"] for row in rows] == [str(i + 1) for i in range(len(rows))]
    assert gradient["mean"] == pytest.approx(sum(float(row["gradient_norm"]) for row in rows) / len(rows))
    page = (folder / "report.html").read_text()
    sentence = next(line for line in done.stdout.splitlines() if line.startswith("Gradient norm"))
    assert gradient["clip_norm"] == 1 and "clip_norm 1 " in sentence and sentence in page
    assert f"{metrics['test']['accuracy']:.4f}" in done.stdout and str(folder / "report.html") in done.stdout
    assert done.stderr.count("train loss") == len(rows)


def test_the_report_needs_nothing_else(trained):
    page = (trained[0] / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    assert "http://" not in page and "https://" not in page and "<script" not in page
    for part in ("Most confident mistakes", "precision", "overfitting", "known tokens", "Settings"):
        assert part in page or part.capitalize() in page


def test_evaluate_agrees_with_the_training(trained, data):
    metrics = json.loads((trained[0] / "metrics.json").read_text())["test"]
    done = run("evaluate", trained[0], data / "test.jsonl", "--json")
    assert json.loads(done.stdout) == metrics
    table = run("evaluate", trained[0], data / "test.jsonl").stdout
    assert f"{metrics['accuracy']:.4f}" in table and "precision" in table


def test_predict_reads_lines_tables_and_standard_input(trained, data, tmp_path):
    texts = ["a great film", "", "awful"]
    (tmp_path / "a.txt").write_text("\n".join(texts) + "\n")
    with (tmp_path / "a.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *([i, t] for i, t in enumerate(texts))])
    answers = [
        run("predict", trained[0], tmp_path / "a.txt"),
        run("predict", trained[0], tmp_path / "a.csv"),
        run("predict", trained[0], input="\n".join(texts) + "\n"),
        run("predict", trained[0], "-", input="\n".join(texts)),
    ]
    rows = [json.loads(line) for line in answers[0].stdout.splitlines()]
    assert [rows[0]["label"], rows[2]["label"]] == ["good", "bad"] and len(rows) == 3
    for row in rows:
        assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)
        assert row["label"] == max(row["probabilities"], key=row["probabilities"].get)
    assert len({answer.stdout for answer in answers}) == 1
    assert all(answer.returncode == 0 for answer in answers)


def test_predict_keeps_the_order_of_a_long_stream(trained):
    texts = [("great" if i % 3 else "awful") + " word1" * (i % 17) for i in range(3000)]
    done = run("predict", trained[0], input="\n".join(texts) + "\n")
    labels = [json.loads(line)["label"] for line in done.stdout.splitlines()]
    assert labels == ["good" if i % 3 else "bad" for i in range(3000)]


def test_predict_and_a_reader_that_leaves(trained):
    command = f"{sys.executable} -m elman predict {trained[0]} | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], input="great\n" * 50000, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["label"] == "good" and done.stderr == ""


def test_summary_and_report(trained):
    table = run("summary", trained[0]).stdout
    config = elman.TextClassifier.load(trained[0]).classifier_
    count = sum(p.numel() for p in config.network.parameters()) + config.ngrams.weight.size + 1
    assert "Bidirectional LSTM" in table and "(B, T, 12)" in table and f"{count:,}" in table
    before = (trained[0] / "report.html").read_bytes()
    (trained[0] / "report.html").unlink()
    assert run("report", trained[0]).returncode == 0
    assert (trained[0] / "report.html").read_bytes() == before


def test_the_saved_settings_train_the_same_model_again(trained, data, tmp_path):
    done = run("train", data / "train.jsonl", "--out", tmp_path / "again", "--config", trained[0] / "config.toml")
    assert done.returncode == 0
    assert (tmp_path / "again/model.safetensors").read_bytes() == (trained[0] / "model.safetensors").read_bytes()


def test_word_vectors_frozen_and_without_their_file(data, tmp_path):
    words = ["great", "awful", *(f"word{i}" for i in range(10))]
    rows = "".join(f"{word} {i % 5}.5 {i % 3}.25 -1\n" for i, word in enumerate(words))
    (tmp_path / "v.vec.gz").write_bytes(gzip.compress(f"{len(words)} 3\n{rows}".encode()))
    frozen = ["--vectors", tmp_path / "v.vec.gz", "--no-tune-vectors", "--hidden-size", 6, "--epochs", 2]
    done = run("train", data / "train.jsonl", "--out", tmp_path / "run", "--min-count", 1, *frozen)
    assert done.returncode == 0
    vectors = json.loads((tmp_path / "run" / "metrics.json").read_text())["vectors"]
    assert vectors["vocabulary"] == 12 / 34 and 0.3 < vectors["tokens"] < 0.6
    sentence = f"Word vectors for 35.3% of the vocabulary and {vectors['tokens']:.1%} of the training tokens, 3 wide"
    assert sentence in done.stderr and "v.vec.gz (word2vec text, 12 words), frozen." in done.stderr
    (tmp_path / "v.vec.gz").unlink()
    assert "Embedding (frozen)" in run("summary", tmp_path / "run").stdout
    assert run("predict", tmp_path / "run", input="great\n").returncode == 0
    assert run("diagnose", tmp_path / "run", data / "test.jsonl").returncode == 0


def test_rows_of_a_group_stay_together(data, tmp_path):
    rows = [json.loads(line) for line in (data / "train.jsonl").read_text().splitlines()]
    table = tmp_path / "films.jsonl"
    table.write_text("".join(json.dumps({**row, "film": at % 10}) + "\n" for at, row in enumerate(rows)))
    command = ["train", table, "--epochs", 1, *FAST, "--out"]
    done = run(*command, tmp_path / "run", "--group-column", "film")
    assert done.returncode == 0, done.stderr
    held = json.loads((tmp_path / "run" / "metrics.json").read_text())["validation"]["rows"]
    assert held % 20 == 0 and 0 < held < 100  # whole films of 20
    refused(run(*command, tmp_path / "other", "--group-column", "author"), 1, "no column 'author'")
    watched = ["--group-column", "film", "--validation", data / "test.jsonl"]
    refused(run(*command, tmp_path / "other", *watched), 2, "group_column is for a validation part")
    assert not (tmp_path / "other").exists()


def test_a_teacher_labels_further_texts(data, tmp_path):
    command = ["train", data / "train.jsonl", "--epochs", 1, *FAST, "--out"]
    assert run(*command, tmp_path / "teacher").returncode == 0
    more = tmp_path / "more.txt"
    more.write_text("".join(f"{text}\n" for text in make_reviews(40, seed=7)[0]))
    taught = ["--taught", more, "--teacher", tmp_path / "teacher"]
    done = run(*command, tmp_path / "student", *taught, *taught[2:])
    assert done.returncode == 0
    assert "texts labelled by 2 teachers; mean certainty" in " ".join(done.stderr.split())
    refused(run(*command, tmp_path / "other", *taught[:2]), 2, "got 0 classifiers and 1 files")
    refused(run(*command, tmp_path / "other", *taught[:2], "--teacher", tmp_path / "none"), 1, "none")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_and_resumed_equals_uninterrupted(data, tmp_path, how):
    command = ["train", data / "train.jsonl", "--epochs", 12, "--patience", 0, *FAST, "--out"]
    assert run(*command, tmp_path / "whole").returncode == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", *map(str, command), str(tmp_path / "parts")], stderr=subprocess.PIPE, text=True
    )
    checkpoint = tmp_path / "parts" / "checkpoint.safetensors"
    while not checkpoint.exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(how)
    stderr = process.communicate()[1]
    if how == signal.SIGKILL:
        assert process.returncode == -9
    else:
        assert process.returncode == 128 + how and "--resume" in stderr.splitlines()[-1]
        assert "Traceback" not in stderr
    assert checkpoint.exists() and not (tmp_path / "parts" / "config.json").exists()
    refused(run(*command, tmp_path / "parts"), 1, "the folder exists", "--resume")
    refused(run(*command, tmp_path / "parts", "--resume", "--seed", 3), 1, "other data or other settings")
    resumed = run("train", data / "train.jsonl", "--out", tmp_path / "parts", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for name in ("model.safetensors", "metrics.json", "tokenizer.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    whole, parts = (history(tmp_path / name) for name in ("whole", "parts"))
    for row in [*whole, *parts]:
        del row["seconds"]
    assert whole == parts


@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_resume_begins_what_has_no_checkpoint_yet(data, tmp_path, command):
    line = [command, data / "train.jsonl", "--epochs", 1, *FAST, "--out"]
    assert run(*line, tmp_path / "whole").returncode == 0
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "config.toml").write_bytes((tmp_path / "whole" / "config.toml").read_bytes())
    for name, settings in (("killed", ()), ("new", line[2:-1])):
        done = run(command, data / "train.jsonl", "--out", tmp_path / name, "--resume", *settings)
        assert done.returncode == 0, done.stderr
        model = [(tmp_path / each / "model.safetensors").read_bytes() for each in (name, "whole")]
        assert model[0] == model[1]
    refused(run(*line, tmp_path / "new", "--resume"), 1, "the run is finished")


def test_a_full_disk_leaves_no_half_written_file(data, tmp_path):
    def no_file_over_20_kilobytes():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    done = run(
        "train", data / "train.jsonl", "--out", tmp_path / "run", *FAST,
        preexec_fn=no_file_over_20_kilobytes, env={**os.environ, "ELMAN_CACHE": str(tmp_path / "cache")},
    )  # fmt: skip
    refused(done, 1, "checkpoint.safetensors", "cannot be written")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_diverges_keeps_a_model_and_says_what_to_change(data, tmp_path):
    options = ["--optimizer", "sgd", "--learning-rate", "1e38", "--clip-norm", "0", "--warmup", "0", "--cell", "rnn"]
    settings = [*options, "--nonlinearity", "relu", "--average", "0", "--embedding-dim", "8", "--hidden-size", "6"]
    done = run("train", data / "train.jsonl", "--out", tmp_path / "run", *settings)
    refused(done, 1, "not a number", "Lower learning_rate (now 1e+38) or set clip_norm")
    assert run("predict", tmp_path / "run", input="great\n").returncode == 0


def test_compare(data, tmp_path):
    done = run(
        "compare", data / "train.jsonl", "--out", tmp_path / "c", "--presets", "gru,simple-rnn", "--epochs", 2,
        "--test", data / "test.jsonl", *FAST,
    )  # fmt: skip
    assert done.returncode == 0
    rows = json.loads((tmp_path / "c" / "comparison.json").read_text())
    assert [row["preset"] for row in rows] == ["gru", "simple-rnn"]
    for row in rows:
        metrics = json.loads((tmp_path / "c" / row["preset"] / "metrics.json").read_text())
        assert row["test_accuracy"] == metrics["test"]["accuracy"] and row["epochs"] == 2
        assert f"{row['test_accuracy']:.4f}" in done.stdout and f"{row['parameters']:,}" in done.stdout
    assert (tmp_path / "c" / "comparison.png").read_bytes().startswith(b"\x89PNG")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")}
    again = ["compare", data / "train.jsonl", "--out", tmp_path / "c", "--epochs", 2, *FAST]
    refused(run(*again, "--presets", "lstm,gru"), 1, f"{tmp_path / 'c' / 'gru'}: the folder exists")
    refused(run(*again, "--presets", "lstm"), 1, "comparison.json: there is a comparison; give --overwrite")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "c").rglob("*")} == before


def test_standard_input_is_read_as_a_file(data, tmp_path):
    run("train", data / "train.jsonl", "--out", tmp_path / "run", "--epochs", 1, *FAST)
    lines = "good film\nbad film\n\nüber \r\n"
    for encoding, content in (("utf-8", b"\xef\xbb\xbf" + lines.encode()), ("utf-16", lines.encode("utf-16"))):
        (tmp_path / "texts.txt").write_bytes(content)
        how = ["predict", tmp_path / "run", "--encoding", encoding]
        command = [sys.executable, "-m", "elman", *map(str, how)]
        piped = subprocess.run(command, input=content, capture_output=True)
        assert piped.returncode == 0 and piped.stdout.decode() == run(*how, tmp_path / "texts.txt").stdout
    zero = subprocess.run([*command[:-2]], input=b"a\0b\n", capture_output=True)
    assert zero.returncode == 1 and b"standard input, line 1: a zero byte" in zero.stderr
