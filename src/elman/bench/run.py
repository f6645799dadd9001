"""One run: a network on a task until it is solved or a limit is reached."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Generator

from .. import __version__
from ..nn import current_generator, drawing_from
from ..training import build_optimizer, clip, run_folder, write_tensors
from ._task import Task, between, bounds
from .network import SequenceNetwork
from .remembered import first_rows, remembered
from .tasks import TASKS
from .variants import CLIPPED, VARIANTS, Variant


@dataclass(frozen=True)
class Spec:
    """What is run; the first four fields say which run it is, the rest how long and how large.

    Attributes:
        updates: most updates; 0 for the task's own limit.
        seconds: most seconds of training; 0 for no limit.
        hidden_size: H; 0 for the task's own.
        threads: of torch.
        also: lengths at which the trained network is measured too.
        data: folder of the data files.
        keep: folder to leave the weights in, as TASK-LENGTH-VARIANT-SEED.safetensors.
    """

    task: str
    variant: str
    length: str
    seed: int
    updates: int = 0
    seconds: float = 0.0
    hidden_size: int = 0
    threads: int = 1
    also: tuple[int, ...] = ()
    data: Path | None = None
    keep: Path | None = None

    def key(self) -> tuple[str, str, str, int]:
        """Which run it is."""
        return self.task, self.variant, self.length, self.seed


_EASY = 5  # goals: sequences may grow longer when the figure is below


Progress = Callable[[int, int, float], None]  # updates done, most updates, newest figure


def run(spec: Spec, progress: Progress = lambda done, most, error: None) -> dict[str, Any]:
    """Train and measure; returns the row of the results.

    The row holds the fields of `Spec.key` and: `outcome` (solved, updates, patience, seconds or diverged), `solved`
    (`error` is below the goal; None where the task has none), `error` of the kept weights on the test sequences,
    `measure`, `goal`, `guess`, `memory` (see `remembered`; at `start` and `end`), `updates` and `seconds` used,
    `curve` (the figure on the validation sequences at every `check_every` updates and after the last), `longer`
    (the figure by length), `hidden_size`, `parameters` of the layer, `batch_size`, `options`, `weight_noise`,
    `optimizer`, `learning_rate`, `clip_norm`, `threads`, `elman`, `torch`.
    """
    threads, flushes = torch.get_num_threads(), _flushes_denormals()
    torch.set_num_threads(spec.threads)
    torch.set_flush_denormal(True)  # a gradient that vanishes does so through denormals, which products take for ages
    try:
        with drawing_from(Generator().manual_seed(spec.seed)):
            task = TASKS[spec.task](spec.data)
            variant = VARIANTS[spec.variant]
            return _Training(spec, task, variant, progress).row()
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(flushes)


def _flushes_denormals() -> bool:
    """Torch does not say, but shows it."""
    return bool((torch.tensor([1e-310], dtype=torch.float64) * 1).item() == 0)


def build(task: Task, variant: Variant, hidden_size: int = 0, longest: int = 0) -> SequenceNetwork:
    """A new network for a task, with H as given, or the task's own, for sequences of at most `longest` steps."""
    layer = variant.layer(task.input_size, hidden_size or _usual(task, variant), longest)
    network = SequenceNetwork(layer, task.output_size, task.every_step)
    if variant.start is not None:
        variant.start(network)
    return network


@cache
def usual_width(task: str, variant: str, data: Path | None) -> int:
    """H of a run that asks for none."""
    return _usual(TASKS[task](data), VARIANTS[variant])


def _usual(task: Task, variant: Variant) -> int:
    """The task's own H, or the largest whose layer has at most `task.parameters` parameters."""
    if task.hidden_size:
        return task.hidden_size
    size = 10
    while _count(variant.layer(task.input_size, size + 1, 0)) <= task.parameters:
        size += 1
    return size


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


class _Training:
    def __init__(self, spec: Spec, task: Task, variant: Variant, progress: Progress) -> None:
        self.spec, self.task, self.variant, self.settings = spec, task, variant, variant.settings
        self.asked = bounds(spec.length)
        self.lengths = (self.asked[0],) * 2 if variant.growth else self.asked  # of the sequences now learned from
        self.network = build(task, variant, spec.hidden_size, self.asked[1])
        self.optimizer = build_optimizer(self.network.parameters(), self.settings)
        self.most = spec.updates or task.updates
        self.progress = progress
        # Streams of their own, so that how often is measured does not change what is learned from.
        self.random = {
            split: Generator().manual_seed(3 * spec.seed + part)
            for part, split in enumerate(("train", "validation", "test"))
        }
        self.curve: list[float] = []
        self.best = math.inf
        self.decided: float | None = None  # figure on the test sequences of the weights that solved the task
        self._keep()
        self.updates = 0

    def row(self) -> dict[str, Any]:
        spec, task = self.spec, self.task
        memory = {"start": self._remembered()}
        started = time.monotonic()
        outcome = self._train(started)
        seconds = time.monotonic() - started
        self.network.load_state_dict(self.weights)
        memory["end"] = self._remembered()
        if spec.keep is not None:
            run_folder.make(spec.keep)
            name = f"{spec.task}-{spec.length}-{spec.variant}-{spec.seed}.safetensors"
            write_tensors(spec.keep / name, self.weights, {})
        error = self._measure("test", self.asked) if self.decided is None else self.decided
        if task.goal is not None and error < task.goal:
            outcome = "solved"
        also = () if task.lengths == ("data",) else spec.also
        longer = {str(length): _rounded(self._measure("test", (length, length))) for length in also}
        return {
            **dict(zip(("task", "variant", "length", "seed"), spec.key(), strict=True)),
            "outcome": outcome,
            "solved": None if task.goal is None else outcome == "solved",
            "measure": task.measure,
            "error": _rounded(error),
            "goal": task.goal,
            "guess": task.guess,
            "memory": memory,
            "updates": self.updates,
            "seconds": round(seconds, 1),
            "check_every": task.check_every,
            "curve": [_rounded(value) for value in self.curve],
            "longer": longer,
            "hidden_size": self.network.layer.hidden_size,
            "parameters": _count(self.network.layer),
            "batch_size": task.batch_size,
            "options": self.variant.options,
            "weight_noise": self.variant.weight_noise,
            "optimizer": self.variant.settings.optimizer,
            "learning_rate": self.variant.settings.learning_rate,
            "clip_norm": self.variant.settings.clip_norm,
            "threads": spec.threads,
            "elman": __version__,
            "torch": torch.__version__,
        }

    def _train(self, started: float) -> str:
        """Returns why it ended; leaves the weights of the best check, or those that solved the task."""
        task = self.task
        stale = 0
        while self.updates < self.most:
            if not self._update():
                return "diverged"
            if self.updates % task.check_every and self.updates < self.most:
                continue
            error = self._measure("validation", self.lengths)
            self.curve.append(error)
            self.progress(self.updates, self.most, error)
            if self.lengths != self.asked and task.goal is not None and error < _EASY * task.goal:
                self._grow()
                continue
            stale = 0 if error < self.best else stale + 1
            if error < self.best or (task.goal is not None and error < task.goal):
                self.best = min(error, self.best)
                self._keep()
            if task.goal is not None and error < task.goal and self._holds(task.goal):
                self._settle(task.goal)
                return "solved"
            if task.patience and stale >= task.patience:
                return "patience"
            if self.spec.seconds and time.monotonic() - started > self.spec.seconds:
                return "seconds"
        return "updates"

    def _update(self) -> bool:
        """Whether training can go on."""
        task, random = self.task, self.random["train"]
        batch = task.draw(between(self.lengths, random), task.batch_size, random)
        self.optimizer.zero_grad(set_to_none=True)
        with self._noisy_weights():
            task.loss(self.network(batch.inputs), batch).backward()
        if math.isfinite(clip(list(self.network.parameters()), self.settings)):
            self.optimizer.step()
        elif not self.settings.clip_norm:
            return False
        self.updates += 1
        return True

    @contextmanager
    def _noisy_weights(self) -> Iterator[None]:
        """The variant's noise on the weights, gone again afterwards."""
        deviation = self.variant.weight_noise
        weights = [p for name, p in self.network.named_parameters() if deviation and "weight" in name]
        before = [weight.detach().clone() for weight in weights]
        with torch.no_grad():
            for weight in weights:
                noise = torch.empty_like(weight).normal_(generator=current_generator())
                weight.add_(noise, alpha=deviation)
        yield
        with torch.no_grad():
            for weight, kept in zip(weights, before, strict=True):
                weight.copy_(kept)

    def _remembered(self) -> dict[str, Any] | None:
        """On sequences of its own, the same before and after training."""
        generator = Generator().manual_seed(3 * self.spec.seed + 2)
        longest = self.asked[1]
        batch = next(iter(self.task.held_out("validation", (longest, longest), generator)))
        return remembered(self.network, self.task, first_rows(batch))

    def _keep(self) -> None:
        self.weights = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}

    def _grow(self) -> None:
        """Sequences up to a longer length from now on; what did best on shorter ones is no measure any more.

        The rate falls as 1 / longest: a gradient that comes from further back is steeper.
        """
        low, high = self.lengths
        high = min(self.asked[1], max(high + 1, int(high * self.variant.growth)))
        self.lengths, self.best = (low, high), math.inf
        self._keep()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * low / high

    def _settle(self, goal: float) -> None:
        """The variant's updates without information flow; what they spoil is not kept."""
        if not self.variant.settling:
            return
        self.network.layer.information_flow = 0.0
        self.settings = CLIPPED
        self.optimizer = build_optimizer(self.network.parameters(), self.settings)
        self.most = self.updates + self.variant.settling
        for left in range(self.variant.settling, 0, -1):
            for group in self.optimizer.param_groups:
                group["lr"] = self.settings.learning_rate * left / self.variant.settling
            self._update()
            if left % self.task.check_every == 1:
                self.curve.append(self._measure("validation", self.asked))
                self.progress(self.updates, self.most, self.curve[-1])
        if self._measure("validation", self.asked) < goal and self._holds(goal):
            self._keep()

    def _holds(self, goal: float) -> bool:
        """Whether the weights meet the goal on the test sequences, whose figure is then that of the run."""
        figure = self._measure("test", self.asked)
        if figure < goal:
            self.decided = figure
        return figure < goal

    @torch.no_grad()
    def _measure(self, split: str, lengths: tuple[int, int]) -> float:
        self.network.eval()
        total, count = 0.0, 0
        for batch in self.task.held_out(split, lengths, self.random[split]):
            part, size = self.task.error(self.network(batch.inputs), batch)
            total, count = total + part, count + size
        self.network.train()
        return total / count if math.isfinite(total) else math.inf


def _rounded(value: float) -> float | None:
    """Four digits; None for what JSON cannot say."""
    return float(f"{value:.4g}") if math.isfinite(value) else None
