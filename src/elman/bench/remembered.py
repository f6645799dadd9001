"""How far back a network reaches, in steps, on the sequences of a task: the diagnostics' effective memory."""

from typing import Any

import torch

from ..diagnostics import effective_memory, jacobian_norms, plain, record
from ..errors import UsageError
from ._task import Batch, Task
from .network import SequenceNetwork


def remembered(network: SequenceNetwork, task: Task, batch: Batch) -> dict[str, Any] | None:
    """`steps`, `end` and `projected` of `elman.diagnostics.Memory`, of the layer that reaches furthest.

    None for a layer that is not recorded (SCRN). The network's gradients are lost.
    """
    network.zero_grad()
    with record(network) as flow:
        task.loss(network(batch.inputs), batch).backward()
    network.zero_grad()
    try:
        layers = flow.traces.values()
    except UsageError:
        return None
    # The probes are the same at every call, so that start and end of a run differ by the weights alone.
    found = [effective_memory(jacobian_norms(traces), skip=traces[0].skip) for traces in layers]
    measured: dict[str, Any] = plain(max(found, key=lambda memory: memory.projected)._asdict())
    return measured


def first_rows(batch: Batch, rows: int = 16) -> Batch:
    """The first sequences of a batch that is not packed; a packed one whole."""
    if not isinstance(batch.inputs, torch.Tensor):
        return batch
    targets = batch.targets[:, :rows] if batch.targets.dim() > 1 else batch.targets[:rows]
    return Batch(batch.inputs[:, :rows], targets)
