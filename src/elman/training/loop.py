"""The training loop: batches in, weights and a history out; it knows losses, not texts."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import DivergedError
from . import checkpoint
from .history import Epoch, best_epoch, gradient_summary
from .interrupt import StopRequest
from .machine import Machine, continued
from .optimize import build_optimizer, clip, exceeds_value, information_flow, learning_rate, products_in, rising_steps
from .settings import TrainingSettings

_CHECKPOINT_SECONDS = 30.0
_GOOD_EVERY = 100  # steps of the first epoch between two sets of weights to fall back on


class Task(Protocol):
    """What is learned: batches, their loss, and how good the model is."""

    def batches(self, epoch: int) -> Sequence[Any]:
        """The batches of an epoch in order, the same at every call."""

    def loss(self, model: torch.nn.Module, batch: Any) -> tuple[Tensor, float | None, int]:
        """Mean loss, number of right answers (or their weight) if they are counted, and number of examples.

        A batch may have an attribute `rate_scale`, by which the learning rate of its step is multiplied. A gradient
        that is already in the parameters when this returns is added to that of the loss.
        """

    def validate(self, model: torch.nn.Module) -> dict[str, float] | None:
        """`loss` on the validation data, and `accuracy` if it is counted; None without validation data."""


class Listener:
    """Is told how training goes, and does nothing about it but what a subclass says."""

    def epoch_started(self, epoch: int, first_step: int, steps: int) -> None:
        """An epoch of so many steps begins, or goes on behind its first ones."""

    def step_done(self, step: "Step", model: torch.nn.Module) -> None:
        """A step is taken; its gradients are still in the parameters."""

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        """An epoch is over and validated; the model has the weights that were, averaged ones if there are."""


class FitEvents(Listener):
    """A listener that also hears of the stages before and after training."""

    def stage(self, name: str) -> None:
        """A stage begins: "reading words", "n-grams", ..."""

    def reached(self, count: int) -> None:
        """So many tokens are done in this stage."""

    def found(self, sentence: str) -> None:
        """Something worth knowing before training ends, such as how many words have a vector."""


SILENT = FitEvents()


@dataclass(frozen=True)
class Step:
    """The state after one step; loss and accuracy are running means of the epoch."""

    number: int
    in_epoch: int
    loss: float
    accuracy: float | None
    examples: int
    learning_rate: float
    gradient_norm: float


@dataclass
class _Sums:
    """Running sums of an epoch, its gradient norms, and the rate of its newest step."""

    loss: float = 0.0
    correct: float | None = 0
    count: int = 0
    norms: list[float] = field(default_factory=list)
    clipped: int = 0
    seconds: float = 0.0
    rate: float = 0.0


class Interrupted(Exception):
    """A stop was asked for; the checkpoint is written, if training has begun."""

    def __init__(self, signal: int, in_training: bool = True) -> None:
        super().__init__(signal)
        self.signal, self.in_training = signal, in_training


class Trainer:
    """Trains a model on a task. What a validation does to the model, such as reading a stream, is undone after it.

    Attributes:
        history: the epochs that are done.
        machine: on which the run was begun; None if its checkpoint does not say.

    Args:
        rate_of: factor of a parameter's learning rate, by its name; 1 for all if not given.
        generator: what model and task draw from, whose state a checkpoint holds; torch's global one if not given.
        checkpoint_path: where to leave a checkpoint at every epoch, every half minute and at a stop; None for nowhere.
        fingerprint: identifies settings and data; resuming asks for the same.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        task: Task,
        settings: TrainingSettings,
        *,
        rate_of: Callable[[str], float] = lambda name: 1.0,
        generator: torch.Generator | None = None,
        checkpoint_path: Path | None = None,
        fingerprint: str = "",
        listeners: Sequence[Listener] = (),
        stop: StopRequest | None = None,
    ) -> None:
        self.model, self.task, self.settings = model, task, settings
        self.history: list[Epoch] = []
        self._checkpoint_path, self._fingerprint = checkpoint_path, fingerprint
        self._generator = generator or torch.default_generator
        self.machine: Machine | None = Machine.here()
        self._listeners, self._stop = listeners, stop or StopRequest()
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = build_optimizer(_groups(model, rate_of), settings)
        self._average = _parameters_of(model) if settings.average else {}
        self._averaged = 0  # steps in the plain average, once it has begun
        self._flow: list[tuple[Any, float]] = [
            (module, weight) for module in model.modules() if (weight := getattr(module, "information_flow", 0.0))
        ]
        self._best: dict[str, Tensor] = {}
        self._good: tuple[float, int, dict[str, Tensor]] = (math.inf, 0, {})  # loss, steps taken, and those weights
        self._epoch = self._in_epoch = self._steps = 0
        self._sums = _Sums()
        self._saved_at = time.monotonic()

    def resume(self) -> None:
        """Take up the checkpoint. Raises CheckpointError."""
        assert self._checkpoint_path is not None
        groups, progress = checkpoint.load(self._checkpoint_path, self._optimizer, self._generator, self._fingerprint)
        self.model.load_state_dict(groups["weights"])
        self._average, self._best = groups.get("average", {}), groups.get("best", {})
        self._epoch, self._in_epoch, self._steps = progress["epoch"], progress["in_epoch"], progress["steps"]
        self._sums = _Sums(**progress["sums"])
        self._averaged = progress["averaged"]
        self.machine = Machine.read(progress.get("machine"))
        self.history = [Epoch(**epoch) for epoch in progress["history"]]

    def fit(self) -> list[Epoch]:
        """Train to the last epoch or until patience runs out, and leave the best weights in the model.

        A resumed run goes on with the threads and the kernels' tier with which it was begun; see `continued`.

        Raises:
            DivergedError: loss or gradient stopped being a number; the model holds the last good weights.
            Interrupted: a stop was asked for.
        """
        with continued(self.machine) as differences:
            for listener in self._listeners:
                if isinstance(listener, FitEvents):
                    for sentence in differences:
                        listener.found(sentence)
            return self._fit()

    def _fit(self) -> list[Epoch]:
        try:
            while self._epoch < self.settings.epochs and not self._patience_is_out():
                self._train_epoch()
        finally:
            for layer, weight in self._flow:
                layer.information_flow = weight
        self._keep_best()
        return self.history

    def _train_epoch(self) -> None:
        batches = self.task.batches(self._epoch)
        total_steps = self.settings.epochs * len(batches)
        losses = [e.validation_loss for e in self.history if e.validation_loss is not None]
        for listener in self._listeners:
            listener.epoch_started(self._epoch + 1, self._in_epoch, len(batches))
        self.model.train()
        for batch in batches[self._in_epoch :]:
            rate = learning_rate(self.settings, self._steps, total_steps, self._epoch, losses)
            with products_in(self.settings.precision):
                self._step(batch, rate)
            self._save_if_due()
        self._finish_epoch(len(batches))

    def _step(self, batch: Any, rate: float) -> None:
        started = time.monotonic()
        scaled = rate * getattr(batch, "rate_scale", 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = scaled * group["factor"]
        for layer, weight in self._flow:
            layer.information_flow = information_flow(self.settings, self._steps, weight)
        self._optimizer.zero_grad(set_to_none=True)
        loss, correct, count = self.task.loss(self.model, batch)
        loss.backward()
        clipped = exceeds_value(self._parameters, self.settings)
        norm = clip(self._parameters, self.settings)
        value = loss.item()
        if not (math.isfinite(value) and math.isfinite(norm)):
            self._diverged("loss" if not math.isfinite(value) else "gradient", self._in_epoch + 1)
        if not self._best and value < self._good[0] and (self._in_epoch % _GOOD_EVERY == 0 or not self._good[2]):
            self._good = value, self._steps, _copy(self.model)
        self._optimizer.step()
        self._steps += 1
        self._in_epoch += 1
        self._update_average()
        sums = self._sums
        sums.loss += value * count
        sums.correct = None if sums.correct is None or correct is None else sums.correct + correct
        sums.rate = rate
        sums.count += count
        sums.norms.append(norm)
        sums.clipped += clipped or (bool(self.settings.clip_norm) and norm > self.settings.clip_norm)
        sums.seconds += time.monotonic() - started
        accuracy = None if sums.correct is None else sums.correct / sums.count
        report = Step(self._steps, self._in_epoch, sums.loss / sums.count, accuracy, sums.count, rate, norm)
        for listener in self._listeners:
            listener.step_done(report, self.model)

    def _finish_epoch(self, steps: int) -> None:
        with products_in("float32"):
            validation = self._with_average(lambda: self.task.validate(self.model)) or {}
        if not math.isfinite(validation.get("loss", 0.0)):
            self._diverged("validation loss", steps)
        if not all(bool(parameter.isfinite().all()) for parameter in self._parameters):
            self._diverged("weights", steps)
        sums = self._sums
        norms = torch.tensor(sums.norms or [0.0], dtype=torch.float64)
        epoch = Epoch(
            self._epoch + 1,
            sums.loss / max(1, sums.count),
            None if sums.correct is None else sums.correct / max(1, sums.count),
            validation.get("loss"),
            validation.get("accuracy"),
            sums.rate,
            norms.mean().item(),
            norms.quantile(0.5).item(),
            norms.quantile(0.9).item(),
            sums.clipped / max(1, steps),
            sums.seconds,
        )
        self.history.append(epoch)
        is_best = best_epoch(self.history) == len(self.history) - 1
        if is_best:
            self._best = {**_copy(self.model), **{name: tensor.clone() for name, tensor in self._average.items()}}
        self._epoch, self._in_epoch, self._sums = self._epoch + 1, 0, _Sums()
        self._average_if_stuck()

        def tell() -> None:
            for listener in self._listeners:
                listener.epoch_done(epoch, is_best)

        self._with_average(tell)
        self._save()

    def _patience_is_out(self) -> bool:
        if not (self.settings.patience and self.history):
            return False
        epochs, steps_each = len(self.history), self._steps / len(self.history)
        rise = rising_steps(self.settings, round(self.settings.epochs * steps_each)) / max(1, steps_each)
        return epochs - max(best_epoch(self.history) + 1, math.ceil(rise)) >= self.settings.patience

    def _average_if_stuck(self) -> None:
        """Begin the plain average of NT-ASGD (Merity et al. 2018, algorithm 1)."""
        interval = self.settings.average_on_plateau
        losses = [epoch.validation_loss for epoch in self.history if epoch.validation_loss is not None]
        older = losses[: -interval - 1]
        if interval and not self._average and older and losses[-1] > min(older):
            self._average = _parameters_of(self.model)

    def _update_average(self) -> None:
        if not self._average:
            return
        if self.settings.average_on_plateau:
            self._averaged += 1
            decay = 1 - 1 / self._averaged
        else:
            # The first steps count less: (1 + n) / (10 + n) rises to the set decay, as in TensorFlow's moving averages.
            decay = min(self.settings.average, (1 + self._steps) / (10 + self._steps))
        weights = self.model.state_dict()
        with torch.no_grad():
            torch._foreach_lerp_(list(self._average.values()), [weights[name] for name in self._average], 1 - decay)

    def _with_average(self, function: Any) -> Any:
        """Run with the averaged weights in the model, then put everything back."""
        before = _copy(self.model)
        if self._average:
            self.model.load_state_dict({**before, **self._average})
        try:
            return function()
        finally:
            self.model.load_state_dict(before)

    def _keep_best(self) -> None:
        if self._best:
            self.model.load_state_dict(self._best)

    def _diverged(self, what: str, step: int) -> None:
        kept = "those of the step before"
        if self._best:
            self._keep_best()
            kept = f"those of epoch {best_epoch(self.history) + 1}"
        elif self._good[2]:
            self.model.load_state_dict(self._good[2])
            kept = f"those of step {self._good[1]}"
        usual = gradient_summary(self.history, 0)["proposed_clip_norm"] if self.history else 1
        raise DivergedError(
            f"the {what} became infinite or not a number in epoch {self._epoch + 1}, step {step}; the "
            f"weights kept are {kept}. Lower learning_rate (now {self.settings.learning_rate:g}) or set clip_norm "
            f"(now {self.settings.clip_norm:g}; {usual:g} is usual)"
        )

    def _save_if_due(self) -> None:
        if self._stop.signal:
            self._save()
            raise Interrupted(self._stop.signal)
        if time.monotonic() - self._saved_at > _CHECKPOINT_SECONDS:
            self._save()

    def _save(self) -> None:
        if self._checkpoint_path is None:
            return
        progress = {
            "epoch": self._epoch,
            "in_epoch": self._in_epoch,
            "steps": self._steps,
            "averaged": self._averaged,
            "sums": asdict(self._sums),
            "history": [asdict(epoch) for epoch in self.history],
            "machine": Machine.here().described(),
        }
        groups = {"weights": _copy(self.model), "average": self._average, "best": self._best}
        checkpoint.save(self._checkpoint_path, groups, self._optimizer, self._generator, progress, self._fingerprint)
        self._saved_at = time.monotonic()


def _copy(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _parameters_of(model: torch.nn.Module) -> dict[str, Tensor]:
    """Copies, one under each name of a parameter that has several."""
    return {name: p.detach().clone() for name, p in model.named_parameters(remove_duplicate=False)}


def _groups(model: torch.nn.Module, rate_of: Callable[[str], float]) -> list[dict[str, Any]]:
    """The optimizer's groups: the parameters of each factor of the learning rate."""
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups.setdefault(rate_of(name), []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]
