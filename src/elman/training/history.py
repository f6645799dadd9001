"""What an epoch came to, the table of all of them, and the clipping that their gradients propose."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import ModelFolderError
from ..settings import shown


@dataclass(frozen=True)
class Epoch:
    """One row of the history; None stands for what was not measured, such as a validation without validation data.

    Attributes:
        epoch: counted from 1.
        seconds: of training, validation not included.
        gradient_norm: mean over the steps, before clipping by norm; then the median, and what 90 % stay below.
        clipped: share of steps whose gradient was clipped, by norm or by value.
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    gradient_norm: float
    gradient_norm_median: float
    gradient_norm_90: float
    clipped: float
    seconds: float


def best_epoch(history: Sequence[Epoch]) -> int:
    """Which epoch's weights are kept: of the highest validation accuracy, the lower loss among equals.

    Without validation data the newest.
    """
    scores = [
        (-math.inf, float(i)) if e.validation_loss is None else (e.validation_accuracy or 0.0, -e.validation_loss)
        for i, e in enumerate(history)
    ]
    return scores.index(max(scores))


def to_csv(history: list[Epoch]) -> str:
    """The history as CSV with a header."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in history)
    return out.getvalue()


def from_csv(text: str) -> list[Epoch]:
    """The history that `to_csv` wrote. Raises ValueError for anything else, also for an empty text."""
    columns = [f.name for f in fields(Epoch)]
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise ValueError(f"no CSV ({error})") from None
    if lines[:1] != [columns]:
        raise ValueError(f"the columns {shown(lines[:1])}")
    history = []
    for line in lines[1:]:
        values = [float(figure) if figure else None for figure in line[1:]]
        if len(line) != len(columns) or not all(value is None or math.isfinite(value) for value in values):
            raise ValueError(f"the line {shown(line)}")
        history.append(Epoch(int(line[0]), *values))  # type: ignore[arg-type]
    if [epoch.epoch for epoch in history] != list(range(1, len(history) + 1)):
        raise ValueError("epochs out of their order")
    return history


def read_history(path: Path) -> list[Epoch]:
    """The history in a file, empty if there is none. Raises ModelFolderError if it is damaged."""
    if not path.exists():
        return []
    try:
        return from_csv(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelFolderError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ModelFolderError(f"{path}: damaged: expected one line an epoch, got {error}") from None


def gradient_summary(history: list[Epoch], clip_norm: float) -> dict[str, float]:
    """Gradient norms over a run, and the clip_norm that they propose.

    Pascanu, Mikolov & Bengio (2013, section 3.2) take the mean norm over many updates and find that thresholds of 0.5
    to 10 times as much do. Proposed is the mean, to two digits; the median where the mean, at more than ten times as
    much, is that of few exploding steps.

    Args:
        clip_norm: the threshold in use.
    Returns:
        mean, median, quantile_90 (means over the epochs), clipped (share of steps), clip_norm, proposed_clip_norm.
    """

    def mean(name: str) -> float:
        return float(sum(getattr(epoch, name) for epoch in history)) / max(1, len(history))

    norm, median = mean("gradient_norm"), mean("gradient_norm_median")
    return {
        "mean": norm,
        "median": median,
        "quantile_90": mean("gradient_norm_90"),
        "clipped": mean("clipped"),
        "clip_norm": clip_norm,
        "proposed_clip_norm": float(f"{norm if norm <= 10 * median else median:.2g}"),
    }
