"""Saved models and checkpoints of which one file is damaged: a named error, or the same answers to the bit."""

import shutil
import tempfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch

import elman
from elman import classify
from elman.training import Interrupted, Listener, StopRequest, Trainer, TrainingSettings

from .case import Case, refusals, stored
from .mutation import mutated, mutated_json

_PROBES = ["a good film", "", "[UNK] bad [PAD]", "so dull", "房间 很好"]
_TINY: dict[str, Any] = {"epochs": 1, "hidden_size": 4, "embedding_dim": 4, "validation_split": 0.0}


class Folders:
    """The model folders of a classifier and of a language model."""

    name = "folders"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        model = random.choice([_classifier(), _language_model()])
        path = random.choice(sorted(path for path in model.iterdir() if path.suffix in (".json", ".safetensors")))
        content = path.read_bytes()
        if path.suffix == ".json" and random.random() < 0.6:
            return Case(f"{model.name}-{path.name}", mutated_json(content, random))
        return Case(f"{model.name}-{path.name}", mutated(content, random))

    def check(self, case: Case, folder: Path) -> None:
        kind, _, name = case.name.partition("-")
        model = _classifier() if kind == "classifier" else _language_model()
        damaged = folder / kind
        shutil.copytree(model, damaged)
        (damaged / name).write_bytes(case.content)
        with refusals():
            assert _answers(damaged) == _answers(model), "a damaged model answers otherwise"


class Checkpoints:
    """A run that goes on from a damaged checkpoint ends with the weights of one that was not stopped, or not at all."""

    name = "checkpoints"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        return Case("checkpoint.safetensors", mutated(_checkpoint(), random))

    def check(self, case: Case, folder: Path) -> None:
        path = folder / "checkpoint.safetensors"
        path.write_bytes(case.content)
        trainer = _trainer(path)
        with refusals():
            trainer.resume()
            trainer.fit()
            assert _weights(trainer) == _whole_run(), "a damaged checkpoint leads to other weights"


@cache
def _home() -> Path:
    return Path(tempfile.mkdtemp(prefix="elman-fuzz-"))


@cache
def _classifier() -> Path:
    texts = ["a good film", "so bad", "good good", "a dull film", "fine", "very bad indeed"] * 4
    labels = ["pos", "neg", "pos", "neg", "pos", "neg"] * 4
    folder = _home() / "classifier"
    elman.TextClassifier(**_TINY).fit(texts, labels).save(folder)
    return folder


@cache
def _language_model() -> Path:
    folder = _home() / "language"
    elman.LanguageModel(**_TINY).fit(["a good film it was", "so bad it was", "a dull film"] * 8).save(folder)
    return folder


def _answers(folder: Path) -> list[Any]:
    if folder.name == "language":
        model = elman.LanguageModel.load(folder)
        return [model.perplexity([probe or "x"]) for probe in _PROBES]
    classifier = classify.load(folder)
    return [classifier.classes.tolist(), classifier.probabilities(_PROBES).tolist()]


# --- checkpoints ------------------------------------------------------------------------------------------------------


class _Points:
    """Logistic regression on random points."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(3)
        self.x = torch.randn(60, 4, generator=generator)
        self.y = (self.x[:, 0] > 0).long()

    def batches(self, epoch: int) -> list[torch.Tensor]:
        order = torch.randperm(48, generator=torch.Generator().manual_seed(epoch))
        return list(order.split(16))

    def loss(self, model: torch.nn.Module, batch: torch.Tensor) -> tuple[torch.Tensor, int, int]:
        logits = model(self.x[batch])
        loss = torch.nn.functional.cross_entropy(logits, self.y[batch])
        return loss, int((logits.argmax(1) == self.y[batch]).sum()), len(batch)

    def validate(self, model: torch.nn.Module) -> dict[str, float]:
        with torch.no_grad():
            logits = model(self.x[48:])
        loss = torch.nn.functional.cross_entropy(logits, self.y[48:])
        accuracy = (logits.argmax(1) == self.y[48:]).float().mean()
        return {"loss": loss.item(), "accuracy": accuracy.item()}


class _StopAfter(Listener):
    def __init__(self, steps: int, request: StopRequest) -> None:
        self._steps, self._request = steps, request

    def step_done(self, step: Any, model: torch.nn.Module) -> None:
        if step.number == self._steps:
            self._request.signal = 2


def _trainer(path: Path, stop_after: int = 0) -> Trainer:
    model = torch.nn.Linear(4, 2)
    with torch.no_grad():
        model.weight.copy_(torch.linspace(-1, 1, 8).view(2, 4))
        model.bias.zero_()
    request = StopRequest()
    settings = TrainingSettings(epochs=3, average=0.9, learning_rate=0.05, patience=2)
    listeners = [_StopAfter(stop_after, request)] if stop_after else []
    return Trainer(
        model, _Points(), settings, checkpoint_path=path, fingerprint="points", listeners=listeners, stop=request
    )


@cache
def _checkpoint() -> bytes:
    path = _home() / "checkpoint.safetensors"
    try:
        _trainer(path, stop_after=5).fit()
    except Interrupted:
        return path.read_bytes()
    raise AssertionError("the run was not stopped")


@cache
def _whole_run() -> list[Any]:
    trainer = _trainer(_home() / "whole.safetensors")
    trainer.fit()
    return _weights(trainer)


def _weights(trainer: Trainer) -> list[Any]:
    return [parameter.tolist() for parameter in trainer.model.parameters()]
