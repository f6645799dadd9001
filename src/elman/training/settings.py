"""What can be set about training, and what a legal value is."""

from dataclasses import dataclass

from ..errors import UsageError
from ..settings import choose, setting, within

OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
PRECISIONS = ("float32", "bfloat16")
SCHEDULES = ("constant", "step", "cosine", "triangular", "plateau")


def check_watched(settings: "TrainingSettings", watched: bool) -> None:
    """Raises UsageError if there is nothing to watch for what waits until the validation loss stops falling."""
    waiting = ["schedule plateau"] * (settings.schedule == "plateau")
    waiting += ["average_on_plateau"] * bool(settings.average_on_plateau)
    if waiting and not watched:
        raise UsageError(
            f"expected validation data for {' and '.join(waiting)}, got none: give some or hold a share out"
        )


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of the training loop.

    `step` multiplies the rate by `decay` after every epoch from `decay_start` on (Zaremba et al. 2014); `plateau` after
    an epoch that did not lower the validation loss; `triangular` rises over a tenth of the steps from a 32nd of the
    rate and falls to it over the rest (Howard & Ruder 2018, eq. 3). Clipping by norm is that of Pascanu et al. (2013).
    A rate or weight that falls as 1/t has fallen to a half after so many steps.
    """

    epochs: int = setting(10, "Passes over the training data at most.")
    optimizer: str = setting("adam", f"One of {', '.join(OPTIMIZERS)}.")
    learning_rate: float = setting(1e-3, "Highest learning rate.")
    momentum: float = setting(0.0, "Of sgd.")
    weight_decay: float = setting(0.0, "L2 penalty, or decoupled decay with adamw.")
    precision: str = setting(
        "float32",
        f"Of the factors of matrix products: {', '.join(PRECISIONS)}; faster with AMD's AVX512_BF16 or Intel's AMX.",
    )
    schedule: str = setting("constant", f"Course of the learning rate: {', '.join(SCHEDULES)}.")
    decay: float = setting(0.5, "Factor of the schedules step and plateau.")
    decay_start: int = setting(1, "Epochs at the full rate before the schedule step decays it.")
    warmup: int = setting(0, "Steps over which the learning rate rises from zero.")
    clip_norm: float = setting(0.0, "Largest global norm of the gradient; 0 for none.")
    clip_value: float = setting(0.0, "Largest absolute gradient element; 0 for none.")
    information_flow_decay: int = setting(
        0, "Steps until information_flow's weight is halved, falling as 1/t; 0: held."
    )
    average: float = setting(0.0, "Decay of the running average of the weights; 0 for none.")
    average_on_plateau: int = setting(
        0, "A validation loss above one from more epochs ago starts a plain average of the weights; 0: never."
    )
    patience: int = setting(
        0, "Epochs without a better validation score before stopping, once the rate has risen; 0: never."
    )
    seed: int = setting(0, "Of the split, the initial weights, the order and the dropout.")

    def __post_init__(self) -> None:
        choose("optimizer", self.optimizer, OPTIMIZERS)
        choose("precision", self.precision, PRECISIONS)
        choose("schedule", self.schedule, SCHEDULES)
        within("epochs", self.epochs, 1)
        within("learning_rate", self.learning_rate, 0, above=True)
        within("decay", self.decay, 0, 1, above=True)
        within("average", self.average, 0, 1, below=True)
        within("momentum", self.momentum, 0, 1, below=True)
        for name in ("weight_decay", "decay_start", "warmup", "clip_norm", "clip_value", "patience"):
            within(name, getattr(self, name), 0)
        within("seed", self.seed, 0, 2**32 - 1)  # as far as scikit-learn's go
        for name in ("information_flow_decay", "average_on_plateau"):
            within(name, getattr(self, name), 0)
        if self.average and self.average_on_plateau:
            raise UsageError("average and average_on_plateau are two averages of the weights: set one of them to 0")
