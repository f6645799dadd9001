"""Pretraining: stopped and resumed to the bit, tied weights stay tied, and a model that is gone on from."""

import io
import json
import math
import signal

import numpy as np
import pytest
import torch
from safetensors import safe_open

import elman
from conftest import make_reviews
from elman import language
from elman.errors import (
    CheckpointError,
    DataError,
    DivergedError,
    ElmanError,
    ModelFolderError,
    RunFolderError,
    UsageError,
)
from elman.language.scoring import document_losses
from elman.language.surprise import _error
from elman.nn import CELLS
from elman.training import FitEvents, Interrupted, model_folder, run_folder

TEXTS, _ = make_reviews(50, ("bad", "good"))
SMALL = {"embedding_dim": 6, "hidden_size": 7, "epochs": 2, "batch_size": 3, "bptt": 11, "min_count": 1}


def train(out, texts=(), **options):
    config = language.resolve(**{**SMALL, **options.pop("settings", {})})
    return language.pretrain(texts, out, config, at_hand=() if texts else TEXTS, **options)


class Stopping(FitEvents):
    """Ctrl-C after a step."""

    def __init__(self, step):
        self.step = step

    def step_done(self, step, model):
        if step.number == self.step:
            signal.raise_signal(signal.SIGINT)


def tensors(folder):
    with safe_open(folder / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"cell": "gru", "tied": False, "overlap": 4, "direction": "backward"},
        {"objective": "fill", "tied": False, "softmax": "adaptive", "cutoffs": "8,16"},
        {"optimizer": "sgd", "learning_rate": 30.0, "schedule": "constant", "average_on_plateau": 1, "epochs": 4},
    ],
)
@pytest.mark.parametrize("stop_at", [2, 9])
def test_resumed_equals_uninterrupted(tmp_path, settings, stop_at):
    whole = train(tmp_path / "whole", settings=settings)
    with pytest.raises(Interrupted):
        train(tmp_path / "parts", settings=settings, events=Stopping(stop_at))
    again = train(tmp_path / "parts", settings=settings, resume=True)
    assert [e.train_loss for e in again.fitted.history] == [e.train_loss for e in whole.fitted.history]
    expected, found = tensors(tmp_path / "whole"), tensors(tmp_path / "parts")
    assert expected.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert not (tmp_path / "parts" / "work").exists() and not (tmp_path / "parts" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("settings", [{}, {"softmax": "adaptive", "cutoffs": "8"}])
def test_tied_weights_stay_tied(tmp_path, settings):
    train(tmp_path / "lm", settings=settings)
    network = language.load(tmp_path / "lm").network
    for change in (lambda: None, lambda: elman.accelerate(network), lambda: elman.restore(network)):
        change()
        assert network.softmax.weight is network.embedding.weight
    assert sum("weight" in name and "embedding" in name for name in tensors(tmp_path / "lm")) == 1
    before = network.embedding.weight.detach().clone()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    network.softmax.loss(network(torch.tensor([[3], [4]])).flatten(0, 1), torch.tensor([4, 5])).backward()
    optimizer.step()
    assert not torch.equal(network.softmax.weight, before)


def test_it_learns_and_the_run_folder_is_whole(tmp_path):
    texts = ["a b c d e f", "g h i j k l"] * 40
    plain = dict.fromkeys(("dropout", "input_dropout", "embedding_dropout", "word_dropout", "weight_drop"), 0.0)
    wider = {**SMALL, "embedding_dim": 16, "hidden_size": 24, "epochs": 15, "learning_rate": 0.02}
    config = language.resolve(**wider, **plain)
    held = tmp_path / "held.csv"
    held.write_text("text\n" + "\n".join(texts[:2]) + "\n")
    run = language.pretrain([], tmp_path / "lm", config, validation=[held], at_hand=texts, tensorboard=True)
    assert run.metrics["validation"]["perplexity"] < 1.6  # ln 2 / 7 for the first word, nothing for the others: 1.10
    names = {path.name for path in (tmp_path / "lm").iterdir()}
    wanted = {"config.json", "model.safetensors", "tokenizer.json", "config.toml", "metrics.json", "history.csv"}
    assert wanted | {"report.json", "report.html", "tensorboard"} <= names
    assert {path.name for path in run_folder._own(tmp_path / "lm")} == names
    assert any((tmp_path / "lm" / "tensorboard").iterdir())
    assert json.loads((tmp_path / "lm" / "metrics.json").read_text())["validation"] == run.metrics["validation"]


def test_a_model_is_judged_against_how_often_words_occur(tmp_path):
    """Of words in random order there is nothing else to learn."""
    draws = np.random.default_rng(0)
    texts = [" ".join(draws.choice(["a", "b", "c", "d"], 12, p=[0.6, 0.2, 0.1, 0.1])) for _ in range(80)]
    config = language.resolve(**{**SMALL, "validation_split": 0.25})
    run = language.pretrain((), tmp_path / "run", config, at_hand=texts)
    train, validation = (run.fitted.summary[name] for name in ("train", "validation"))
    assert 1.0 < validation["guess"] < 1.6 and abs(train["guess"] - validation["guess"]) < 0.1
    assert not run.learning.is_fine and "Nothing was learned of the order of words" in run.learning.sentence
    page = (tmp_path / "run/report.html").read_text()
    assert f'<p class="verdict">{run.learning.sentence}' in page
    ordered = [" ".join(["a", "b", "c", "d"] * 3 + ["e", "f"] * (row % 7)) for row in range(40)]
    sizes = {"hidden_size": 16, "embedding_dim": 16, "epochs": 8, "learning_rate": 0.02}
    config = language.resolve(**{**SMALL, **sizes, "validation_split": 0.25})
    learned = language.pretrain((), tmp_path / "ordered", config, at_hand=ordered)
    assert learned.learning.is_fine


def test_the_sampling_error_of_context_is_that_of_whole_pieces():
    """Values of one piece that are all alike are one value."""
    draws = np.random.default_rng(0).normal(size=50)
    alike = np.repeat(draws, 7)
    assert _error(alike, np.repeat(np.arange(50), 7)) == pytest.approx(draws.std() / 50**0.5)
    assert _error(draws, np.arange(50)) == pytest.approx(draws.std() / 50**0.5)


def test_going_on_keeps_vocabulary_and_network(tmp_path):
    first = train(tmp_path / "first").fitted.model
    new = [f"new words {number}" for number in range(9)]
    more = language.pretrain([], tmp_path / "more", language.resolve(epochs=1), at_hand=new, start=first)
    assert more.fitted.model.tokenizer.to_json() == first.tokenizer.to_json()
    assert language.load(tmp_path / "more").config.hidden_size == 7
    kept = tensors(tmp_path / "first")
    assert all(torch.equal(tensor, kept[name]) for name, tensor in first.network.named_parameters())
    still = language.resolve(epochs=1, learning_rate=1e-9)
    language.pretrain([], tmp_path / "still", still, at_hand=TEXTS, start=first)
    for name, tensor in tensors(tmp_path / "still").items():
        torch.testing.assert_close(tensor, kept[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vocab_size": 10}, r"vocab_size: the language model has \d\d, got 10"),
        ({"cell": "gru"}, "cell: the language model has 'lstm', got 'gru'"),
        ({"embedding_dim": 5}, "embedding_dim: the language model has 6, got 5"),
        ({"objective": "fill"}, "objective: the language model has 'next', got 'fill'"),
    ],
)
def test_going_on_refuses_another_network_with_both(tmp_path, given, message):
    first = train(tmp_path / "first").fitted.model
    with pytest.raises(UsageError, match=message):
        language.pretrain([], tmp_path / "more", language.resolve(**given), at_hand=TEXTS, start=first)
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    ("settings", "given"),
    [
        ({}, {"vocab_size": 30000, "tokenizer": "words"}),  # what it was made with, and what came of "auto"
        ({}, {"preset": "classic-lstm"}),  # whose own network nobody asked for
        ({"tokenizer": "characters"}, {"tokenizer": "characters"}),
    ],
)
def test_going_on_takes_what_is_the_model_s_own(tmp_path, settings, given):
    first = train(tmp_path / "first", settings=settings).fitted.model
    config = language.resolve(**given, epochs=1)
    more = language.pretrain([], tmp_path / "more", config, at_hand=TEXTS, start=first).fitted.model
    assert more.config.embedding_dim == 6 and more.tokenizer.to_json() == first.tokenizer.to_json()
    assert more.config.schedule == config.schedule
    size = first.tokenizer.vocab_size
    again = language.resolve(vocab_size=size)
    assert language.pretrain([], tmp_path / "again", again, at_hand=TEXTS, start=first).fitted.model.config


@pytest.mark.parametrize(
    "settings", [{"schedule": "plateau"}, {"average_on_plateau": 2}, {"preset": "awd-lstm"}, {"preset": "classic-rnn"}]
)
def test_what_waits_for_a_plateau_needs_something_to_watch(tmp_path, settings):
    config = language.resolve(**{**SMALL, **settings}, validation_split=0.0)
    waiting = config.schedule == "plateau" or config.average_on_plateau
    if not waiting:
        pytest.skip("this preset waits for nothing")
    with pytest.raises(UsageError, match=r"expected validation data for .*, got none"):
        language.pretrain([], tmp_path / "run", config, at_hand=TEXTS)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"expected validation data for .*, got none"):
        elman.LanguageModel(**{**SMALL, **settings}, validation_split=0.0).fit(TEXTS)


def test_a_stop_while_the_text_is_read_is_heard(tmp_path):
    class Reading(Stopping):
        def stage(self, name):
            if name == "learning the vocabulary":
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted) as raised:
        train(tmp_path / "run", events=Reading(0))
    assert not raised.value.in_training and not (tmp_path / "run").exists()


def test_a_model_that_cannot_be_written_leaves_the_one_before(tmp_path, monkeypatch):
    first = train(tmp_path / "run").fitted.model
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    monkeypatch.setattr(model_folder, "save_tensors", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(RunFolderError, match="No space left"):
        language.save(first, tmp_path / "run")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before


def test_a_model_that_names_more_layers_than_it_has_is_damaged(tmp_path):
    train(tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    description = json.loads(path.read_text())
    del description["sha256"]
    description["config"]["num_layers"] = 10**7
    path.write_text(json.dumps(description))
    with pytest.raises(ModelFolderError, match="10000000 layers"):
        language.load(tmp_path / "run")


def test_a_run_that_diverges_leaves_weights_with_a_loss_and_no_work(tmp_path):
    with pytest.raises(DivergedError, match="became infinite"):
        train(tmp_path / "run", settings={"optimizer": "sgd", "learning_rate": 1e38, "clip_norm": 0.0})
    assert math.isfinite(language.perplexity(tmp_path / "run", [write_lines(tmp_path / "a.txt")]).perplexity)
    assert not (tmp_path / "run" / "work").exists() and not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_a_model_too_large_to_write_is_kept_without_samples(tmp_path):
    """Its losses are finite: units at rest at both ends give exact numbers."""
    run = train(tmp_path / "run", settings={"optimizer": "sgd", "learning_rate": 1e30, "clip_norm": 0.0})
    assert run.fitted.history[-1].train_loss > 1e20
    assert json.loads((tmp_path / "run" / "report.json").read_text())["samples"] == []


def write_lines(path):
    path.write_text("\n".join(TEXTS[:5]), encoding="utf-8")
    return path


def test_the_history_has_the_rate_of_the_schedule(tmp_path):
    history = train(tmp_path / "run", settings={"schedule": "constant", "learning_rate": 0.004}).fitted.history
    assert [epoch.learning_rate for epoch in history] == [0.004, 0.004]  # whatever the last chunk's length


def test_texts_left_out_are_never_learned_from(tmp_path):
    (tmp_path / "test.txt").write_text("\n".join(TEXTS[:20]), encoding="utf-8")
    train(tmp_path / "all")
    train(tmp_path / "fewer", leave_out=[tmp_path / "test.txt"])
    counts = [json.loads((tmp_path / n / "report.json").read_text())["data"] for n in ("all", "fewer")]
    documents = [sum(part["documents"] for part in data.values()) for data in counts]
    assert documents[0] == 50 and documents[1] == 50 - sum(text in TEXTS[:20] for text in TEXTS)


def stopped(out, texts, **options):
    """A run that was stopped in the middle of its training."""
    with pytest.raises(Interrupted):
        language.pretrain(texts, out, language.resolve(**SMALL), events=Stopping(3), **options)


def test_a_run_goes_on_with_its_own_text_alone(tmp_path):
    for name, texts in (("a", TEXTS), ("b", TEXTS[::-1] + ["some other words"] * 3)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    config, a, b = language.resolve(**SMALL), tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    stopped(tmp_path / "lm", [a])
    for other in ({"texts": [b]}, {"texts": [a], "validation": [b]}, {"texts": [a], "leave_out_texts": TEXTS[:9]}):
        with pytest.raises(CheckpointError, match="lm: the run was begun with other text to learn from or to watch"):
            language.pretrain(out=tmp_path / "lm", config=config, resume=True, **other)
    first = train(tmp_path / "first").fitted.model
    stopped(tmp_path / "more", [a], start=first)
    with pytest.raises(CheckpointError, match="more: the run was begun with other text"):
        language.pretrain([b], tmp_path / "more", config, start=first, resume=True)


@pytest.mark.parametrize("name", ["train.ids.npy", "train.offsets.npy", "validation.ids.npy"])
@pytest.mark.parametrize("damage", ["missing", "empty", "cut short", "of another text"])
def test_encoded_text_that_is_damaged_is_encoded_anew(tmp_path, name, damage):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    stopped(tmp_path / "lm", [path])
    file = tmp_path / "lm" / "work" / name
    content = file.read_bytes()
    file.unlink()
    if damage == "of another text":
        np.save(file, np.zeros(3, np.load(io.BytesIO(content)).dtype))
    elif damage != "missing":
        file.write_bytes(b"" if damage == "empty" else content[:-2])
    language.pretrain([path], tmp_path / "lm", language.resolve(**SMALL), resume=True)
    language.pretrain([path], tmp_path / "whole", language.resolve(**SMALL))
    expected = tensors(tmp_path / "whole")
    for weight, tensor in tensors(tmp_path / "lm").items():
        assert torch.equal(tensor, expected[weight]), weight


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"validation": ["missing.txt"]}, "no such file"),
        ({"leave_out": ["missing.txt"]}, "no such file"),
        ({"texts": ["missing.txt"]}, "no such file"),
        ({"config": language.resolve(**SMALL, softmax="adaptive", cutoffs="5,4")}, "cutoffs must rise"),
    ],
)
def test_a_run_that_cannot_begin_leaves_nothing_and_loses_nothing(tmp_path, wrong, message):
    (tmp_path / "a.txt").write_text("\n".join(TEXTS))
    arguments = {"texts": [tmp_path / "a.txt"], "config": language.resolve(**SMALL), **wrong}
    with pytest.raises(ElmanError, match=message):
        language.pretrain(out=tmp_path / "new", **arguments)
    assert not (tmp_path / "new").exists()
    train(tmp_path / "old")
    before = {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()}
    with pytest.raises(ElmanError, match=message):
        language.pretrain(out=tmp_path / "old", overwrite=True, **arguments)
    assert {path.name: path.read_bytes() for path in (tmp_path / "old").iterdir()} == before


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_pretrained_and_measured_whatever_the_chunks(tmp_path, cell):
    model = train(tmp_path / cell, settings={"cell": cell, "epochs": 1}).fitted.model
    ids = model.tokenizer.encode(TEXTS[:9])
    sums = [document_losses(model.network, ids, batch_size=b, tokens=t) for b, t in ((1, 3), (4, 60), (9, 10000))]
    for other in sums[1:]:
        np.testing.assert_allclose(other, sums[0], rtol=1e-4)


def test_refusals(tmp_path):
    with pytest.raises(UsageError, match="at least one file to learn from"):
        language.pretrain([], tmp_path / "none")
    with pytest.raises(DataError, match="no such file"):
        language.pretrain([tmp_path / "missing.txt"], tmp_path / "lm")
    train(tmp_path / "lm")
    with pytest.raises(RunFolderError, match="the folder exists"):
        train(tmp_path / "lm")
    for settings, message in (
        ({"bptt": 0}, "bptt must be at least 1, got 0"),
        ({"bidirectional": True}, "bidirectional is what the objective fill is, got the objective next"),
        ({"objective": "guess"}, "objective must be one of next, fill, got 'guess'"),
        ({"cutoffs": "9,x"}, "cutoffs must be whole numbers"),
        ({"objective": "fill", "direction": "backward"}, "direction backward is of the objective next"),
        ({"cell": "min_gru", "weight_drop": 0.1}, "weight_drop is for cells with a recurrent matrix, .*; set it to 0"),
        ({"weight_drop": 1.0}, "weight_drop must be at least 0 and below 1, got 1"),
    ):
        with pytest.raises(UsageError, match=message):
            language.resolve(**settings)
