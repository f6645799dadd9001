"""All runs of a folder: a result for each, none twice, a whole file whatever happens."""

import os
import signal
import subprocess
import sys
import time

import pytest

from elman import bench
from elman.bench import results
from elman.bench.memory import memory, plan, report
from elman.bench.tasks import TASKS
from elman.bench.temporal_order import TemporalOrder
from elman.cli._app import run as command
from elman.errors import DataError, RunFolderError, UsageError

SMALL = {"updates": 4, "hidden_size": 4}


class Watch:
    def __init__(self):
        self.counts, self.rows, self.seen = None, [], []

    def planned(self, runs, done):
        self.counts = runs, done

    def progress(self, spec, updates, most, error):
        self.seen.append((spec.key(), updates, most))

    def finished(self, row):
        self.rows.append(row)


def small(out, events=None, **changes):
    wanted = {"tasks": ["temporal-order"], "variants": ["tanh-sgd", "gru"], "lengths": ["10", "10-12"], "seeds": 2}
    return memory(out, events=events, **{**wanted, **SMALL, **changes})


def test_every_run_once_and_resumed(tmp_path, quick):
    first = Watch()
    rows = small(tmp_path, first)
    assert first.counts == (8, 0) and len(rows) == 8
    assert {results.key(row) for row in rows} == {
        ("temporal-order", variant, length, seed)
        for variant in ("tanh-sgd", "gru")
        for length in ("10", "10-12")
        for seed in (0, 1)
    }
    assert first.seen[:2] == [(results.key(rows[0]), 2, 4), (results.key(rows[0]), 4, 4)]
    lines = (tmp_path / "memory.jsonl").read_text().splitlines()
    (tmp_path / "memory.jsonl").write_text("\n".join(lines[:3]) + "\n")  # as if stopped after the third
    second = Watch()
    again = small(tmp_path, second)
    assert second.counts == (8, 3) and len(second.rows) == 5
    assert (tmp_path / "memory.jsonl").read_text().splitlines()[:3] == lines[:3]
    strip = [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in again] == strip
    assert small(tmp_path, third := Watch()) == again and not third.rows


def test_a_run_that_a_limit_ended_is_run_again_under_a_higher_one(tmp_path, quick, monkeypatch):
    """From its start, so that it is the same run, longer; what ended otherwise stays."""
    spec = {"variants": ["gru"], "lengths": ["10"]}
    first = small(tmp_path, **spec)
    results.add(tmp_path / "memory.jsonl", {**first[1], "outcome": "solved"})
    longer = small(tmp_path, watch := Watch(), **spec, updates=6)
    assert watch.counts == (2, 1) and [row["seed"] for row in watch.rows] == [0]
    assert [(row["seed"], row["updates"]) for row in longer] == [(1, 4), (0, 6)]
    assert longer[1]["curve"][:2] == first[0]["curve"] and len(longer[1]["curve"]) == 3
    for updates in (6, 4):
        assert small(tmp_path, **{**spec, "updates": updates}) == longer
    monkeypatch.setattr(TemporalOrder, "updates", 8)
    longer = small(tmp_path, **spec, updates=0)  # the task's own limit
    assert [row["updates"] for row in longer] == [4, 8]
    results.add(tmp_path / "memory.jsonl", {**longer[1], "outcome": "seconds", "seconds": 2.0})
    for limits in ({"seconds": 3, "updates": 8}, {"seconds": 1, "updates": 10}, {"seconds": 2, "updates": 10}):
        small(tmp_path, watch := Watch(), **spec, **limits)
        assert watch.counts == (2, 2)
    again = small(tmp_path, watch := Watch(), **spec, seconds=100, updates=10)
    assert (again[1]["outcome"], again[1]["updates"]) == ("updates", 10) and len(watch.rows) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"hidden_size": 5}, "with hidden_size 4, not 5"), ({"also": (20,)}, "without measuring length 20 too")],
)
def test_results_of_runs_that_were_others(tmp_path, quick, changes, message):
    small(tmp_path, seeds=1)
    with pytest.raises(UsageError, match=message):
        small(tmp_path, seeds=1, **changes)
    with pytest.raises(UsageError, match="seed 0 was run with hidden_size 4, not 50"):
        small(tmp_path, hidden_size=0)
    assert len(small(tmp_path, seeds=1)) == 4


def test_processes_give_the_same_rows(tmp_path):
    apart = memory(tmp_path / "a", tasks=["digits"], variants=["gru", "tanh"], seeds=1, jobs=2, **SMALL)
    alone = memory(tmp_path / "b", tasks=["digits"], variants=["gru", "tanh"], seeds=1, **SMALL)
    strip = [sorted((results.key(r), r["error"], r["updates"]) for r in rows) for rows in (apart, alone)]
    assert strip[0] == strip[1] and len(strip[0]) == 2


def test_what_cannot_be_run(tmp_path):
    for changes, message in (
        ({"tasks": ["adding", "multiplying"]}, "unknown task 'multiplying'; there are temporal-order, adding"),
        ({"variants": ["lstmm"]}, "unknown variant 'lstmm'"),
        ({"lengths": ["ten"]}, "a length must be .* got 'ten'"),
        ({"lengths": ["200-50"]}, "got '200-50'"),
        ({"lengths": ["9"]}, "got '9'"),
        ({"seeds": 0}, "seeds must be at least 1 and at most 10000, got 0"),
        ({"seeds": 10**22}, "seeds must be at least 1 and at most 10000, got 10000000000000000000000"),
        ({"jobs": 0}, "jobs must be at least 1"),
        ({"updates": -1}, "updates must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"lengths": ["50-"]}, "got '50-'"),
        ({"lengths": ["1_0"]}, "got '1_0'"),
        ({"lengths": ["9" * 5000]}, "got '9{98}…$"),
        ({"lengths": ["12345678901234567890"]}, "got '12345678901234567890'"),
        ({"hidden_size": 10**20}, "hidden_size must be at least 0 and at most 65536"),
        ({"threads": 10**5}, "threads must be at least 1 and at most 1024"),
        ({"updates": 10**5000}, "updates must be .*, got a number of more than 4,300 digits"),
        ({"also": (3,)}, "a length must be .* got '3'"),
        ({"tasks": ["jsb"]}, "--data"),
    ):
        with pytest.raises(UsageError, match=message):
            small(tmp_path / "none", **changes)
    assert not (tmp_path / "none").exists()
    (tmp_path / "memory.jsonl").write_text("[" * 100_000 + "\n")
    with pytest.raises(DataError, match="line 1: expected a result with task, variant, length"):
        small(tmp_path)
    (tmp_path / "memory.jsonl").write_text('{"task": "adding"}\n')
    with pytest.raises(DataError, match="line 1: expected a result with task, variant, length"):
        small(tmp_path)


def test_files_that_cannot_be_read_or_written(tmp_path):
    (tmp_path / "memory.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(DataError, match=r"memory\.jsonl: expected results"):
        report(tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(RunFolderError, match="file: cannot be written"):
        small(file)
    with pytest.raises(RunFolderError, match="file: cannot be written"):
        small(tmp_path / "new", keep=file)
    folder = tmp_path / "folder"
    (folder / "memory.jsonl").mkdir(parents=True)
    with pytest.raises(DataError, match=r"memory\.jsonl: expected results"):
        small(folder)


def test_lengths_given_are_not_for_data_that_has_its_own():
    runs = list(plan(["digits", "adding"], ["gru"], ["50"], 1))
    assert [(r.task, r.length) for r in runs] == [("digits", "data"), ("adding", "50")]
    assert [r.length for r in plan(["adding"], ["gru"], [], 1)] == list(TASKS["adding"](None).lengths)


def test_the_command(tmp_path, capsys):
    line = ["bench", "memory", "--out", tmp_path, "--task", "digits", "--variant", "gru, tanh", "--seeds", 1]
    assert command([str(a) for a in [*line, "--updates", 3]]) == 0
    shown = capsys.readouterr()
    assert "digits" in shown.out and "memory.md" in shown.out and "2 runs, 0 of them done before" in shown.err
    (tmp_path / "memory.md").unlink()
    assert command(["bench", "memory", "--out", str(tmp_path), "--report"]) == 0
    assert (tmp_path / "memory.md").exists() and "runs" not in capsys.readouterr().err
    assert command(["bench", "memory", "--out", str(tmp_path), "--also", "far"]) == 2
    assert "--also takes whole numbers" in capsys.readouterr().err


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_leaves_a_whole_file(tmp_path, jobs):
    line = ["--task", "adding", "--variant", "gru", "--length", "10", "--seeds", "500", "--updates", "5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "elman", "bench", "memory", "--out", tmp_path, "--jobs", str(jobs), *line],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A test run in the background of a shell has SIGINT ignored, and a child inherits that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    path, until = tmp_path / "memory.jsonl", time.monotonic() + 60
    while not path.exists() and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: parent and workers
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped" in err and "Traceback" not in err
    rows = results.read(path)
    assert 0 < len(rows) < 500 and not list(tmp_path.glob("*.new"))
    assert bench.summary(rows)[0]["runs"] == len(rows)
