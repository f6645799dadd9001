"""What can be set about training, and what a legal value is."""

from dataclasses import dataclass

from ..errors import UsageError

OPTIMIZERS = ("sgd", "rmsprop", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine", "plateau")


@dataclass(frozen=True)
class TrainingSettings:
    """
    Attributes:
        epochs: passes over the training data at most.
        optimizer: sgd, rmsprop, adam or adamw.
        learning_rate: its highest value.
        momentum: of sgd.
        weight_decay: L2 penalty (sgd, rmsprop, adam) or decoupled decay (adamw).
        schedule: constant; step: multiplied by `decay` after every epoch from `decay_start` on (Zaremba et al. 2014);
            cosine: to zero over all steps; plateau: multiplied by `decay` after an epoch that did not lower the
            validation loss.
        warmup: steps over which the rate rises from zero.
        clip_norm: largest global norm of the gradient (Pascanu et al. 2013); 0 for none.
        clip_value: largest absolute value of a gradient element; 0 for none.
        information_flow_decay: steps after which the weight of the layers' information-flow regulariser (their
            attribute `information_flow`) has fallen to a half, on its way down as 1/t; 0 to hold it.
        average: decay of the exponential average of the weights that is evaluated and kept; 0 for none.
        patience: epochs without a better validation score before stopping; 0 for never.
        seed: of initial weights, order of the texts and dropout.
    """

    epochs: int = 10
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    decay: float = 0.5
    decay_start: int = 1
    warmup: int = 0
    clip_norm: float = 0.0
    clip_value: float = 0.0
    information_flow_decay: int = 0
    average: float = 0.0
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        choose("optimizer", self.optimizer, OPTIMIZERS)
        choose("schedule", self.schedule, SCHEDULES)
        within("epochs", self.epochs, 1)
        within("learning_rate", self.learning_rate, 0, above=True)
        within("decay", self.decay, 0, 1, above=True)
        within("average", self.average, 0, 1, below=True)
        within("momentum", self.momentum, 0, 1, below=True)
        for name in ("weight_decay", "decay_start", "warmup", "clip_norm", "clip_value", "patience", "seed"):
            within(name, getattr(self, name), 0)
        within("information_flow_decay", self.information_flow_decay, 0)


def choose(name: str, given: str, wanted: tuple[str, ...]) -> None:
    """Raises UsageError unless the value is one of those wanted."""
    if given not in wanted:
        raise UsageError(f"{name} must be one of {', '.join(wanted)}, got {given!r}")


def within(
    name: str,
    given: float,
    low: float,
    high: float = float("inf"),
    *,
    above: bool = False,
    below: bool = False,
) -> None:
    """Raises UsageError unless low <= value <= high; `above` and `below` leave out the ends."""
    fits = (given > low if above else given >= low) and (given < high if below else given <= high)
    if not fits:
        bounds = f"{'above' if above else 'at least'} {low:g}"
        if high < float("inf"):
            bounds += f" and {'below' if below else 'at most'} {high:g}"
        raise UsageError(f"{name} must be {bounds}, got {given:g}")
