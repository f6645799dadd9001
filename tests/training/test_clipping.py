"""Gradient norms as they are logged, the share of clipped steps, and the threshold that the norms propose."""

import math
import statistics

import pytest

from elman.training import Epoch, Trainer, TrainingSettings, gradient_summary
from training.test_loop import Line, StopAfter, model


class Watch(StopAfter):
    """Keeps each logged norm, and of the gradients after clipping the norm and the largest element."""

    def __init__(self):
        self.norms, self.left, self.largest = [], [], []

    def step_done(self, step, network):
        self.norms.append(step.gradient_norm)
        self.left.append(math.sqrt(sum(p.grad.square().sum().item() for p in network.parameters())))
        self.largest.append(max(p.grad.abs().max().item() for p in network.parameters()))


def watched(**settings):
    watch = Watch()
    (epoch,) = Trainer(model(), Line(), TrainingSettings(epochs=1, **settings), listeners=[watch]).fit()
    return epoch, watch


def test_figures_are_those_of_the_gradients():
    epoch, watch = watched(clip_norm=0.8)
    assert watch.left == pytest.approx([min(norm, 0.8) for norm in watch.norms], rel=1e-4)
    assert epoch.gradient_norm == pytest.approx(statistics.mean(watch.norms))
    assert epoch.gradient_norm_median == pytest.approx(statistics.median(watch.norms))
    *_, ninth = statistics.quantiles(watch.norms, n=10, method="inclusive")
    assert epoch.gradient_norm_90 == pytest.approx(ninth)
    assert epoch.clipped == pytest.approx(sum(n > 0.8 for n in watch.norms) / len(watch.norms))
    assert 0 < epoch.clipped < 1 and epoch.gradient_norm_median < epoch.gradient_norm_90


def test_steps_clipped_by_value_count_too():
    _, free = watched(learning_rate=1e-9)
    limit = statistics.median(free.largest)
    epoch, held = watched(learning_rate=1e-9, clip_value=limit)
    assert epoch.clipped == sum(largest > limit for largest in free.largest) / len(free.largest) > 0
    assert max(held.largest) == pytest.approx(limit)


def history(*rows):
    """Epochs of which only the gradients' figures matter: mean, median, 90 %, clipped."""
    return [Epoch(i, 0.5, 0.7, None, None, 1e-3, *row, 1.0) for i, row in enumerate(rows, 1)]


def test_the_mean_norm_is_proposed():
    summary = gradient_summary(history((3.0, 2.0, 5.0, 0.5), (1.22, 1.0, 2.0, 0.0)), clip_norm=4.0)
    assert summary == pytest.approx(
        {"mean": 2.11, "median": 1.5, "quantile_90": 3.5, "clipped": 0.25, "clip_norm": 4.0, "proposed_clip_norm": 2.1}
    )


def test_exploding_steps_do_not_make_the_proposal():
    assert gradient_summary(history((9.9, 1.0, 3.0, 0.0)), 0.0)["proposed_clip_norm"] == 9.9
    assert gradient_summary(history((1e6, 1.0, 3.0, 0.0)), 0.0)["proposed_clip_norm"] == 1.0
