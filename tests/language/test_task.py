"""What a step of a language model learns from: the words, and the penalties on what the layers say."""

import numpy as np
import pytest
import torch

from elman.language import resolve
from elman.language.model import build_network
from elman.language.task import LanguageTask
from elman.text import RaggedIds

DROPOUT = 0.4


def gradients(network, loss):
    return torch.autograd.grad(loss, [p for name, p in network.named_parameters() if name.startswith("readers")])


def of_task(network, **penalties):
    config = resolve(batch_size=3, bptt=8, jitter=False, dropout=DROPOUT, **penalties)
    ids = np.random.default_rng(0).integers(3, 20, 90).astype(np.int32)
    task = LanguageTask(RaggedIds(ids, np.array([0, 90])), None, config)
    batch = task.batches(0)[0]
    network.reset()
    torch.manual_seed(1)
    loss = task.loss(network, batch)[0]
    return float(loss.detach()), gradients(network, loss), batch


@pytest.mark.parametrize("penalty", ["activation", "slowness"])
def test_penalties_are_of_the_dropped_output_and_of_the_states(penalty):
    """Merity, McCann & Socher 2017: m * h_t in eq. 1, h_t - h_{t+1} in eq. 2."""
    settings = {"embedding_dropout": 0.0, "input_dropout": 0.0, "word_dropout": 0.0, "weight_drop": 0.0}
    config = resolve(embedding_dim=6, hidden_size=7, num_layers=1, tied=False, dropout=DROPOUT, **settings)
    network = build_network(config, 20).train().double()
    plain, without, batch = of_task(network)
    figure, with_penalty, _ = of_task(network, **{penalty: 2.0})
    assert figure == plain  # the figure is that of the words alone
    network.reset()
    torch.manual_seed(1)
    states = network.states(*batch.sides(both=False))
    output = network.dropped(states)
    assert not torch.equal(output, states)
    expected = output.square().mean() if penalty == "activation" else (states[1:] - states[:-1]).square().mean()
    for a, b, c in zip(with_penalty, without, gradients(network, 2 * expected), strict=True):
        torch.testing.assert_close(a - b, c)
