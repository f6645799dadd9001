"""How far networks remember: a table and a plot of success against length, and of the figure where there is no goal."""

from collections.abc import Iterable
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from matplotlib.figure import Figure

from .page import png, write_file
from .plots import COLOURS, clean

_MARKS = "osD^vPX<>"

Row = dict[str, Any]


def write_memory(rows: list[Row], folder: Path) -> Path:
    """memory.md with all tables, and memory-TASK.png for every task; returns the path of the page.

    Args:
        rows: one for each task, length and variant, with `task`, `length`, `variant`, `measure`, `goal`, `guess`,
            `runs`, `solved`, `updates`, `tried` (most updates), `errors` (by seed, None where a run diverged),
            `memory` (steps at `start` and `end`) and `longer` (errors by length).
    """
    for task, own in _by_task(rows).items():
        figure = success(own) if own[0]["goal"] is not None else figures(own)
        write_file(folder / f"memory-{task}.png", png(figure, 120))
    page = folder / "memory.md"
    write_file(page, memory_tables(rows).encode())
    return page


def memory_tables(rows: list[Row]) -> str:
    """One table for each task: a row for each variant and length."""
    parts = []
    for task, own in _by_task(rows).items():
        has_goal = own[0]["goal"] is not None
        longer = list(dict.fromkeys(length for row in own for length in row["longer"]))
        heads = ["variant", "length", "seeds"]
        heads += ["solved", "updates (median of the solved)"] if has_goal else ["updates (median)"]
        heads += [own[0]["measure"], "memory at the start", "at the end", *(f"at length {length}" for length in longer)]
        lines = [f"### {task}", "", f"| {' | '.join(heads)} |", f"| --- |{' --- |' * (len(heads) - 1)}"]
        for row in own:
            cells = [row["variant"], row["length"], str(row["runs"])]
            cells += [f"{row['solved']} of {row['runs']}"] if has_goal else []
            cells += [
                f"none in {row['tried']:,}" if row["updates"] is None else f"{row['updates']:,}",
                spread(row["errors"]),
            ]
            cells += [steps(row["memory"][when]) for when in ("start", "end")]
            cells += [spread(row["longer"].get(length, [])) for length in longer]
            lines.append(f"| {' | '.join(cells)} |")
        goal = f"solved below {own[0]['goal']:g}" if has_goal else ""
        guess = "" if own[0]["guess"] is None else f"without memory {own[0]['guess']:.3g}"
        note = "; ".join(part for part in (own[0]["measure"], goal, guess) if part)
        parts.append("\n".join([*lines, "", f"{note[0].upper()}{note[1:]}.", *agreement(own)]))
    return "\n\n".join(parts) + "\n"


def agreement(rows: list[Row]) -> list[str]:
    """For each length with four variants or more: how far their order by memory is that by the figure (Spearman)."""
    from scipy.stats import spearmanr  # here, because it takes a second and every command loads this file

    lines = []
    for length in dict.fromkeys(row["length"] for row in rows):
        own = [
            (row, [error for error in row["errors"] if error is not None]) for row in rows if row["length"] == length
        ]
        correlations = []
        for when in ("start", "end"):
            pairs = [
                (row["memory"][when], mean(known)) for row, known in own if known and row["memory"][when] is not None
            ]
            if len(pairs) >= 4 and all(len(set(values)) > 1 for values in zip(*pairs, strict=True)):
                correlations.append(
                    f"{spearmanr(pairs).statistic:+.2f} with memory at the {when} over {len(pairs)} variants"
                )
        if correlations:
            lines.append(f"Length {length}, rank correlation of the figure: {', '.join(correlations)}.")
    return lines


def spread(errors: Iterable[float | None]) -> str:
    """Mean and standard deviation of the figures; how many runs diverged."""
    errors = list(errors)
    known = [error for error in errors if error is not None]
    lost = len(errors) - len(known)
    parts = [f"{mean(known):.3g}" + (f" ± {stdev(known):.2g}" if len(known) > 1 else "")] if known else []
    return ", ".join(parts + ([f"{lost} diverged"] if lost else [])) or "-"


def steps(memory: float | None) -> str:
    """Effective memory; beyond 10,000 steps it is as good as without end."""
    return "-" if memory is None else f"{memory:,.0f}" if memory <= 10_000 else "no end"


def success(rows: list[Row]) -> Figure:
    """Share of the seeds that solved the task, by variant; a group of bars for each length."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    lengths = list(dict.fromkeys(row["length"] for row in rows))
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    width = 0.8 / len(variants)
    for place, variant in enumerate(variants):
        own = {row["length"]: row for row in rows if row["variant"] == variant}
        at = [lengths.index(length) + (place - (len(variants) - 1) / 2) * width for length in own]
        shares = [row["solved"] / row["runs"] for row in own.values()]
        colour = COLOURS[place % len(COLOURS)]
        axes.bar(at, shares, width * 0.9, color=colour, label=variant)
        axes.plot(at, shares, ".", color=colour)  # so that none at all is seen too
    axes.set_xticks(range(len(lengths)), lengths)
    axes.set_ylim(-0.04, 1.05)
    axes.set_xlabel("length")
    axes.set_ylabel("share of seeds that solved it")
    _finish(figure)
    return figure


def figures(rows: list[Row]) -> Figure:
    """The figure of every seed, and their median, by variant."""
    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        known = [error for error in row["errors"] if error is not None]
        colour, mark = COLOURS[place % len(COLOURS)], _MARKS[place % len(_MARKS)]
        axes.plot([place] * len(known), known, mark, color=colour, alpha=0.5)
        if known:
            axes.plot([place - 0.3, place + 0.3], [median(known)] * 2, color=colour)
    axes.set_xticks(range(len(rows)), [row["variant"] for row in rows], rotation=30, ha="right")
    axes.set_ylabel(rows[0]["measure"])
    _finish(figure)
    return figure


def _finish(figure: Figure) -> None:
    for axes in figure.axes:
        clean(axes)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _by_task(rows: list[Row]) -> dict[str, list[Row]]:
    tasks: dict[str, list[Row]] = {}
    for row in rows:
        tasks.setdefault(row["task"], []).append(row)
    return tasks
