"""The tables and the figure of docs/performance.md: `python benchmarks/speed/tables.py [FILE]`."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Any

import results
from cases import OURS, TEXTS, Case, cases

FIGURE = Path(__file__).parents[2] / "docs" / "performance.png"
Row = dict[str, Any]
Rows = dict[str, Row]  # of one case, by peer


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def spread(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['q25']:.2f}-{ratio['q75']:.2f})"


def quantity(row: Row) -> dict[str, float]:
    """Median and quartiles of what was measured: seconds or megabytes."""
    return row["megabytes"] if "megabytes" in row else row["seconds"]


def line(row: Row) -> str:
    """One row for the terminal."""
    if row["status"] != "ok":
        return f"{row['peer']}: {row['status']}: {row['reason']}"
    label = f"{row['megabytes']['median']:.0f} MB" if "megabytes" in row else duration(row["seconds"]["median"])
    ratio = f", {spread(row['ratio'])} of ours" if "ratio" in row else ""
    return f"{row['peer']}: {label}{ratio}" + (f", {row['gflops']:.1f} GF/s" if "gflops" in row else "")


def size(case: Case) -> str:
    return " x ".join(map(str, (case.batch, case.steps, case.inputs, case.hidden)))


def per_call(row: Row) -> str:
    return duration(row["seconds"]["median"])


def per_step(row: Row) -> str:
    return f"{row['seconds']['median'] / row['steps'] * 1e6:.3g} µs"


def per_epoch(row: Row) -> str:
    batches = -(-TEXTS // row["batch"])
    return duration(row["seconds"]["median"] * batches / row["notes"]["batches"])


def megabytes(row: Row) -> str:
    return f"{row['megabytes']['median']:.0f} MB"


def ratio_of(rows: Rows, peer: str) -> str:
    row = rows.get(peer, {"status": "-"})
    return spread(row["ratio"]) if "ratio" in row else row["status"]


def best(rows: Rows) -> str:
    """The lowest median, and every peer the quartiles of whose ratio do not tell it from ours where ours is in it."""
    measured = {peer: quantity(row)["median"] for peer, row in rows.items() if row["status"] == "ok"}
    if OURS not in measured:
        return "-"
    first = min(measured, key=measured.__getitem__)
    ties = {p for p, row in rows.items() if "ratio" in row and row["ratio"]["q25"] <= 1 <= row["ratio"]["q75"]}
    shared = [OURS, *sorted(ties)] if first == OURS or first in ties else [first]
    return " = ".join("ours" if peer == OURS else peer for peer in shared)


def rate(rows: Rows) -> list[str]:
    """GF/s of ours in the matrix products alone, and its share of what one large product reaches."""
    row = rows[OURS]
    share = f"{row['gflops'] / row['ceiling_gflops']:.0%}" if row.get("ceiling_gflops") else "-"
    return [f"{row['gflops']:.1f}", share]


Key = tuple[list[str], Callable[[Case], list[str]]]  # heads of the first columns, and their cells
SIZE: Key = (["cell", "B x T x E x H"], lambda c: [c.cell, size(c)])
SIDES: Key = (["cell", "directions"], lambda c: [c.cell, "2" if c.bidirectional else "1"])
HIDDEN: Key = (["cell", "E = H"], lambda c: [c.cell, str(c.hidden)])
CELL: Key = (["cell"], lambda c: [c.cell])

RAGGED = (
    "B = 64, E = H = 128, lengths log-normal, mean 213, longest 400. Ours: `lengths=`; packed: packing is in the time. "
    "torch: padded to the longest without masks, in two directions another function (the backward one starts in the "
    "padding)."
)
TUTORIAL = "157 batches of 128, by a part of them (`notes.batches` of the rows). Keras: `model.fit`, its defaults."
STEP = "A loop in Python that carries the state: torch by calls of T = 1, ONNX Runtime by a session of T = 1."
MEMORY = "What the peak of a new process grows by in one step after a small one; inputs and weights are there before."


@dataclass(frozen=True)
class Group:
    """One table: title, which cases, first columns, ours in absolute terms, what a reader has to know."""

    title: str
    has: Callable[[Case], bool]
    key: Key
    absolute: Callable[[Row], str]
    note: str = ""


GROUPS = [
    Group("Padded, inference", lambda c: c.group == "padded" and not c.training, SIZE, per_call),
    Group("Padded, training", lambda c: c.group == "padded" and c.training, SIZE, per_call),
    Group("Unequal lengths, inference", lambda c: c.group == "ragged" and not c.training, SIDES, per_call, RAGGED),
    Group("Unequal lengths, training", lambda c: c.group == "ragged" and c.training, SIDES, per_call, RAGGED),
    Group("One text, per step", lambda c: c.group == "single", HIDDEN, per_step, "B = 1, T = 100, inference."),
    Group("One text, one step a call", lambda c: c.group == "step", HIDDEN, per_step, STEP),
    Group("The tutorial job, per epoch", lambda c: c.group == "tutorial", CELL, per_epoch, TUTORIAL),
    Group("Peak memory in training, padded", lambda c: c.group == "memory" and not c.ragged, SIZE, megabytes, MEMORY),
    Group("Peak memory in training, unequal lengths", lambda c: c.group == "memory" and c.ragged, SIDES, megabytes),
]


def by_case(rows: list[Row]) -> Iterator[tuple[Case, Rows]]:
    """In the order of the cases; only those of which ours was measured."""
    for case in cases():
        own = {row["peer"]: row for row in rows if row["case"] == case.name}
        if own.get(OURS, {}).get("status") == "ok":
            yield case, own


def table(group: Group, measured: list[tuple[Case, Rows]]) -> str:
    """Ours in absolute terms, then how many times as much every peer takes (above 1, ours is better)."""
    peers = list(dict.fromkeys(peer for case, _ in measured for peer in case.peers if peer != OURS))
    rated = "gflops" in measured[0][1][OURS]
    heads, cells = group.key
    head = [*heads, "ours", *(["GF/s", "of ceiling"] if rated else []), *peers, "best"]
    lines = [head, ["---"] * len(head)]
    for case, rows in measured:
        ratios = [ratio_of(rows, peer) for peer in peers]
        lines.append([*cells(case), group.absolute(rows[OURS]), *(rate(rows) if rated else []), *ratios, best(rows)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summary(measured: list[tuple[Case, Rows]]) -> Iterator[str]:
    """Per peer: in how many cases it takes more than ours, the mean ratio, and where it is the better one."""
    for peer in dict.fromkeys(p for case, _ in measured for p in case.peers):
        ratios = {c.name: rows[peer]["ratio"]["median"] for c, rows in measured if "ratio" in rows.get(peer, {})}
        if ratios:
            mean = exp(sum(map(log, ratios.values())) / len(ratios))
            lost = [f"{name} ({ratio:.2f})" for name, ratio in ratios.items() if ratio < 1]
            text = f"- {peer}: takes more in {len(ratios) - len(lost)} of {len(ratios)}, geometric mean {mean:.2f}"
            yield text + (f"; less in {', '.join(lost)}" if lost else "")


def conditions(rows: list[Row]) -> Iterator[str]:
    """What the figures were measured with; several values where rows differ."""
    keys = ("cpu", "threads", "wait_policy", "tier", "commit", "python", "elman", "torch", "onnxruntime", "keras")
    for key in (*keys, "tensorflow", "jax"):
        values = list(dict.fromkeys(str(row[key]) for row in rows if row.get(key) is not None))
        if values:
            yield f"{key}: {', '.join(values)}"
    for row in rows:
        if row["case"].startswith("ceiling/") and "gflops" in row:
            yield f"ceiling of {row['case'].removeprefix('ceiling/')} threads: {row['gflops']:.0f} GF/s"


def tables(path: Path = results.DEFAULT) -> list[tuple[Group, list[tuple[Case, Rows]]]]:
    """The groups that have a case in the file, with their cases."""
    measured = list(by_case(results.read(path)))
    groups = [(group, [(case, peers) for case, peers in measured if group.has(case)]) for group in GROUPS]
    return [(group, own) for group, own in groups if own]


def markdown(path: Path = results.DEFAULT) -> str:
    """All tables of a file of rows."""
    rows = results.read(path)
    parts = ["; ".join(conditions(rows)) + ".", ""]
    for group, own in tables(path):
        note = [group.note, ""] if group.note else []
        parts += [f"### {group.title}", "", *note, table(group, own), "", *summary(own), ""]
    parts += [
        f"- {row['case']}, {row['peer']}: {row['status']}, {row['reason']}" for row in rows if row["status"] != "ok"
    ]
    return "\n".join(parts).rstrip() + "\n"


def main(path: Path = results.DEFAULT) -> int:
    """Prints the tables of a file of rows and draws the figure."""
    print(markdown(path), end="")
    from figure import draw  # Matplotlib takes a second to import, and a run of cases needs only `line`

    draw([(group.title, own) for group, own in tables(path)], FIGURE)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:2])))
