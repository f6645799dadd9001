"""elman bench: what networks can do, on tasks with known answers."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from .. import bench as room
from ..errors import UsageError
from ._options import names_in
from ._show import bar, err, figure, out, table_of

bench = typer.Typer(name="bench", help="Measure networks on tasks with known answers.", no_args_is_help=True)


@bench.command()
def memory(
    out_folder: Annotated[Path, typer.Option("--out", help="Folder of the results, memory.jsonl and the plots.")],
    task: Annotated[str, typer.Option(help=f"Tasks, separated by commas: {', '.join(room.TASKS)}.")] = ",".join(
        room.DEFAULT_TASKS
    ),
    variant: Annotated[
        str, typer.Option(help=f"Variants, separated by commas: {', '.join(room.VARIANTS)}.")
    ] = ",".join(room.DEFAULT_VARIANTS),
    length: Annotated[
        str,
        typer.Option(
            help="Lengths, separated by commas: 100, or 50-200 for any between; each task's own if not given."
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(help="Runs of each, with the seeds 0, 1, ...")] = 5,
    data: Annotated[Path | None, typer.Option(help="Folder of the music files, JSB_Chorales.mat and so on.")] = None,
    updates: Annotated[int, typer.Option(help="Most updates of a run; 0 for the task's own limit.")] = 0,
    seconds: Annotated[float, typer.Option(help="Most seconds of training of a run; 0 for no limit.")] = 0,
    hidden_size: Annotated[int, typer.Option(help="Width of the state; 0 for the task's own.")] = 0,
    also: Annotated[str, typer.Option(help="Lengths at which the trained network is measured too.")] = "",
    jobs: Annotated[int, typer.Option(help="Processes at once.")] = 1,
    threads: Annotated[int, typer.Option(help="Threads of each run.")] = 1,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the trained networks too, in OUT/networks.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Run nothing; tables and plots from the results.")] = False,
) -> None:
    """Try recurrent networks on tasks whose answer lies far back; goes on where it was stopped."""
    if not report:
        events = _Runs()
        try:
            room.memory(
                out_folder,
                tasks=names_in(task) or room.DEFAULT_TASKS,
                variants=names_in(variant) or room.DEFAULT_VARIANTS,
                lengths=names_in(length),
                seeds=seeds,
                jobs=jobs,
                events=events,
                updates=updates,
                seconds=seconds,
                hidden_size=hidden_size,
                threads=threads,
                also=_numbers(also),
                data=data,
                keep=out_folder / "networks" if keep else None,
            )
        except KeyboardInterrupt:
            err.print("stopped; the finished runs are kept, go on with the same command")
            raise
        finally:
            events.close()
    rows = room.report(out_folder)
    out.print(_table(rows))
    measures = dict.fromkeys(f"{row['task']} {row['measure']}" for row in rows)
    out.print(f"figure: mean over the seeds of {', '.join(measures)}")
    out.print(f"tables: {out_folder / 'memory.md'}")


class _Runs:
    """A bar over all runs and one over the run at hand; a line for each run that is done."""

    def __init__(self) -> None:
        self._bar = bar(TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
        self._all = self._bar.add_task("runs", total=None)
        self._run = self._bar.add_task("", visible=False)

    def planned(self, runs: int, done: int) -> None:
        err.print(f"{runs} runs, {done} of them done before")
        self._bar.update(self._all, total=runs, completed=done)
        self._bar.start()

    def progress(self, spec: room.Spec, updates: int, most: int, error: float) -> None:
        name = f"{spec.task} {spec.length} {spec.variant} seed {spec.seed}  {error:.4g}"
        self._bar.update(self._run, description=name, completed=updates, total=most, visible=True)

    def finished(self, row: dict[str, Any]) -> None:
        self._bar.advance(self._all)
        which = f"{row['task']} {row['length']} {row['variant']} seed {row['seed']}"
        measured = f"{row['measure']} {figure(row['error'], '.4g')}"
        err.print(f"{which}  {measured}  {row['outcome']} after {row['updates']:,} updates, {row['seconds']:.0f} s")

    def close(self) -> None:
        """Take the bars away."""
        self._bar.stop()


def _table(rows: list[dict[str, Any]]) -> Table:
    """One row for each task, length and variant; the figures are those of the task's measure."""
    names = ("task", "length", "variant", "solved", "updates", "figure")
    table = table_of(*names, left=("task", "variant"), no_wrap=True)
    for row in rows:
        known = [error for error in row["errors"] if error is not None]
        table.add_row(
            row["task"],
            row["length"],
            row["variant"],
            "-" if row["solved"] is None else f"{row['solved']} of {row['runs']}",
            f"none in {row['tried']:,}" if row["updates"] is None else f"{row['updates']:,}",
            figure(sum(known) / len(known) if known else None, ".4g"),
        )
    return table


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(name) for name in names_in(text))
    except ValueError:
        raise UsageError(f"--also takes whole numbers separated by commas, got {text!r}") from None
