"""The plain average that begins on a plateau, factors of the learning rate, and batches that scale it."""

import pytest
import torch

from elman.errors import UsageError
from elman.training import Interrupted, Listener, StopRequest, Trainer, TrainingSettings
from training.test_loop import Line, StopAfter, figures, model


class Stuck(Line):
    """The validation loss is as told; the weights that were validated are kept."""

    def __init__(self, losses):
        super().__init__()
        self.losses, self.validated_weights = losses, []

    def validate(self, model):
        self.validated_weights.append(model.weight.detach().clone())
        return {"loss": self.losses[len(self.validated_weights) - 1]}


class Steps(Listener):
    """A listener that keeps the weights after each step, by epoch."""

    def __init__(self):
        self.weights = []

    def epoch_started(self, *args):
        self.weights.append([])

    def step_done(self, step, model):
        self.weights[-1].append(model.weight.detach().clone())


@pytest.mark.parametrize(("interval", "begins"), [(1, 3), (2, 7), (3, 8)])
def test_the_average_begins_when_no_recent_loss_is_lower_and_is_a_plain_mean(interval, begins):
    # 3.5 after 4.0 and 3.0: above a loss from two epochs ago. 2.8 after 2.5, 2.6, 2.7, and 2.9: from three and four.
    task, steps = Stuck([3.0, 4.0, 3.5, 2.5, 2.6, 2.7, 2.8, 2.9, 3.0]), Steps()
    settings = TrainingSettings(epochs=9, average_on_plateau=interval, optimizer="sgd", learning_rate=0.3)
    Trainer(model(), task, settings, listeners=[steps]).fit()
    for epoch, validated in enumerate(task.validated_weights):
        newest = steps.weights[epoch][-1]
        if epoch < begins:
            assert torch.equal(validated, newest)
        else:
            since = [weight for part in steps.weights[begins : epoch + 1] for weight in part]
            torch.testing.assert_close(validated, torch.stack(since).mean(0))
            assert not torch.allclose(validated, newest)


class Seen(Listener):
    """A listener that keeps the weights that it is shown at the end of each epoch."""

    def __init__(self):
        self.weights, self.network = [], None

    def step_done(self, step, model):
        self.network = model

    def epoch_done(self, epoch, is_best):
        self.weights.append(self.network.weight.detach().clone())


@pytest.mark.parametrize("settings", [{"average": 0.9}, {"average_on_plateau": 1}, {}], ids=str)
def test_listeners_are_shown_the_weights_that_were_validated(settings):
    """So what is measured by epoch is of the weights that may be kept."""
    losses = [3.0, 4.0, 3.5, 2.5, 2.6, 2.7]
    task, seen = Stuck(losses), Seen()
    network = model()
    Trainer(network, task, TrainingSettings(epochs=6, optimizer="sgd", **settings), listeners=[seen]).fit()
    assert len(seen.weights) == 6
    for shown, validated in zip(seen.weights, task.validated_weights, strict=True):
        assert torch.equal(shown, validated)
    assert torch.equal(network.weight, seen.weights[3])
    alone = model()
    Trainer(alone, Stuck(losses), TrainingSettings(epochs=6, optimizer="sgd", **settings)).fit()
    assert torch.equal(alone.weight, network.weight)


@pytest.mark.parametrize("stop_at", [10, 23])
def test_a_run_that_averages_resumes_to_the_bit(tmp_path, stop_at):
    settings = TrainingSettings(epochs=6, average_on_plateau=1, optimizer="sgd", learning_rate=3.0)
    whole = model()
    expected = Trainer(whole, Line(), settings).fit()
    request, path = StopRequest(), tmp_path / "checkpoint"
    listeners = [StopAfter(stop_at, request)]
    with pytest.raises(Interrupted):
        Trainer(model(), Line(), settings, checkpoint_path=path, listeners=listeners, stop=request).fit()
    again = torch.nn.Linear(4, 2)
    trainer = Trainer(again, Line(), settings, checkpoint_path=path)
    trainer.resume()
    assert figures(trainer.fit()) == figures(expected)
    assert torch.equal(again.weight, whole.weight)


def test_two_averages_are_refused():
    with pytest.raises(UsageError, match="average and average_on_plateau"):
        TrainingSettings(average=0.9, average_on_plateau=2)


def test_factors_and_scales_multiply_the_rate():
    class Scaled(list):
        rate_scale = 0.5

    class Task(Line):
        def batches(self, epoch):
            return [Scaled(range(16))]

        def loss(self, model, batch):
            loss = model(self.x[list(batch)]).square().sum()
            return loss, None, len(batch)

    start, moved = model(), model()
    settings = TrainingSettings(epochs=1, optimizer="sgd", learning_rate=0.01)
    Trainer(moved, Task(validated=False), settings, rate_of=lambda name: {"weight": 1.0, "bias": 0.1}[name]).fit()
    loss = start(Line().x[:16]).square().sum()
    loss.backward()
    torch.testing.assert_close(moved.weight, start.weight - 0.005 * start.weight.grad)
    torch.testing.assert_close(moved.bias, start.bias - 0.0005 * start.bias.grad)
