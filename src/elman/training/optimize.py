"""The optimizer, what changes from step to step (learning rate, regularisation), and clipping."""

import math
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from .settings import TrainingSettings


def build_optimizer(parameters: Iterable[Any], settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimizer that the settings name, of tensors or of groups of them as torch.optim has it."""
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "sgd":
        return torch.optim.SGD(parameters, rate, settings.momentum, weight_decay=decay)
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, rate, alpha=0.9, eps=1e-7, weight_decay=decay)  # Keras's constants
    adam = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return adam(parameters, rate, weight_decay=decay, fused=True)


class _Precision:
    """Torch's switch, which holds for all threads: those that ask for the same share it, others wait."""

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._users, self._current, self._before = 0, "", ""

    def enter(self, precision: str) -> None:
        with self._turn:
            self._turn.wait_for(lambda: not self._users or self._current == precision)
            if not self._users:
                self._current, self._before = precision, torch.get_float32_matmul_precision()
                if precision == "bfloat16":
                    torch.set_float32_matmul_precision("medium")
            self._users += 1

    def leave(self) -> None:
        with self._turn:
            self._users -= 1
            if not self._users:
                torch.set_float32_matmul_precision(self._before)
                self._turn.notify_all()


_outer: ContextVar[str] = ContextVar("outer", default="")  # type of the enclosing block, in this thread
_precisions: dict[int, _Precision] = {}  # by process: a fork copies what other threads hold


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Matrix products of the enclosed code with factors of this type, float32 or bfloat16; sums stay float32.

    A block of another type in another thread waits until none of this type is left. What is no such block, such as a
    prediction in another thread, computes meanwhile in the type of the block.
    """
    switch, outer = _precisions.setdefault(os.getpid(), _Precision()), _outer.get()
    if outer:
        switch.leave()
    switch.enter(precision)
    token = _outer.set(precision)
    try:
        yield
    finally:
        _outer.reset(token)
        switch.leave()
        if outer:
            switch.enter(outer)


def learning_rate(
    settings: TrainingSettings, step: int, total_steps: int, epoch: int, validation_losses: list[float]
) -> float:
    """The rate of one step.

    Args:
        step: steps taken so far, of `total_steps` if training runs to its last epoch.
        epoch: epochs finished so far.
        validation_losses: of the finished epochs, for the plateau schedule.
    """
    rate = settings.learning_rate
    if step < settings.warmup:
        return rate * (step + 1) / settings.warmup
    if settings.schedule == "cosine":
        done = (step - settings.warmup) / max(1, total_steps - settings.warmup)
        return rate * (1 + math.cos(math.pi * done)) / 2
    if settings.schedule == "triangular":
        rise = rising_steps(settings, total_steps)
        share = step / rise if step < rise else 1 - (step - rise) / max(1, total_steps - rise)
        return rate * (1 + share * (_TRIANGLE - 1)) / _TRIANGLE
    if settings.schedule == "step":
        return rate * settings.decay ** max(0, epoch - settings.decay_start + 1)
    if settings.schedule == "plateau":
        best, falls = math.inf, 0
        for loss in validation_losses:
            falls += loss >= best
            best = min(best, loss)
        return rate * settings.decay**falls
    return rate


_TRIANGLE = 32  # the highest rate by the lowest


def rising_steps(settings: TrainingSettings, total_steps: int) -> int:
    """Steps until the learning rate is at its highest."""
    return max(1, total_steps // 10) if settings.schedule == "triangular" else settings.warmup


def information_flow(settings: TrainingSettings, step: int, weight: float) -> float:
    """The weight of the information-flow regulariser at a step, with `step` steps taken so far.

    Pascanu, Mikolov & Bengio (2013) let it fall as 1/t on natural data, once the network has found the long
    dependencies, without giving t's unit: here t = 1 + step / information_flow_decay.
    """
    return weight / (1 + step / settings.information_flow_decay) if settings.information_flow_decay else weight


def exceeds_value(parameters: Sequence[Tensor], settings: TrainingSettings) -> bool:
    """Whether a gradient has an element that clipping by value will change."""
    if not settings.clip_value:
        return False
    gradients = [p.grad for p in parameters if p.grad is not None]
    return bool(torch.nn.utils.get_total_norm(gradients, math.inf) > settings.clip_value)


def clip(parameters: Sequence[Tensor], settings: TrainingSettings) -> float:
    """Clip the gradients in place, by value and then by global norm; returns the norm before clipping by norm."""
    if settings.clip_value:
        torch.nn.utils.clip_grad_value_(parameters, settings.clip_value)
    limit = settings.clip_norm or math.inf
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit))
