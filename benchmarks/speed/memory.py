"""Peak memory of one training step, in a process of its own: `python memory.py` is that process."""

import json
import resource
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from cases import Case
from process import PEERS, Setup, WorkerError
from server import Request


def ask(setup: Setup, case: Case, peer: str) -> tuple[float, dict[str, object]]:
    """Megabytes that the peak of a new process grows by in one step, and the peer's versions."""
    request = {"case": asdict(case), "peer": peer, "threads": setup.threads, "batches": 0, "perturb": False}
    command = [*setup.command(PEERS[peer], "memory.py"), json.dumps(request)]
    environment = setup.environment(PEERS[peer])
    done = subprocess.run(command, capture_output=True, text=True, env=environment, preexec_fn=setup.pin)
    if done.returncode:
        raise WorkerError(f"{peer}: {(done.stderr.strip().splitlines() or ['no reason given'])[-1]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["megabytes"], answer["versions"]


def reset_peak() -> None:
    """Lets the peak start anew from what is resident now, where the kernel allows it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """Megabytes. Not ru_maxrss where there is VmHWM: a new process inherits the former from the one that started it."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    """A small step first, for what the libraries set up once; then inputs and weights, then the step that counts."""
    fields = json.loads(sys.argv[1])
    request = Request(**fields | {"case": Case(**fields["case"])})
    if request.peer.startswith("elman"):
        from worker_elman import prepare, versions
    else:
        from worker_torch import prepare, versions
    small = replace(request.case, batch=2, steps=3, inputs=8, hidden=8)
    prepare(replace(request, case=small)).call()
    job = prepare(request)
    reset_peak()
    before = peak()
    job.call()
    print(json.dumps({"megabytes": peak() - before, "versions": versions()}))


if __name__ == "__main__":
    main()
