"""Speed of recurrent layers on the CPU, ours and others': `python benchmarks/speed`.

Every peer is a process of its own, asked in turn for one timed run, round after round. Before a case is timed each
peer's results are compared with torch.nn in float64. Peers that are not installed are skipped and the result says so.
Then `python benchmarks/speed/tables.py` writes the tables and the figure.
"""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import results
import tables
from cases import Case, cases, ceilings
from check import MismatchError
from coordinator import Coordinator, Row, attempts
from process import Setup, WorkerError

sys.path.append(str(Path(__file__).parents[1]))
from machine import describe


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python benchmarks/speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="SUBSTRING", help="cases whose name has one of these")
    parser.add_argument("--rounds", type=int, default=15, help="timed runs per peer (default 15)")
    parser.add_argument("--threads", type=int, default=2, help="of every peer (default 2)")
    parser.add_argument("--out", type=Path, default=results.DEFAULT, help="file of the rows")
    parser.add_argument("--keras-python", default=sys.executable, metavar="PATH", help="interpreter that has Keras")
    parser.add_argument(
        "--onnx-python", default=sys.executable, metavar="PATH", help="interpreter that has ONNX Runtime"
    )
    parser.add_argument("--batches", type=int, default=40, help="of the tutorial job in one run (default 40)")
    policy = "idle threads: passive, asleep at once, which slows torch with short steps; or as each library does it"
    parser.add_argument("--wait-policy", choices=("passive", "default"), default="passive", help=policy)
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    parser.add_argument("--tables", action="store_true", help="print the tables of --out and stop")
    parser.add_argument("--perturb", metavar="PEER", help="test the check: change a weight of PEER, time nothing")
    return parser.parse_args()


def row_of(case: Case, row: Row, shared: dict[str, Any]) -> Row:
    """A row with its case, machine and versions."""
    sizes = {name: value for name, value in asdict(case).items() if name not in ("peers", "rounds", "threads")}
    return row | sizes | shared | row.pop("versions", {})


def test_check(coordinator: Coordinator, chosen: list[Case], peer: str) -> bool:
    """Whether every case with the peer is refused when one of its weights is changed."""
    refused = []
    for case in chosen:
        if peer in case.peers and case.group not in ("memory", "ceiling"):
            try:
                row = coordinator.check(case, peer)[peer]
                print(f"{case.name}: {row.get('reason', 'NOT REFUSED')}", flush=True)
                refused.append(False)
            except MismatchError as error:
                print(f"{case.name}: refused: {error}", flush=True)
                refused.append(True)
    return bool(refused) and all(refused)


def measure(coordinator: Coordinator, chosen: list[Case], given: argparse.Namespace) -> bool:
    """Runs the cases and writes every case's rows as it ends; whether no peer failed or differed."""
    shared: dict[str, Any] = describe() | {
        "threads": given.threads,
        "wait_policy": given.wait_policy,
        "tier": coordinator.worker("elman").versions["tier"],
    }
    good = True
    todo = [*ceilings(given.threads), *chosen]
    for number, (case, rows) in enumerate(attempts(coordinator, todo), 1):
        if case.group == "ceiling":
            shared["ceiling_gflops"] = rows[0].get("gflops")
        results.write(given.out, [row_of(case, row, shared) for row in rows])
        print(f"{number}/{len(todo)} {case.name}", *map(tables.line, rows), sep="\n    ", flush=True)
        good &= all(row["status"] in ("ok", "missing") for row in rows)
    return good


def main() -> int:
    given = options()
    if given.tables:
        return tables.main(given.out)
    chosen = [case for case in cases() if not given.only or any(part in case.name for part in given.only)]
    if given.list:
        print(*(case.name for case in chosen), sep="\n")
        return 0
    interpreters = {"keras": given.keras_python, "onnx": given.onnx_python}
    coordinator = Coordinator(Setup(given.threads, interpreters, given.wait_policy, given.batches), given.rounds)
    try:
        if given.perturb:
            return 0 if test_check(coordinator, chosen, given.perturb) else 1
        return 0 if measure(coordinator, chosen, given) else 1
    except WorkerError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        coordinator.close()


if __name__ == "__main__":
    sys.exit(main())
