"""The results of all runs, one JSON object a line; the file is whole at any time."""

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..training import run_folder, to_json, write_text
from ._task import bounds
from .tasks import TASKS

Row = dict[str, Any]
_KEY = ("task", "variant", "length", "seed")
_FIGURE = (int, float, type(None))
_FORM: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("task", "variant", "length", "outcome", "measure"), (str,)),
    **dict.fromkeys(("seed", "updates", "hidden_size"), (int,)),
    **dict.fromkeys(("error", "goal", "guess"), _FIGURE),
    "solved": (bool, type(None)),
    "seconds": (int, float),
    "memory": (dict, type(None)),
    "longer": (dict,),
}


def key(row: Row) -> tuple[Any, ...]:
    """Which run a row is of."""
    return tuple(row[name] for name in _KEY)


def read(path: Path) -> list[Row]:
    """All rows; none if there is no file yet. A last line that is cut off is a run that was not finished.

    Raises:
        DataError: it cannot be read, or a line is no result.
    """
    if not path.exists():
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected results, one JSON object a line, got {error}") from None
    lines = text.splitlines()
    if lines and not text.endswith("\n") and not _is_whole(lines[-1]):
        lines.pop()
    return [_row(line, f"{path}: line {number}") for number, line in enumerate(lines, 1)]


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _row(line: str, place: str) -> Row:
    try:
        row: Row = json.loads(line, parse_int=_whole)
        wrong = [name for name, types in _FORM.items() if not isinstance(row[name], types)]
        if not wrong:
            bounds(row["length"])
            for when in ("start", "end"):
                _memory([row], when)
            wrong += [] if row["task"] in TASKS else ["a task that there is"]
            wrong += [] if all(isinstance(error, _FIGURE) for error in row["longer"].values()) else ["longer"]
        if not wrong:
            return row
    except (ValueError, KeyError, TypeError, RecursionError):
        wrong = list(_FORM)
    raise DataError(f"{place}: expected a result with {', '.join(wrong)}, got {line[:60]!r}")


def _whole(digits: str) -> int:
    number = int(digits)
    if abs(number) >= 2**63:
        raise ValueError(f"{digits} is no count")
    return number


def add(path: Path, row: Row) -> None:
    """Append a row, in place of one of the same run, by a new file moved into place.

    Raises:
        DataError: a line of the file is no result.
        RunFolderError: it cannot be written.
    """
    run_folder.make(path.parent)
    others = [known for known in read(path) if key(known) != key(row)]
    write_text(path, "".join(to_json(each) + "\n" for each in (*others, row)))


def summary(rows: Iterable[Row]) -> list[Row]:
    """One row for each task, length and variant, over the seeds; tasks as they first came, lengths as they rise.

    Holds `task`, `length`, `variant`, `measure`, `goal`, `guess`, `runs`, `solved` (a count; None without a goal),
    `updates` (median of the runs that solved it, of all without a goal; None if none did), `tried` (most updates),
    `errors` (by seed, None where a run diverged), `memory` (at `start` and `end` the median over the seeds of the
    steps, inf where they have no end, None where not measured) and `longer` (by length, the errors by seed).
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["task"], row["length"], row["variant"]), []).append(row)
    tasks = list(dict.fromkeys(task for task, _, _ in groups))
    rising = sorted(groups, key=lambda group: (tasks.index(group[0]), bounds(group[1])[::-1]))
    return [_summarized(groups[group]) for group in rising]


def _summarized(own: list[Row]) -> Row:
    first = own[0]
    has_goal = first["goal"] is not None
    counted = sorted(row["updates"] for row in own if row["solved"] or not has_goal)
    lengths = dict.fromkeys(length for row in own for length in row["longer"])
    return {
        **{name: first[name] for name in ("task", "length", "variant", "measure", "goal", "guess")},
        "runs": len(own),
        "solved": sum(map(bool, (row["solved"] for row in own))) if has_goal else None,
        "updates": counted[(len(counted) - 1) // 2] if counted else None,
        "tried": max(row["updates"] for row in own),
        "memory": {when: _memory(own, when) for when in ("start", "end")},
        "errors": [None if row["outcome"] == "diverged" else row["error"] for row in own],
        "longer": {length: [row["longer"].get(length) for row in own] for length in lengths},
    }


def _memory(own: list[Row], when: str) -> float | None:
    """Lower median of the projected steps."""
    measured = [row["memory"][when] for row in own if row.get("memory") and row["memory"][when] is not None]
    steps = sorted(math.inf if memory["projected"] is None else memory["projected"] for memory in measured)
    return float(steps[(len(steps) - 1) // 2]) if steps else None
