"""A run that is stopped and resumed: threads and the kernels' tier stay, and what cannot stay is said."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from conftest import make_reviews
from elman import classify, language
from elman.errors import DataError
from elman.ops import kernels
from elman.training import (
    FitEvents,
    Interrupted,
    Machine,
    StopRequest,
    Trainer,
    TrainingSettings,
    continued,
    write_tensors,
)

OTHER = {"torch": "1.0", "elman": "0.0", "capability": "ABACUS", "processor": "a slide rule"}


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Sum:
    """One factor, whose gradient is a sum so long that torch's threads share it out."""

    def __init__(self, stop=None, at=0):
        generator = torch.Generator().manual_seed(1)
        self.x, self.y = torch.randn(2, 200_000, generator=generator)
        self.stop, self.at, self.threads = stop, at, []

    def batches(self, epoch):
        return [slice(part, None, 2) for part in range(2)]

    def loss(self, model, batch):
        self.threads.append(torch.get_num_threads())
        if len(self.threads) == self.at:
            self.stop.signal = 2
        x, y = self.x[batch], self.y[batch]
        return ((model.weight[0, 0] * x - y) ** 2).mean(), None, len(x)

    def validate(self, model):
        return None


class Heard(FitEvents):
    def __init__(self):
        self.sentences = []

    def found(self, sentence):
        self.sentences.append(sentence)


def trained(path, task, resume=False, stop=None):
    torch.manual_seed(0)
    model, heard = torch.nn.Linear(1, 1, bias=False), Heard()
    settings = TrainingSettings(epochs=3, optimizer="sgd", learning_rate=0.3, momentum=0.9)
    trainer = Trainer(model, task, settings, checkpoint_path=path, listeners=[heard], stop=stop)
    if resume:
        trainer.resume()
    trainer.fit()
    return model.weight.item(), heard.sentences


def test_a_resumed_run_keeps_its_threads(tmp_path):
    torch.set_num_threads(1)
    whole, _ = trained(tmp_path / "whole", Sum())
    stop = StopRequest()
    with pytest.raises(Interrupted):
        trained(tmp_path / "checkpoint", Sum(stop, at=3), stop=stop)
    torch.set_num_threads(2)
    assert trained(tmp_path / "other", Sum())[0] != whole  # or nothing is tried here
    task = Sum()
    weight, sentences = trained(tmp_path / "checkpoint", task, resume=True)
    assert weight == whole
    assert set(task.threads) == {1} and torch.get_num_threads() == 2
    assert len(sentences) == 1 and "1 instead of 2" in sentences[0]


def test_a_run_that_begins_says_nothing(tmp_path):
    assert trained(tmp_path / "checkpoint", Sum())[1] == []


def test_threads_are_put_back_after_an_error():
    with pytest.raises(DataError), continued(replace(Machine.here(), threads=1)):
        assert torch.get_num_threads() == 1
        raise DataError("x")
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("tier", kernels.supported_tiers())
def test_a_tier_that_can_be_had_is_taken(tier):
    usual = kernels.tier()
    with continued(replace(Machine.here(), tier=tier)) as sentences:
        assert kernels.tier() == tier
    assert kernels.tier() == usual
    assert [f"{tier} instead of {usual}" in sentence for sentence in sentences] == [True] * (tier != usual)


def test_what_cannot_be_had_is_said_in_one_sentence():
    usual = kernels.tier()
    with continued(replace(Machine.here(), tier="neon", **OTHER)) as sentences:
        assert kernels.tier() == usual
    (sentence,) = sentences
    assert sentence.startswith("warning: ") and "\n" not in sentence
    assert all(value in sentence for value in (*OTHER.values(), f"neon, now {usual}"))


def test_an_older_checkpoint_does_not_say(tmp_path):
    """A checkpoint from before is read all the same, with the state of what was torch's global generator."""
    whole, _ = trained(tmp_path / "whole", Sum())
    stop, path = StopRequest(), tmp_path / "checkpoint"
    with pytest.raises(Interrupted):
        trained(path, Sum(stop, at=3), stop=stop)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    progress = json.loads(metadata["progress"])
    del progress["machine"]
    write_tensors(path, load_file(path), metadata | {"progress": json.dumps(progress)})
    weight, sentences = trained(path, Sum(), resume=True)
    assert weight == whole
    assert sentences == ["the checkpoint does not say with how many threads the run was begun; it goes on with 2"]


TEXTS, LABELS = make_reviews(150)
SMALL = {"epochs": 2, "batch_size": 50, "embedding_dim": 32, "hidden_size": 24}


class StopIn(Heard):
    """Ends a run at a step of its first or second training, as Ctrl-C does, or at its begin, as a kill."""

    def __init__(self, training=1, step=2, kill=False):
        super().__init__()
        self.training, self.step, self.kill, self.begun = training, step, kill, 0

    def stage(self, name):
        self.begun += name == "training"
        if self.kill and self.begun == self.training:
            raise MemoryError

    def step_done(self, step, model):
        if self.begun == self.training and step.number == self.step:
            raise KeyboardInterrupt


def labelled(folder):
    rows = [f"{text}\t{label}" for text, label in zip(TEXTS, LABELS, strict=True)]
    (folder / "data.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    (folder / "more.txt").write_text("\n".join(TEXTS) + "\n")


def classifier(folder, out, **how):
    classify.train(folder / "data.tsv", out, classify.resolve(**SMALL), **how)


def on_unlabelled(folder, out, **how):
    settings = language.resolve(**SMALL | {"bptt": 20, "batch_size": 10}, documents="line")
    how |= {"unlabelled": [folder / "more.txt"], "language_config": settings}
    classify.train(folder / "data.tsv", out, classify.resolve("fine-tuned", epochs=2, batch_size=50), **how)


def language_model(folder, out, **how):
    settings = language.resolve(**SMALL | {"bptt": 20, "batch_size": 10}, documents="line")
    language.pretrain([folder / "more.txt"], out, settings, **how)


RUNS = {
    "classifier": (classifier, {"step": 4}),
    "language model": (language_model, {"step": 2}),
    "between language model and classifier": (on_unlabelled, {"training": 2, "kill": True}),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_resumed_with_other_threads_and_tier_ends_with_the_same_model(name, tmp_path, monkeypatch):
    run, where = RUNS[name]
    labelled(tmp_path)
    monkeypatch.setattr("elman.training.loop._CHECKPOINT_SECONDS", 0.0)
    torch.set_num_threads(1)
    with kernels.use_tier("scalar"):
        run(tmp_path, tmp_path / "whole")
        with pytest.raises((KeyboardInterrupt, MemoryError)):
            run(tmp_path, tmp_path / "run", events=StopIn(**where))
    torch.set_num_threads(2)
    heard = Heard()
    run(tmp_path, tmp_path / "run", resume=True, events=heard)
    assert torch.get_num_threads() == 2
    expected, resumed = (load_file(tmp_path / each / "model.safetensors") for each in ("whole", "run"))
    assert all(torch.equal(expected[key], tensor) for key, tensor in resumed.items())
    said = [sentence for sentence in heard.sentences if "instead of" in sentence]
    assert len(said) == 1 + (kernels.tier() != "scalar")
