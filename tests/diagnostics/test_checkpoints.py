"""A record under checkpoints and hooks, where what was saved is computed or fetched anew, is that without."""

import contextlib

import pytest
import torch
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from elman import diagnostics, nn


class Two(torch.nn.Module):
    def __init__(self, cell, reentrant):
        super().__init__()
        self.lower = nn.CELLS[cell](3, 8, batch_first=True, bidirectional=True)
        self.upper = nn.CELLS[cell](16, 8, 2, batch_first=True)
        self.reentrant = reentrant

    def forward(self, x):
        for layer in (self.lower, self.upper):
            x = x if self.reentrant is None else x.requires_grad_()
            call = lambda x, layer=layer: layer(x, lengths=[7, 5, 2, 0])[0]  # noqa: E731
            x = call(x) if self.reentrant is None else checkpoint(call, x, use_reentrant=self.reentrant)
        return x


def norms(cell, reentrant, context):
    torch.manual_seed(0)
    model, x = Two(cell, reentrant), torch.randn(4, 7, 3)
    with diagnostics.record(model) as flow, context:
        model(x).square().sum().backward()
    return {name: [trace.dh_norm for trace in traces] for name, traces in flow.traces.items()}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "indrnn", "layer_gru", "clockwork", "dilated_lstm"])
def test_the_traces_are_the_same(cell):
    expected = norms(cell, None, contextlib.nullcontext())
    for reentrant, context in (
        (True, contextlib.nullcontext()),
        (False, contextlib.nullcontext()),
        (False, set_checkpoint_early_stop(False)),
        (None, torch.autograd.graph.save_on_cpu()),
    ):
        torch.testing.assert_close(norms(cell, reentrant, context), expected)
