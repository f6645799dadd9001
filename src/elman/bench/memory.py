"""Which networks remember: every task, length, variant and seed asked for, each run once."""

import multiprocessing
import signal
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ..errors import UsageError
from ..report import write_memory
from ..settings import WIDEST, shown, within
from ..training import run_folder
from . import results
from ._task import bounds
from .run import Spec, run, usual_width
from .tasks import TASKS
from .variants import DEFAULT_VARIANTS, VARIANTS

RESULTS = "memory.jsonl"
DEFAULT_TASKS = ("temporal-order", "adding", "copy", "memorization", "digits", "permuted-digits")


class Events(Protocol):
    """Is told how the runs go."""

    def planned(self, runs: int, done: int) -> None: ...

    def progress(self, spec: Spec, updates: int, most: int, error: float) -> None: ...

    def finished(self, row: dict[str, Any]) -> None: ...


def memory(
    out: str | Path,
    *,
    tasks: Sequence[str] = DEFAULT_TASKS,
    variants: Sequence[str] = DEFAULT_VARIANTS,
    lengths: Sequence[str] = (),
    seeds: int = 5,
    jobs: int = 1,
    events: Events | None = None,
    **limits: Any,
) -> list[dict[str, Any]]:
    """Run what has no result in `out`/memory.jsonl yet, or one of a lower limit; returns all rows of the file.

    Args:
        lengths: "100", or "50-200" for lengths drawn between the two; each task's own if none are given. The digits and
            the music have the length of their data.
        seeds: runs of each, with the seeds 0 to seeds - 1.
        jobs: processes at once.
        limits: updates, seconds, hidden_size, threads, also, data and keep of each `Spec`.
    Raises:
        UsageError: an unknown name, a length or number that cannot be; another width, or lengths to be measured
            too, than the results have.
        DataError: the music is not there, or the results cannot be read.
        RunFolderError: a folder cannot be written.
    """
    within("seeds", seeds, 1, _MOST_SEEDS)
    within("jobs", jobs, 1)
    specs = list(plan(tasks, variants, lengths, seeds, **limits))
    for folder in filter(None, (Path(out), limits.get("keep"))):
        run_folder.make(folder)
    path = Path(out) / RESULTS
    done = {results.key(row): row for row in results.read(path)}
    for spec in specs:
        _check_alike(spec, done, path)
    waiting = [spec for spec in specs if spec.key() not in done or _may_go_further(spec, done[spec.key()])]
    if events is not None:
        events.planned(len(specs), len(specs) - len(waiting))
    for row in _all(waiting, jobs, events):
        results.add(path, row)
        if events is not None:
            events.finished(row)
    return results.read(path)


_MOST_SEEDS = 10_000  # all runs are planned before the first
_MOST_THREADS = 1024
_LONGEST = 10**7  # steps, whose sequences fill gigabytes


def plan(
    tasks: Sequence[str], variants: Sequence[str], lengths: Sequence[str], seeds: int, **limits: Any
) -> Iterator[Spec]:
    """Every run, the seeds outermost, so that a first answer to everything comes early."""
    _known("task", tasks, TASKS)
    _known("variant", variants, VARIANTS)
    for name in ("updates", "seconds"):
        within(name, limits.get(name, 0), 0)
    within("hidden_size", limits.get("hidden_size", 0), 0, most=WIDEST)
    within("threads", limits.get("threads", 1), 1, most=_MOST_THREADS)
    own = {name: TASKS[name](limits.get("data")) for name in tasks}
    for length in (*lengths, *map(str, limits.get("also", ()))):
        _checked(length)
    for seed in range(seeds):
        for name, task in own.items():
            updates = limits.get("updates") or task.updates
            for length in task.lengths if task.lengths == ("data",) else lengths or task.lengths:
                for variant in variants:
                    yield Spec(name, variant, length, seed, **{**limits, "updates": updates})


def _may_go_further(spec: Spec, row: results.Row) -> bool:
    """Whether a run that was ended by a limit may take more of both now."""
    limited = row["outcome"] in ("updates", "seconds")
    return limited and spec.updates > row["updates"] and not 0 < spec.seconds <= row["seconds"]


def _check_alike(spec: Spec, done: dict[tuple[Any, ...], results.Row], path: Path) -> None:
    """Raises UsageError if there is a result of this run, or of another of its seeds, that was asked for otherwise."""
    which = f"{path}: {spec.task} {spec.length} {spec.variant}"
    for (*group, seed), row in done.items():
        if group != list(spec.key()[:3]):
            continue
        width = spec.hidden_size or usual_width(spec.task, spec.variant, spec.data)
        if row["hidden_size"] != width:
            raise UsageError(
                f"{which} seed {seed} was run with hidden_size {row['hidden_size']}, not {width}: name another out"
            )
    row = done.get(spec.key(), {})
    missing = {str(length) for length in spec.also if spec.length != "data"} - row.get("longer", {}).keys()
    if row and missing:
        raise UsageError(
            f"{which} seed {spec.seed} was run without measuring length {min(missing)} too: name another out"
        )


def report(out: str | Path) -> list[dict[str, Any]]:
    """Draw the plots and the tables of `out`/memory.jsonl into `out`; returns the rows of the tables."""
    path = Path(out) / RESULTS
    rows = results.read(path)
    if not rows:
        raise UsageError(f"{path}: there are no results to report")
    table = results.summary(rows)
    write_memory(table, Path(out))
    return table


def _all(waiting: list[Spec], jobs: int, events: Events | None) -> Iterator[dict[str, Any]]:
    if jobs == 1 or len(waiting) < 2:
        for spec in waiting:
            yield run(spec, partial(events.progress, spec)) if events is not None else run(spec)
        return
    # Fresh processes: a fork would take over torch's threads in the middle of their work.
    with multiprocessing.get_context("spawn").Pool(min(jobs, len(waiting)), _ignore_interrupts) as pool:
        yield from pool.imap_unordered(run, waiting)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which ends the pool


def _known(what: str, given: Sequence[str], wanted: Iterable[str]) -> None:
    for name in given:
        if name not in wanted:
            raise UsageError(f"unknown {what} {shown(name)}; there are {', '.join(wanted)}")


def _checked(length: str) -> None:
    try:
        low, high = bounds(length)
    except ValueError:
        low, high = 0, 0
    if not 10 <= low <= high <= _LONGEST:
        raise UsageError(f"a length must be a number from 10 on, or two as in 50-200, got {shown(length)}")
