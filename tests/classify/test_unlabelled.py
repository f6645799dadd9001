"""A classifier whose language model is trained first, on further text: what it may read, and how the run goes on."""

import copy
import json
import math
import os
import pickle
import signal
import stat
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

from classify.test_fine_tune import LABELS, SMALL, TEXTS, pretrained
from elman import classify, language
from elman.classify.config import resolve
from elman.cli._app import run as run_command
from elman.cli._show import TrainingProgress
from elman.errors import CheckpointError, DataError, RunFolderError, UsageError
from elman.settings import to_toml
from elman.training import FitEvents, Interrupted, run_folder
from kills import Killed, killed_after


@pytest.fixture
def model(tmp_path):
    return pretrained(tmp_path / "lm")


def write(path, texts, labels=None):
    rows = texts if labels is None else [f"{text}\t{label}" for text, label in zip(texts, labels, strict=True)]
    path.write_text("\n".join(rows if labels is None else ["text\tlabel", *rows]) + "\n", encoding="utf-8")
    return path


class Seen(Exception):
    pass


@pytest.mark.parametrize(
    ("of_classifier", "of_model", "expected"),
    [
        ({}, {}, "fold"),
        ({"normalization": "nfc"}, {}, "nfc"),
        ({}, {"normalization": "none"}, "none"),
        ({"normalization": "nfc"}, {"normalization": "nfc"}, "nfc"),
        ({}, {"tokenizer": "spaces"}, "none"),
    ],
    ids=str,
)
def test_a_language_model_for_a_classifier_folds_unless_told_otherwise(
    tmp_path, monkeypatch, of_classifier, of_model, expected
):
    def fit(train, validation, config, *rest, **options):
        assert config.normalization == expected
        raise Seen

    monkeypatch.setitem(language.pretrain.__globals__, "fit", fit)
    data = write(tmp_path / "train.tsv", TEXTS, LABELS)
    how = {
        "unlabelled": [write(tmp_path / "more.txt", TEXTS)],
        "language_config": language.resolve(**SMALL, **of_model),
    }
    with pytest.raises(Seen):
        classify.train(data, tmp_path / "run", resolve("fine-tuned", **of_classifier), **how)


def test_two_normalizations_are_refused_before_anything_is_trained(tmp_path):
    data = write(tmp_path / "train.tsv", TEXTS, LABELS)
    how = {"unlabelled": [data], "language_config": language.resolve(**SMALL, normalization="fold")}
    with pytest.raises(UsageError, match="normalization: the language model has 'fold', got 'nfc'"):
        classify.train(data, tmp_path / "run", resolve("fine-tuned", normalization="nfc"), **how)


def test_no_held_out_text_reaches_the_language_model(tmp_path, monkeypatch):
    train, test = (
        write(tmp_path / "train.tsv", TEXTS[:40], LABELS[:40]),
        write(tmp_path / "test.tsv", TEXTS[40:], LABELS[40:]),
    )
    further = ["one more text", "and another one"]
    unlabelled = write(tmp_path / "more.txt", [*further, *(text.upper() for text in TEXTS)])
    seen = []

    def fit(train, validation, *rest, **options):
        seen.extend(text for part in (train, validation) for text, _ in part)
        raise Seen

    monkeypatch.setitem(language.pretrain.__globals__, "fit", fit)
    config = language.resolve(**SMALL, documents="line")
    with pytest.raises(Seen):
        classify.train(train, tmp_path / "run", test=test, unlabelled=[unlabelled], language_config=config)
    held = {" ".join(text.lower().split()) for text in TEXTS[40:]}
    found = {" ".join(text.lower().split()) for text in seen}
    assert not held & found and set(further) < found


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"test": "test.tsv"}, "held-out texts"),
        ({"unlabelled": ["test.txt"]}, "files"),
        ({"language_config": language.resolve(**{**SMALL, "hidden_size": 9})}, "settings of the language model"),
    ],
)
def test_a_language_model_that_is_there_is_taken_for_what_it_was_made_for(tmp_path, monkeypatch, other, named):
    """Else one would go on with a model that has read what is now the test set."""
    monkeypatch.chdir(tmp_path)
    train = write(tmp_path / "train.tsv", TEXTS[:40], LABELS[:40])
    write(tmp_path / "test.tsv", TEXTS[40:], LABELS[40:])
    arguments = {
        "unlabelled": [str(write(tmp_path / "test.txt", TEXTS[40:])), str(write(tmp_path / "more.txt", TEXTS[:9]))],
        "language_config": language.resolve(**SMALL, documents="line"),
        "config": resolve("fine-tuned", epochs=1),
    }
    monkeypatch.setitem(classify.train.__globals__, "fit", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        classify.train(train, tmp_path / "run", **arguments)
    with pytest.raises(CheckpointError, match=f"run: the language model was begun with other {named}$"):
        classify.train(train, tmp_path / "run", resume=True, **{**arguments, **other})
    with pytest.raises(ZeroDivisionError):
        classify.train(train, tmp_path / "run", resume=True, **arguments)


def test_a_run_knows_every_file_it_may_leave(tmp_path):
    """Else it would stay when another run takes its place."""
    train = write(tmp_path / "train.tsv", TEXTS[:40], LABELS[:40])
    classify.train(
        train,
        tmp_path / "run",
        resolve("fine-tuned", epochs=1, direction="both"),
        test=write(tmp_path / "test.tsv", TEXTS[40:], LABELS[40:]),
        unlabelled=[write(tmp_path / "more.txt", TEXTS[:9])],
        language_config=language.resolve(**SMALL, documents="line"),
        tensorboard=True,
        diagnose=True,
    )
    assert {*(tmp_path / "run").iterdir()} == {*run_folder._own(tmp_path / "run")}
    assert len({*(tmp_path / "run").iterdir()}) > 15


def test_settings_of_a_language_model_are_for_one_that_is_trained(tmp_path):
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    with pytest.raises(UsageError, match="got no such text"):
        classify.train(train, tmp_path / "run", language_config=language.resolve(**SMALL))


def test_what_cannot_be_read_costs_no_earlier_run(model, tmp_path):
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    config = resolve("fine-tuned", epochs=1)
    classify.train(train, tmp_path / "run", config, start=[model])
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    for wrong in ({"unlabelled": ["nowhere.txt"]}, {"validation": "nowhere.tsv"}):
        for folder in ("run", "new"):
            with pytest.raises(DataError, match="nowhere"):
                classify.train(train, tmp_path / folder, config, start=[model], overwrite=True, **wrong)
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    assert not (tmp_path / "new").exists()


def test_a_stopped_run_goes_on_from_either_part(tmp_path):
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    unlabelled = write(tmp_path / "more.txt", TEXTS * 2)
    arguments = {
        "unlabelled": [unlabelled],
        "language_config": language.resolve(**{**SMALL, "epochs": 2}),
        "config": resolve("fine-tuned", epochs=3),
    }

    class Stopping(FitEvents):
        """Ctrl-C at a step, of the first part or of the second."""

        def __init__(self, step, part):
            self.step, self.part, self.parts = step, part, 0

        def stage(self, name):
            self.parts += name == "training"

        def step_done(self, step, model):
            if self.parts == self.part and step.number == self.step:
                os.kill(os.getpid(), signal.SIGTERM)

    whole = classify.train(train, tmp_path / "whole", **arguments)
    out = tmp_path / "parts"
    with pytest.raises(Interrupted):
        classify.train(train, out, events=Stopping(3, 1), **arguments)
    with pytest.raises(Interrupted):
        classify.train(train, out, resume=True, events=Stopping(3, 2), **arguments)
    again = classify.train(train, out, resume=True, **arguments)
    assert [epoch.train_loss for epoch in again.fitted.history] == [epoch.train_loss for epoch in whole.fitted.history]
    for folder in ("", "language-model"):
        with (
            safe_open(tmp_path / "whole" / folder / "model.safetensors", "pt") as expected,
            safe_open(out / folder / "model.safetensors", "pt") as found,
        ):
            for name in expected.keys():  # noqa: SIM118 (not a dict)
                assert torch.equal(found.get_tensor(name), expected.get_tensor(name)), name
    assert math.isfinite(whole.metrics["validation"]["loss"])
    with pytest.raises(RunFolderError, match="no checkpoint to resume from: the run is finished"):
        classify.train(train, out, resume=True, **arguments)


def test_the_command_goes_on_from_its_own_settings(tmp_path, monkeypatch):
    """They are all in the run's config.toml, but nobody has asked for those of the preset."""
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    unlabelled = write(tmp_path / "more.txt", TEXTS * 2)
    (tmp_path / "small.toml").write_text(to_toml(language.resolve(**{**SMALL, "epochs": 1})))
    arguments = [
        "train",
        train,
        "--unlabelled",
        unlabelled,
        "--language-config",
        tmp_path / "small.toml",
        "--epochs",
        1,
    ]

    def command(*added):
        return run_command([str(argument) for argument in (*arguments, *added)])

    def stopping(self, step, model):
        if step.number == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    out = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(TrainingProgress, "step_done", stopping)
        assert command("--out", out) == 128 + signal.SIGTERM
    assert command("--out", out, "--resume", "--hidden-size", 5) == 2  # asked for, and not the language model's
    assert command("--out", out, "--resume") == 0
    assert command("--out", tmp_path / "whole") == 0
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in (out, tmp_path / "whole")]
    assert metrics[0]["validation"]["loss"] == metrics[1]["validation"]["loss"]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"hidden_size": 500}, "hidden_size: the language model has 7, got 500"),  # the default, asked for
        ({"num_layers": 3}, "num_layers: the language model has 2, got 3"),
        ({"direction": "backward"}, "direction: the classifier reads forward, got a language model's backward"),
        ({"objective": "fill"}, "expected a language model that predicts the next word"),
    ],
)
@pytest.mark.parametrize("copied", [False, True])
def test_a_setting_that_the_model_cannot_have_is_refused(model, tmp_path, settings, named, copied):
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    arguments = {"unlabelled": [write(tmp_path / "more.txt", TEXTS)], "start": [model]}
    config = language.resolve(**{"epochs": 1, "batch_size": 4, **settings})
    if copied:
        config = pickle.loads(pickle.dumps(copy.deepcopy(replace(config, seed=1))))
    with pytest.raises(UsageError, match=named):
        classify.train(train, tmp_path / "run", language_config=config, **arguments)
    assert not (tmp_path / "run").exists()


def test_defaults_of_the_language_model_give_way_to_the_model(model, tmp_path):
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    config = language.resolve(epochs=1, batch_size=4)
    unlabelled = [write(tmp_path / "more.txt", TEXTS)]
    fine_tuned = resolve("fine-tuned", epochs=1)
    run = classify.train(
        train, tmp_path / "run", fine_tuned, language_config=config, unlabelled=unlabelled, start=[model]
    )
    assert run.fitted.classifier.config.hidden_sizes == "7,6"


def test_a_run_that_was_killed_behind_its_training_is_brought_to_its_end(tmp_path, monkeypatch):
    """While the language model writes its report, while the classifier does, and before the diagnosis is there."""
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    arguments = {
        "unlabelled": [write(tmp_path / "more.txt", TEXTS)],
        "language_config": language.resolve(**SMALL),
        "config": resolve("fine-tuned", epochs=1),
        "diagnose": True,
    }
    whole = classify.train(train, tmp_path / "whole", **arguments)
    names = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*")}
    out = tmp_path / "killed"
    for room, function in (
        (language.pretrain, "write_language_report"),
        (classify.train, "write_report"),
        (classify.train, "write_diagnosis"),
    ):
        with monkeypatch.context() as patched, pytest.raises(Killed), killed_after(10**9, out) as killer:
            original = room.__globals__[function]

            def dying(*rest, original=original, killer=killer, **options):
                killer.left = killer.count
                return original(*rest, **options)

            patched.setitem(room.__globals__, function, dying)
            classify.train(train, out, resume=True, **arguments)
        if room is classify.train:
            assert classify.load(out).classes.tolist() == ["bad", "good"]
    again = classify.train(train, out, resume=True, **arguments)
    assert again.metrics == whole.metrics
    assert {path.relative_to(out) for path in out.rglob("*")} == names
    with pytest.raises(RunFolderError, match="the run is finished"):
        classify.train(train, out, resume=True, **arguments)


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077], ids=oct)
def test_the_umask_is_that_of_every_file(tmp_path, monkeypatch, mask):
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    train = write(tmp_path / "train.tsv", TEXTS, LABELS)
    unlabelled = write(tmp_path / "more.txt", TEXTS)
    before = os.umask(mask)
    try:
        seen = {}

        class Looking(FitEvents):
            """At what only a run under way has."""

            def epoch_done(self, epoch, is_best):
                seen.update({path: path.stat().st_mode for path in (tmp_path / "run").rglob("*")})

        classify.train(
            train,
            tmp_path / "run",
            resolve("fine-tuned", epochs=2),
            unlabelled=[unlabelled],
            language_config=language.resolve(**{**SMALL, "epochs": 2}),
            tensorboard=True,
            diagnose=True,
            events=Looking(),
        )
        language.perplexity(tmp_path / "run" / "language-model", [unlabelled], out=tmp_path / "run" / "scores.jsonl")
        for place in (tmp_path / "run", tmp_path / "cache"):
            seen.update({path: path.stat().st_mode for path in (place, *place.rglob("*"))})
    finally:
        os.umask(before)
    modes = {path: mode & 0o777 for path, mode in seen.items()}
    assert modes == {path: (0o777 if stat.S_ISDIR(mode) else 0o666) & ~mask for path, mode in seen.items()}
    assert {"checkpoint.safetensors", "train.ids.npy"} < {path.name for path in modes} and len(modes) > 35
