"""The figure of docs/performance.md: how many times as much each peer takes, one panel per group of cases."""

from pathlib import Path
from typing import Any

from cases import Case
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

COLOURS = {
    "torch": "#c8442b",
    "torch packed": "#e39a8b",
    "onnxruntime": "#2b6cb0",
    "elman packed": "#7a8793",
    "keras on tensorflow": "#d08c2c",
    "keras on jax": "#3d8f5f",
}
INK = "#26292c"
Measured = tuple[Case, dict[str, dict[str, Any]]]


def label(case: Case) -> str:
    size = f"{case.batch}x{case.steps}x{case.inputs}x{case.hidden}"
    directions = "bidirectional" if case.bidirectional else "one direction"
    tail = {"tutorial": "", "single": case.hidden, "step": case.hidden}.get(case.group, size)
    return f"{case.cell} {directions if case.ragged else tail}".strip()


def ratios_of(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, float]]:
    return {peer: rows[peer]["ratio"] for peer in COLOURS if "ratio" in rows.get(peer, {})}


def panel(axes: Axes, title: str, measured: list[Measured]) -> None:
    """Bars from 1, left of which the peer is better; whiskers are the quartiles of the rounds."""
    place, ticks, names = 0.0, [], []
    for case, rows in measured:
        own = ratios_of(rows)
        if own:
            ticks.append(place + (len(own) - 1) / 2)
            names.append(label(case))
        for peer, ratio in own.items():
            middle = ratio["median"]
            whiskers = [[middle - ratio["q25"]], [ratio["q75"] - middle]]
            axes.barh(place, middle - 1, left=1, height=0.9, color=COLOURS[peer], label=peer)
            axes.errorbar(middle, place, xerr=whiskers, color=INK, linewidth=0.8)
            axes.annotate(f"{middle:.2g}", (max(middle, ratio["q75"], 1), place), (3, 0), fontsize=6, va="center",
                          textcoords="offset points", color=INK)  # fmt: skip
            place += 1
        place += 0.7
    axes.set_xscale("log")
    axes.axvline(1, color=INK, linewidth=1)
    axes.set_yticks(ticks, names)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    ends = [ratio[key] for _, rows in measured for ratio in ratios_of(rows).values() for key in ("q25", "q75")]
    axes.set_xlim(min(0.8, *ends) / 1.1, max(1.25, *ends) * 1.3)
    axes.set_title(title, fontsize=9, loc="left", color=INK)
    axes.tick_params(colors=INK, labelsize=7)
    axes.xaxis.set_major_locator(FixedLocator([2.0**power for power in range(-6, 9)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.spines[["top", "right"]].set_visible(False)


def draw(groups: list[tuple[str, list[Measured]]], path: Path) -> None:
    """Two columns of panels, each as high as it has bars."""
    bars = {title: sum("ratio" in row for _, rows in measured for row in rows.values()) for title, measured in groups}
    groups = [(title, measured) for title, measured in groups if bars[title]]
    if not groups:
        return
    columns: list[list[tuple[str, list[Measured]]]] = [[], []]
    for group in sorted(groups, key=lambda g: -bars[g[0]]):
        min(columns, key=lambda column: sum(bars[title] + 6 for title, _ in column)).append(group)
    columns = [column for column in columns if column]
    height = max(sum(bars[title] + 6 for title, _ in column) for column in columns)
    figure = Figure(figsize=(5.2 * len(columns), 1 + 0.15 * height), layout="constrained", dpi=130)
    for side, column in zip(figure.subfigures(1, len(columns), squeeze=False)[0], columns, strict=True):
        sizes = [bars[title] + 4 for title, _ in column]
        panels = side.subplots(len(column), 1, squeeze=False, height_ratios=sizes)
        for axes, (title, measured) in zip(panels[:, 0], column, strict=True):
            panel(axes, title, measured)
    handles = {n: h for axes in figure.axes for h, n in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=6, fontsize=7, frameon=False)
    figure.suptitle("Time or memory of the peer over ours (log scale; right of the line ours is better)", fontsize=10)
    figure.savefig(path)
