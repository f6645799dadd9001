"""The coordinator's side of the pipe: one process per peer."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cases import Case

HERE = Path(__file__).parent
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # threads sleep at once instead of spinning a while


class WorkerError(Exception):
    """A worker could not start, or could not do what it was asked."""


@dataclass(frozen=True)
class Peer:
    """A worker's program, whose interpreter runs it ("" is ours), and variables of its environment."""

    program: str
    interpreter: str = ""
    environment: dict[str, str] = field(default_factory=dict)


PEERS = {
    "elman": Peer("worker_elman.py"),
    "elman packed": Peer("worker_elman.py"),
    "torch": Peer("worker_torch.py"),
    "torch packed": Peer("worker_torch.py"),
    "onnxruntime": Peer("worker_onnx.py", "onnx"),
    "keras on tensorflow": Peer("worker_keras.py", "keras", {"KERAS_BACKEND": "tensorflow"}),
    "keras on jax": Peer("worker_keras.py", "keras", {"KERAS_BACKEND": "jax"}),
    "reference padded": Peer("worker_torch.py"),
    "reference packed": Peer("worker_torch.py"),
}


@dataclass(frozen=True)
class Setup:
    """What holds for all workers of a session.

    Attributes:
        interpreters: by the names in `Peer.interpreter`.
        wait_policy: "passive", or "default" for what each library does by itself.
    """

    threads: int
    interpreters: dict[str, str]
    wait_policy: str
    batches: int

    def environment(self, peer: Peer) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in PASSIVE}
        own = {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
        return inherited | own | (PASSIVE if self.wait_policy == "passive" else {}) | peer.environment

    def command(self, peer: Peer, program: str = "") -> list[str]:
        return [self.interpreters.get(peer.interpreter, sys.executable), str(HERE / (program or peer.program))]

    def pin(self) -> None:
        """Leaves a process as many processors as it may have threads: JAX knows no other limit."""
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: self.threads])


class Worker:
    """A running worker. Its answers have a pipe of their own, as libraries print to standard output."""

    def __init__(self, name: str, setup: Setup) -> None:
        self.name, self.setup = name, setup
        self.files = ExitStack()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115
        self.files.enter_context(self.log)
        reader, writer = os.pipe()
        peer = PEERS[name]
        self.process = subprocess.Popen(
            [*setup.command(peer), str(writer)],
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=self.log,
            env=setup.environment(peer),
            pass_fds=(writer,),
            preexec_fn=setup.pin,
        )
        os.close(writer)
        self.answers = self.files.enter_context(os.fdopen(reader))
        self.versions: dict[str, Any] = self.ask(do="versions")["versions"]

    def ask(self, **request: Any) -> dict[str, Any]:
        """
        Raises:
            WorkerError: what the worker said was wrong, or its last words.
        """
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            line = self.answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"{self.name}: {self.last_words()}")
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name}: {answer['error']}")
        return answer

    def prepare(self, case: Case, perturb: bool = False) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The results of one call by name, and the worker's notes on how it does the case."""
        with tempfile.TemporaryDirectory() as scratch:
            path = str(Path(scratch) / "arrays.npz")
            request = {"case": asdict(case), "peer": self.name, "perturb": perturb, "arrays": path}
            answer = self.ask(do="prepare", threads=self.setup.threads, batches=self.setup.batches, **request)
            with np.load(path) as arrays:
                return dict(arrays), answer["notes"]

    def time(self, calls: int) -> float:
        """Seconds of one call over `calls` of them."""
        return self.ask(do="time", calls=calls)["seconds"]

    def running(self) -> bool:
        return self.process.poll() is None

    def last_words(self) -> str:
        self.process.wait()
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"ended with status {self.process.returncode}"

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.files.close()
