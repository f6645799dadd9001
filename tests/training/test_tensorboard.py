"""The TensorBoard log holds the figures and, per parameter, the gradient's histogram, norm and zeros."""

import pytest
import torch

from elman.training import Listener, TensorBoard, Trainer, TrainingSettings
from training.test_loop import Line, model


def test_what_is_written(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    network = model()
    norms = []

    class Watch(Listener):
        def step_done(self, step, network):
            norms.append(network.weight.grad.norm().item())

    listeners = [TensorBoard(tmp_path, every=2), Watch()]
    history = Trainer(network, Line(), TrainingSettings(epochs=2), listeners=listeners).fit()
    events = reader.EventAccumulator(str(tmp_path), {"histograms": 0, "scalars": 0})
    events.Reload()
    tags = events.Tags()
    assert {"gradient/weight", "gradient/bias"} <= set(tags["histograms"])
    written = [event.value for event in events.Scalars("gradient_norm/weight")]
    assert written == pytest.approx(norms[1::2])
    assert [e.value for e in events.Scalars("epoch/validation_loss")] == pytest.approx(
        [e.validation_loss for e in history]
    )
    for name in ("gradient_norm_median", "gradient_norm_90", "clipped"):
        logged = [e.value for e in events.Scalars(f"epoch/{name}")]
        assert logged == pytest.approx([getattr(e, name) for e in history])
    assert all(e.value == 0 for e in events.Scalars("gradient_zeros/weight"))
    assert torch.isfinite(torch.tensor(written)).all()
