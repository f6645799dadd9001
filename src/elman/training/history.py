"""What an epoch came to, and the table of all of them."""

import csv
import io
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Epoch:
    """One row of the history; validation figures are None where there is no validation data.

    Attributes:
        epoch: counted from 1.
        seconds: of training, validation not included.
        gradient_norm: mean over the steps, before clipping.
        clipped: share of steps whose gradient norm exceeded `clip_norm`.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    gradient_norm: float
    clipped: float
    seconds: float


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
