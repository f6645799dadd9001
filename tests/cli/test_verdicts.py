"""What the commands say of networks that have learned nothing, and of which weights they speak."""

import json
import random

import pytest

from conftest import make_reviews
from elman.cli._app import run

CHANCE = "The network has learned nothing that can be told from chance"
FAST = ["--embedding-dim", "8", "--hidden-size", "6", "--min-count", "1", "--overwrite"]


def table(path, texts, labels):
    path.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    return str(path)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Texts whose labels have nothing to do with them."""
    draws = random.Random(1)
    texts = [" ".join(f"word{draws.randrange(40)}" for _ in range(6)) for _ in range(300)]
    return table(tmp_path_factory.mktemp("noise") / "noise.csv", texts, [draws.choice("abc") for _ in texts])


def test_a_network_that_learned_nothing_is_not_praised(noise, tmp_path, capsys):
    out = tmp_path / "run"
    assert run(["train", noise, "--out", str(out), "--epochs", "2", "--diagnose", *FAST]) == 0
    printed = capsys.readouterr().out
    assert printed.count(CHANCE) == 2 and "No overfitting" not in printed  # of training, and of the diagnosis
    page = (out / "report.html").read_text()
    assert f'<p class="verdict">{CHANCE}' in page and "No overfitting" not in page
    assert CHANCE in (out / "diagnosis.html").read_text()
    assert run(["report", str(out)]) == 0 and CHANCE in (out / "report.html").read_text()
    capsys.readouterr()
    assert run(["diagnose", str(out), noise, "--out", str(tmp_path / "d"), "--sample", "9"]) == 0
    assert CHANCE in capsys.readouterr().out and CHANCE in (tmp_path / "d/diagnosis.html").read_text()
    (out / "metrics.json").write_text('{"validation": {"per_class": 3}}')
    assert run(["diagnose", str(out), noise, "--out", str(tmp_path / "e")]) == 1
    assert "metrics.json: damaged" in capsys.readouterr().err
    (out / "metrics.json").unlink()  # of a run whose figures are not there, nothing is said
    assert run(["diagnose", str(out), noise, "--out", str(tmp_path / "e"), "--sample", "9"]) == 0
    assert CHANCE not in capsys.readouterr().out


def test_compared_networks_that_learned_nothing_are_named(noise, tmp_path, capsys):
    out = tmp_path / "compared"
    assert run(["compare", noise, "--out", str(out), "--presets", "gru,lstm", "--epochs", "1", *FAST]) == 0
    printed = capsys.readouterr().out
    assert f"gru: {CHANCE}" in printed and f"lstm: {CHANCE}" in printed
    rows = json.loads((out / "comparison.json").read_text())
    assert [(row["is_fine"], row["rows"]) for row in rows] == [(False, {"validation": 60})] * 2


def test_the_page_names_the_epoch_whose_weights_it_shows(tmp_path, capsys):
    """Of a run that gets worse after its best epoch."""
    texts, labels = make_reviews(200)
    data, out = table(tmp_path / "a.csv", texts, labels), tmp_path / "run"
    settings = [
        "--ngrams",
        "0",
        "--dropout",
        "0",
        "--learning-rate",
        "0.03",
        "--schedule",
        "constant",
        "--patience",
        "0",
    ]
    wrong = table(tmp_path / "b.csv", texts[:60], ["bad" if y == "good" else "good" for y in labels[:60]])
    assert (
        run(["train", data, "--validation", wrong, "--out", str(out), "--epochs", "4", "--diagnose", *settings, *FAST])
        == 0
    )
    training = json.loads((out / "diagnosis.json").read_text())["training"]
    kept = training["kept"]
    assert kept < 4 and training["averaged"]
    page = (out / "diagnosis.html").read_text()
    assert f"The network is the one of epoch {kept} of 4, whose weights were kept, averaged over the steps." in page
    assert page.count(f"<td>{kept}, kept</td>") == 1
    assert f"weights of epoch {kept} of 4, which were kept" in capsys.readouterr().out
    assert run(["diagnose", str(out), data, "--out", str(tmp_path / "d"), "--sample", "200"]) == 0
    assert f"weights of epoch {kept} of 4" in capsys.readouterr().out


def test_what_truncation_ends_is_said_to_be_truncated(tmp_path, capsys):
    data, out = table(tmp_path / "a.csv", *make_reviews(120)), tmp_path / "run"
    settings = ["--epochs", "1", "--bptt-truncate", "2", "--init", "chrono", "--memory", "50", "--pooling", "last"]
    assert run(["train", data, "--out", str(out), "--diagnose", *settings, *FAST]) == 0
    printed = capsys.readouterr().out
    assert "truncated: bptt_truncate ends the gradient after 2 steps" in printed and "2 (cut)" in printed
    assert "try --bptt-truncate 0" in printed and "vanishing" not in printed
    page = (out / "diagnosis.html").read_text()
    assert "<b>Truncated</b>" in page and "2, cut" in page and "Vanishing" not in page
