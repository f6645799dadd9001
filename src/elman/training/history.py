"""What an epoch came to, the table of all of them, and the clipping that their gradients propose."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import ModelFolderError


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
    """The history that `to_csv` wrote."""
    rows = csv.DictReader(io.StringIO(text))
    return [
        Epoch(**{k: int(v) if k == "epoch" else (float(v) if v else None) for k, v in row.items()})  # type: ignore[arg-type]
        for row in rows
    ]


def read_history(path: Path) -> list[Epoch]:
    """The history in a file, empty if there is none. Raises ModelFolderError if it is damaged."""
    if not path.exists():
        return []
    try:
        return from_csv(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError) as error:
        raise ModelFolderError(f"{path}: expected one line an epoch, got {error}") from None


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
