"""What a person sees while a command works: progress on stderr, tables on stdout."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..language import perplexity_of
from ..training import Epoch, FitEvents, Step, to_json

# Neither brackets nor colons are markup: paths, class names and texts have them.
_PLAIN: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
out = Console(**_PLAIN)
err = Console(stderr=True, **_PLAIN)


def json_line(value: Any) -> str:
    """As JSON in one line, with escapes where standard output cannot show a character."""
    line = to_json(value)
    try:
        line.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return to_json(value, ensure_ascii=True)
    return line


def bar(*columns: ProgressColumn) -> Progress:
    """A bar on stderr that goes when it is done; none where stderr is no terminal."""
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


class _Notes(logging.Handler):
    """What the readers have to say, each sentence once."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._shown: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        sentence = record.getMessage()
        if sentence not in self._shown:
            self._shown.add(sentence)
            err.print(sentence)


@contextmanager
def reading_notes() -> Iterator[None]:
    """Shows inside what was passed over and what spans lines, which the library gives to the logger "elman.text"."""
    logger, handler = logging.getLogger("elman.text"), _Notes()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


class _Figures(ProgressColumn):
    """What the newest step says of the epoch so far; of a language model, which counts no right answers, perplexity."""

    def render(self, task: Task) -> Text:
        step, rate = task.fields["step"], task.fields["rate"]
        if step is None:
            return Text("")
        if step.accuracy is None:
            return Text(f"perplexity {perplexity_of(step.loss):.1f}  {rate:,.0f} words/s")
        return Text(f"loss {step.loss:.4f}  accuracy {step.accuracy:.4f}  {rate:,.0f} texts/s")


class TrainingProgress(FitEvents):
    """Stages, a live bar per epoch and a line when it is done; lines only where stderr is no terminal."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: Any = None
        self._started = self._first = 0.0

    def stage(self, name: str) -> None:
        err.print(f"{name} …", style="dim")

    def found(self, sentence: str) -> None:
        err.print(sentence)

    def epoch_started(self, epoch: int, first_step: int, steps: int) -> None:
        self._started, self._first = time.monotonic(), -1
        self._bar = bar(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%"),
            _Figures(),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("", total=steps, completed=first_step, epoch=epoch, step=None, rate=0)
        self._bar.start()

    def step_done(self, step: Step, model: torch.nn.Module) -> None:
        assert self._bar is not None
        if self._first < 0:
            self._first = step.examples
        rate = (step.examples - self._first) / max(1e-9, time.monotonic() - self._started)
        self._bar.update(self._task, completed=step.in_epoch, step=step, rate=rate)

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        self.close()
        best = "  best so far" if is_best else ""
        err.print(f"epoch {epoch.epoch:>2}  {_epoch_line(epoch)}  {epoch.seconds:.1f} s{best}")

    def reached(self, count: int) -> None:
        """A count that moves on."""
        if err.is_terminal:
            err.print(f"{count:,} tokens", style="dim", end="\r")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _epoch_line(epoch: Epoch) -> str:
    if epoch.train_accuracy is None:
        line = f"train perplexity {perplexity_of(epoch.train_loss):.1f}"
        return (
            line if epoch.validation_loss is None else f"{line}  validation {perplexity_of(epoch.validation_loss):.1f}"
        )
    line = f"train loss {epoch.train_loss:.4f} accuracy {epoch.train_accuracy:.4f}"
    if epoch.validation_loss is None:
        return line
    return f"{line}  validation loss {epoch.validation_loss:.4f} accuracy {epoch.validation_accuracy:.4f}"


def table_of(*columns: str, left: tuple[str, ...], gap: int = 1, no_wrap: bool = False) -> Table:
    """An empty table; the columns of words stand to the left, those of figures to the right."""
    table = Table(box=None, padding=(0, gap), header_style="bold")
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right", no_wrap=no_wrap)
    return table


def figure(value: float | None, form: str) -> str:
    """A number in this format, or a dash where there is none."""
    return "-" if value is None else format(value, form)


def metrics_table(metrics: dict[str, dict[str, Any]]) -> Table:
    """One row per split."""
    names = ("split", "texts", "accuracy", "macro F1", "log-loss", "calibration error")
    table = table_of(*names, left=("split",), gap=2)
    for split, m in metrics.items():
        figures = [f"{m[k]:.4f}" for k in ("accuracy", "macro_f1", "loss", "ece")]
        table.add_row(split, f"{m['rows']:,}", *figures)
    return table


def class_table(metrics: dict[str, Any]) -> Table:
    """One row per class."""
    table = table_of("class", "precision", "recall", "F1", "texts", left=("class",), gap=2)
    for row in metrics["per_class"]:
        figures = [f"{row[k]:.3f}" for k in ("precision", "recall", "f1")]
        table.add_row(row["class"], *figures, f"{row['rows']:,}")
    return table
