"""The information-flow regulariser's weight over the steps: 1/t, through a resumed run, and put back at the end."""

import pytest
import torch

from elman.training import Interrupted, StopRequest, Trainer, TrainingSettings
from training.test_loop import Line, StopAfter


class Regularised(torch.nn.Linear):
    """Has the attribute that recurrent layers have, and notes its value at each training step."""

    def __init__(self, weight, seen):
        torch.manual_seed(5)
        super().__init__(4, 2)
        self.information_flow, self.seen = weight, seen

    def forward(self, x):
        if torch.is_grad_enabled():
            self.seen.append(self.information_flow)
        return super().forward(x)


def test_the_weight_falls_as_one_over_t():
    seen = []
    network = torch.nn.Sequential(Regularised(6.0, seen))
    Trainer(network, Line(), TrainingSettings(epochs=2, information_flow_decay=5)).fit()
    assert seen == pytest.approx([6 / (1 + step / 5) for step in range(14)])
    assert seen[5] == 3.0 and seen[10] == 2.0
    assert network[0].information_flow == 6.0


def test_without_decay_it_holds():
    seen = []
    Trainer(Regularised(6.0, seen), Line(), TrainingSettings(epochs=1)).fit()
    assert seen == [6.0] * 7


def test_a_resumed_run_goes_on_where_it_was(tmp_path):
    settings, request, seen = TrainingSettings(epochs=2, information_flow_decay=5), StopRequest(), []
    options = {"checkpoint_path": tmp_path / "checkpoint", "listeners": [StopAfter(4, request)], "stop": request}
    network = Regularised(6.0, seen)
    with pytest.raises(Interrupted):
        Trainer(network, Line(), settings, **options).fit()
    assert network.information_flow == 6.0
    trainer = Trainer(Regularised(6.0, seen), Line(), settings, checkpoint_path=tmp_path / "checkpoint")
    trainer.resume()
    trainer.fit()
    assert seen == pytest.approx([6 / (1 + step / 5) for step in range(14)])
