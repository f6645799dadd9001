"""The file of results: its rows over the seeds, tables and plots, and lines that are none."""

import json
import math

import pytest

from elman.bench import results
from elman.bench.memory import report
from elman.errors import DataError, UsageError
from elman.report.memory import agreement


def row(variant, length, seed, solved, error, updates=100, task="adding", goal=0.01, **changes):
    outcome = "solved" if solved else "updates"
    return {
        "task": task, "variant": variant, "length": length, "seed": seed, "solved": solved, "error": error,
        "updates": updates, "goal": goal, "guess": 1 / 6, "measure": "mean squared error", "outcome": outcome,
        "longer": {}, "memory": None, "hidden_size": 50, "seconds": 1.0, **changes,
    }  # fmt: skip


def reach(start, end):
    return {when: {"steps": 3, "end": "open", "projected": steps} for when, steps in (("start", start), ("end", end))}


ROWS = [
    row("gru", "100", 0, True, 0.002, 300, longer={"400": 0.02}, memory=reach(10.0, 70.0)),
    row("gru", "100", 1, True, 0.004, 500, longer={"400": 0.04}, memory=reach(30.0, None)),
    row("gru", "100", 2, False, 0.1, 900, longer={"400": 0.06}, memory=reach(20.0, None)),
    row("tanh", "100", 0, False, None, 7, outcome="diverged"),
    row("tanh", "100", 1, False, 0.17, 900),
    row("gru", "data", 0, None, 8.5, 700, task="jsb", goal=None, guess=None, measure="nats per step"),
]


def test_summary():
    gru, tanh, jsb = results.summary(ROWS)
    assert (gru["runs"], gru["solved"], gru["updates"], gru["errors"]) == (3, 2, 300, [0.002, 0.004, 0.1])
    assert gru["longer"] == {"400": [0.02, 0.04, 0.06]}
    assert gru["memory"] == {"start": 20.0, "end": math.inf} and tanh["memory"] == {"start": None, "end": None}
    assert (tanh["solved"], tanh["updates"], tanh["errors"]) == (0, None, [None, 0.17])
    assert (gru["tried"], tanh["tried"]) == (900, 900)
    assert (jsb["solved"], jsb["updates"], jsb["task"]) == (None, 700, "jsb")


def test_report_writes_tables_and_plots(tmp_path):
    with pytest.raises(UsageError, match="no results to report"):
        report(tmp_path)
    for each in ROWS:
        results.add(tmp_path / "memory.jsonl", each)
    report(tmp_path)
    page = (tmp_path / "memory.md").read_text()
    assert "| gru | 100 | 3 | 2 of 3 | 300 | 0.0353 ± 0.056 | 20 | no end | 0.04 ± 0.02 |" in page
    assert "| tanh | 100 | 2 | 0 of 2 | none in 900 | 0.17, 1 diverged | - | - | - |" in page
    assert "| gru | data | 1 | 700 | 8.5 | - | - |" in page
    assert "Mean squared error; solved below 0.01; without memory 0.167." in page
    for task in ("adding", "jsb"):
        assert (tmp_path / f"memory-{task}.png").read_bytes()[:4] == b"\x89PNG"


def test_agreement_of_memory_and_figure():
    """-1 where more memory always means a smaller figure; nothing is said of fewer than four variants or of ties."""
    rows = [
        row(str(n), "100", 0, False, 1 / n, memory={**reach(float(n), 5.0), "end": None}, task="digits")
        for n in range(1, 6)
    ]
    assert agreement(results.summary(rows)) == [
        "Length 100, rank correlation of the figure: -1.00 with memory at the start over 5 variants."
    ]
    rows[4]["error"] = 9.0
    assert "-0.00" in agreement(results.summary(rows))[0] or "+0.00" in agreement(results.summary(rows))[0]
    assert agreement(results.summary(rows[:3])) == []
    assert agreement(results.summary([{**each, "error": 0.5} for each in rows])) == []


@pytest.mark.parametrize("kept", [1, 30, -1])
def test_a_last_line_that_was_cut_off_is_a_run_to_do(tmp_path, kept):
    path = tmp_path / "memory.jsonl"
    lines = [json.dumps(each) for each in ROWS[:2]]
    path.write_text(lines[0] + "\n" + lines[1][:kept])
    assert results.read(path) == ROWS[:1]
    results.add(path, ROWS[1])
    assert path.read_text().splitlines() == lines
    path.write_text("\n".join(lines))  # only its end is missing
    assert results.read(path) == ROWS[:2]
    for damaged in (lines[1][:kept] + "\n" + lines[0], lines[0] + "\n" + lines[1][:kept] + "\n", "{}"):
        path.write_text(damaged)
        with pytest.raises(DataError, match="expected a result with"):
            results.read(path)


@pytest.mark.parametrize(
    "change",
    [
        {"length": 10},
        {"length": "abc"},
        {"memory": 5},
        {"memory": {"start": 1}},
        {"updates": "x"},
        {"longer": None},
        {"longer": {"400": "x"}},
        {"error": 10**400},
        {"task": "t" * 300},
    ],
)
def test_lines_that_are_no_results(tmp_path, change):
    (tmp_path / "memory.jsonl").write_text(json.dumps({**ROWS[0], **change}) + "\n")
    with pytest.raises(DataError, match="line 1: expected a result with"):
        report(tmp_path)
