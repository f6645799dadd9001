"""The loop on a small task: resuming, early stopping, averaging, divergence."""

import re
from dataclasses import replace

import pytest
import torch

from elman.errors import CheckpointError, DivergedError
from elman.training import Interrupted, Listener, StopRequest, Trainer, TrainingSettings, loop


class Line:
    """Logistic regression on points that a line separates, with noise on the labels and dropout's randomness."""

    def __init__(self, poison_at=None, validated=True):
        generator = torch.Generator().manual_seed(3)
        self.x = torch.randn(120, 4, generator=generator)
        self.y = (self.x[:, 0] + 0.5 * torch.randn(120, generator=generator) > 0).long()
        self.poison_at, self.validated, self.seen = poison_at, validated, 0

    def batches(self, epoch):
        order = torch.randperm(100, generator=torch.Generator().manual_seed(epoch))
        return list(order.split(16))

    def loss(self, model, batch):
        self.seen += 1
        logits = model(torch.nn.functional.dropout(self.x[batch], 0.3))
        if self.seen == self.poison_at:
            logits = logits * float("nan")
        loss = torch.nn.functional.cross_entropy(logits, self.y[batch])
        return loss, int((logits.argmax(1) == self.y[batch]).sum()), len(batch)

    def validate(self, model):
        if not self.validated:
            return None
        with torch.no_grad():
            logits = model(self.x[100:])
        loss = torch.nn.functional.cross_entropy(logits, self.y[100:])
        return {"loss": loss.item(), "accuracy": (logits.argmax(1) == self.y[100:]).float().mean().item()}


class StopAfter(Listener):
    """A listener that asks to stop after some steps, as Ctrl-C would."""

    def __init__(self, steps, request):
        self.steps, self.request = steps, request

    def step_done(self, step, model):
        if step.number == self.steps:
            self.request.signal = 2


def model():
    torch.manual_seed(5)
    return torch.nn.Linear(4, 2)


def figures(history):
    return [replace(epoch, seconds=0) for epoch in history]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("stop_at", [3, 7, 10])  # inside an epoch, at its end (7 steps each), in the second
def test_resumed_equals_uninterrupted(tmp_path, optimizer, stop_at):
    settings = TrainingSettings(
        epochs=4, optimizer=optimizer, momentum=0.5, average=0.9, clip_norm=0.5, schedule="cosine", warmup=3
    )
    whole = model()
    expected = Trainer(whole, Line(), settings).fit()
    request = StopRequest()
    path = tmp_path / "checkpoint"
    first = Trainer(
        model(), Line(), settings, checkpoint_path=path, listeners=[StopAfter(stop_at, request)], stop=request
    )
    with pytest.raises(Interrupted):
        first.fit()
    torch.manual_seed(99)
    second = model()
    trainer = Trainer(second, Line(), settings, checkpoint_path=path)
    trainer.resume()
    assert figures(trainer.fit()) == figures(expected)
    assert torch.equal(second.weight, whole.weight)


def test_the_same_seed_gives_the_same_run_and_learns():
    runs = []
    for _ in range(2):
        network = model()
        runs.append((Trainer(network, Line(), TrainingSettings(epochs=5, learning_rate=0.05)).fit(), network))
    assert figures(runs[0][0]) == figures(runs[1][0])
    assert runs[0][0][-1].train_accuracy > 0.7 > runs[0][0][0].train_accuracy


def test_patience_stops_and_the_best_weights_stay():
    network, task = model(), Line()
    settings = TrainingSettings(epochs=50, learning_rate=0.3, patience=2)
    history = Trainer(network, task, settings).fit()
    best = max(range(len(history)), key=lambda i: (history[i].validation_accuracy, -history[i].validation_loss))
    assert len(history) == best + 3 < 50
    assert task.validate(network)["loss"] == pytest.approx(history[best].validation_loss)


@pytest.mark.parametrize(
    ("rising", "epochs"),  # 7 steps an epoch; the first is the best, two more are waited for
    [({}, 3), ({"warmup": 7}, 3), ({"warmup": 15}, 5), ({"warmup": 35}, 7), ({"schedule": "triangular"}, 7)],
)
def test_patience_begins_when_the_rate_has_risen(rising, epochs):
    """On small data an epoch has few steps: what is learned slowly at first is not what is learned no more."""
    task = Line()
    task.validate = lambda model: {"loss": 1.0, "accuracy": 0.5}
    assert len(Trainer(model(), task, TrainingSettings(epochs=50, patience=2, **rising)).fit()) == epochs


def test_without_validation_the_last_weights_stay():
    network = model()
    history = Trainer(network, Line(validated=False), TrainingSettings(epochs=3, patience=1)).fit()
    assert len(history) == 3 and history[0].validation_loss is None


def test_the_average_is_what_is_validated_and_kept():
    weights = []

    class Watch(StopAfter):
        def step_done(self, step, network):
            weights.append(network.weight.detach().clone())

    network = model()
    average = network.weight.detach().clone()
    settings = TrainingSettings(epochs=1, average=0.9, learning_rate=0.1)
    Trainer(network, Line(), settings, listeners=[Watch(0, None)]).fit()
    for step, weight in enumerate(weights, 1):
        decay = min(0.9, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * weight
    torch.testing.assert_close(network.weight.detach(), average)


def test_divergence_keeps_the_last_good_weights():
    network = model()
    with pytest.raises(DivergedError, match=r"loss became.*epoch 2, step 3.*those of epoch 1.*learning_rate") as raised:
        Trainer(network, Line(poison_at=10), TrainingSettings(epochs=4)).fit()
    twin = model()
    (epoch,) = Trainer(twin, Line(), TrainingSettings(epochs=1)).fit()
    assert torch.equal(network.weight, twin.weight)
    assert f"clip_norm (now 0; {epoch.gradient_norm:.2g} is usual)" in str(raised.value)


def test_divergence_in_the_first_epoch_keeps_weights_that_had_a_loss(monkeypatch):
    monkeypatch.setattr(loop, "_GOOD_EVERY", 2)

    network = model()
    weights = [network.weight.detach().clone()]

    class Watch(Listener):
        def step_done(self, step, network):
            weights.append(network.weight.detach().clone())

    with pytest.raises(DivergedError, match=r"those of step \d\.") as raised:
        Trainer(network, Line(poison_at=6), TrainingSettings(learning_rate=0.3), listeners=[Watch()]).fit()
    step = int(re.search(r"those of step (\d)", str(raised.value))[1])
    assert step in (2, 4) and len(weights) == 6 and torch.equal(network.weight, weights[step])


@pytest.mark.parametrize(("validated", "what"), [(True, "validation loss"), (False, "weights")])
def test_divergence_in_the_last_step_of_an_epoch(validated, what):
    """The step itself had a loss; what it made of the weights has none, and is not the best so far."""

    class Once(Line):
        def batches(self, epoch):
            return super().batches(epoch)[:1]

        def loss(self, network, batch):
            value, correct, count = super().loss(network, batch)
            return 1000 * value, correct, count

    network = model()
    before = network.weight.detach().clone()
    settings = TrainingSettings(
        optimizer="sgd", learning_rate=1e38, epochs=1, warmup=0, schedule="constant", average=0, clip_norm=0
    )
    with pytest.raises(DivergedError, match=f"the {what} became .* epoch 1, step 1; .*those of step 0"):
        Trainer(network, Once(validated=validated), settings).fit()
    assert torch.equal(network.weight, before)


def test_divergence_of_the_gradient_is_seen_before_the_step():
    class Steep(Line):
        def loss(self, network, batch):
            value, correct, count = super().loss(network, batch)
            return value + 0 * torch.sqrt(network.weight.sum() * 0), correct, count  # finite loss, infinite slope

    network = model()
    with pytest.raises(DivergedError, match="gradient became"):
        Trainer(network, Steep(), TrainingSettings()).fit()
    assert torch.isfinite(network.weight).all()


def test_bad_checkpoints_are_refused(tmp_path):
    path = tmp_path / "checkpoint"
    settings = TrainingSettings(epochs=1)

    def resume(fingerprint):
        Trainer(model(), Line(), settings, checkpoint_path=path, fingerprint=fingerprint).resume()

    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        resume("a")
    Trainer(model(), Line(), settings, checkpoint_path=path, fingerprint="a").fit()
    with pytest.raises(CheckpointError, match="other data or other settings"):
        resume("b")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(CheckpointError, match="damaged"):
        resume("a")
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]
