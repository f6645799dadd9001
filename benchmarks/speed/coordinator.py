"""Runs the cases: checks every peer of a case, then asks each in turn for one timed run, round after round.

Only the worker that was asked computes; the others are blocked in a read.
"""

import math
import time
from collections.abc import Iterator
from typing import Any

import memory
import numpy as np
from cases import OURS, Case
from check import MismatchError, compare
from process import Setup, Worker, WorkerError

Row = dict[str, Any]

RUN_SECONDS = 0.1  # a timed run lasts at least so long
WARM_SECONDS, WARM_CALLS = 0.2, 3
PAUSE = 0.02  # between runs, for the threads of the last worker to fall asleep: OpenMP's spin for up to some 7 ms


def short(value: float) -> float:
    """Five digits, more than any of these figures is good for."""
    return float(f"{value:.5g}")


def figures(values: list[float]) -> dict[str, float]:
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"median": short(middle), "q25": short(low), "q75": short(high)}


def ratios(runs: list[float], ours: list[float]) -> dict[str, float]:
    """How many times as long as ours: of the medians, and median and quartiles of the rounds' ratios."""
    by_round = [peer / own for peer, own in zip(runs, ours, strict=True)]
    return {"of_medians": short(np.median(runs) / np.median(ours)), **figures(by_round)}


def with_ratios(rows: dict[str, Row], quantity: str) -> list[Row]:
    """The rows of a case by peer, with figures of the runs of `quantity`."""
    ours = rows.get(OURS, {}).get("runs")
    for peer, row in rows.items():
        if "runs" in row:
            row[quantity] = figures(row["runs"])
            row |= {"ratio": ratios(row["runs"], ours)} if ours and peer != OURS else {}
            row["runs"] = [short(run) for run in row["runs"]]
    return list(rows.values())


class Coordinator:
    """Workers by name, started when first needed."""

    def __init__(self, setup: Setup, rounds: int) -> None:
        self.setup, self.rounds = setup, rounds
        self.workers: dict[str, Worker] = {}
        self.missing: dict[str, str] = {}

    def worker(self, name: str) -> Worker:
        """
        Raises:
            WorkerError: the peer cannot be started; said again at every later call.
        """
        if name in self.missing:
            raise WorkerError(self.missing[name])
        if name not in self.workers or not self.workers[name].running():
            try:
                self.workers[name] = Worker(name, self.setup)
            except (WorkerError, OSError) as error:
                # The interpreter's path is no part of a result.
                self.missing[name] = f"{name}: {error.strerror}" if isinstance(error, OSError) else str(error)
                raise WorkerError(self.missing[name]) from error
        return self.workers[name]

    def run(self, case: Case) -> list[Row]:
        """One row per peer, those that are missing or failed included.

        Raises:
            MismatchError: a peer computes something else; nothing was timed.
        """
        if case.group == "memory":
            return self.measure_memory(case)
        rows = self.check(case)
        ready = [peer for peer, row in rows.items() if row["status"] == "ok"]
        for peer in ready:
            rows[peer]["calls"] = self.warm_up(self.worker(peer))
        for number in range(min(self.rounds, case.rounds)):
            first = number % max(len(ready), 1)
            for peer in ready[first:] + ready[:first]:
                time.sleep(PAUSE)
                rows[peer].setdefault("runs", []).append(self.worker(peer).time(rows[peer]["calls"]))
        for row in rows.values():
            if case.flops and "runs" in row:
                row["gflops"] = short(case.flops / np.median(row["runs"]) / 1e9)
        return with_ratios(rows, "seconds")

    def check(self, case: Case, perturb: str = "") -> dict[str, Row]:
        """Prepares every peer and compares its results; the one named by `perturb` with a changed weight."""
        references: dict[str, dict[str, np.ndarray]] = {}
        rows = {}
        for peer in case.peers:
            row = rows[peer] = {"case": case.name, "peer": peer, "status": "ok"}
            try:
                worker = self.worker(peer)
                arrays, notes = worker.prepare(case, perturb == peer)
            except WorkerError as error:
                row |= {"status": "missing" if peer in self.missing else "failed", "reason": str(error)}
                continue
            row |= {"versions": worker.versions, "notes": notes}
            # Without masks the backward direction of a padded batch starts in the padding: another function.
            reference = "reference packed" if case.ragged and peer != "torch" else "reference padded"
            if reference not in references:
                references[reference], _ = self.worker(reference).prepare(case)
            row["errors"] = compare(peer, arrays, references[reference])
        return rows

    def warm_up(self, worker: Worker) -> int:
        """Calls that fill a timed run."""
        started, once = time.monotonic(), math.inf
        for calls in range(1000):
            if calls >= WARM_CALLS and time.monotonic() - started > WARM_SECONDS:
                break
            once = min(once, worker.time(1))
            if once > 2:
                break
        return math.ceil(RUN_SECONDS / once)

    def measure_memory(self, case: Case) -> list[Row]:
        rows: dict[str, Row] = {peer: {"case": case.name, "peer": peer, "status": "ok"} for peer in case.peers}
        for _ in range(min(self.rounds, case.rounds)):
            for peer, row in rows.items():
                try:
                    grown, versions = memory.ask(self.setup, case, peer)
                    row.setdefault("runs", []).append(grown)
                    row["versions"] = versions
                except WorkerError as error:
                    row |= {"status": "failed", "reason": str(error)}
        return with_ratios(rows, "megabytes")

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


def attempts(coordinator: Coordinator, cases: list[Case]) -> Iterator[tuple[Case, list[Row]]]:
    """Every case with its rows; where a peer computes something else or ends amid the rounds, they say so."""
    for case in cases:
        try:
            yield case, coordinator.run(case)
        except (MismatchError, WorkerError) as error:
            status = "mismatch" if isinstance(error, MismatchError) else "failed"
            reason = {"status": status, "reason": f"{type(error).__name__}: {error}"}
            yield case, [{"case": case.name, "peer": peer, **reason} for peer in case.peers]
