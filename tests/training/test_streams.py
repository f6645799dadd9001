"""Training on streams: resumed in mid-stream to the bit, and untouched by what validation reads."""

import pytest
import torch

from elman.nn import LSTM, Stateful
from elman.training import Interrupted, StopRequest, Trainer, TrainingSettings
from training.test_loop import StopAfter, figures


class Reader(torch.nn.Module):
    def __init__(self, overlap):
        super().__init__()
        self.stream = Stateful(LSTM(3, 4), overlap)
        self.output = torch.nn.Linear(4, 2)

    def forward(self, chunk, starts):
        return self.output(self.stream(chunk, starts)[0])


class Running:
    """Three streams in chunks of 4; the target is whether the sum of the inputs so far is positive."""

    def __init__(self, validated=True):
        generator = torch.Generator().manual_seed(0)
        self.x, self.starts = torch.randn(24, 3, 3, generator=generator), torch.zeros(24, 3, dtype=torch.bool)
        self.starts[0] = True  # at every epoch
        self.starts[9, 1] = True
        self.y = (self.x[:, :, 0].cumsum(0) > 0).long()
        self.validated = validated

    def batches(self, epoch):
        return [slice(i, i + 4) for i in range(0, 24, 4)]

    def loss(self, model, batch):
        logits, target = model(self.x[batch], self.starts[batch]).flatten(0, 1), self.y[batch].flatten()
        loss = torch.nn.functional.cross_entropy(logits, target)
        return loss, int((logits.argmax(1) == target).sum()), len(target)

    def validate(self, model):
        if not self.validated:
            return None
        model.stream.reset()
        with torch.no_grad():
            logits = model(self.x[:5, :2], None).flatten(0, 1)  # of another number of streams
        return {"loss": torch.nn.functional.cross_entropy(logits, self.y[:5, :2].flatten()).item(), "accuracy": 0.5}


def model(overlap):
    torch.manual_seed(5)
    return Reader(overlap)


@pytest.mark.parametrize("average", [0.0, 0.9])
@pytest.mark.parametrize("overlap", [0, 3])
@pytest.mark.parametrize("stop_at", [2, 6, 9])  # in mid-stream, at the end of an epoch, in the second
def test_resumed_equals_uninterrupted(tmp_path, overlap, stop_at, average):
    settings = TrainingSettings(epochs=3, average=average)
    whole = model(overlap)
    expected = Trainer(whole, Running(), settings).fit()
    request, path = StopRequest(), tmp_path / "checkpoint"
    listeners = [StopAfter(stop_at, request)]
    with pytest.raises(Interrupted):
        Trainer(model(overlap), Running(), settings, checkpoint_path=path, listeners=listeners, stop=request).fit()
    torch.manual_seed(99)
    again = Reader(overlap)
    trainer = Trainer(again, Running(), settings, checkpoint_path=path)
    trainer.resume()
    assert figures(trainer.fit()) == figures(expected)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_validation_leaves_the_streams_where_they_were():
    settings = TrainingSettings(epochs=2)
    task, unwatched = Running(), Running(validated=False)
    for running in (task, unwatched):
        running.starts[0] = False  # the second epoch goes on from the end of the first
    losses = [Trainer(model(2), running, settings).fit()[-1].train_loss for running in (task, unwatched)]
    assert losses[0] == losses[1]
