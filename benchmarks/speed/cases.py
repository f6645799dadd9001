"""What is measured: every case by name, and the peers that take part in it.

Letters as in docs/notation.md; E is the width of the vectors a layer reads. The module needs no package, as the workers
of all environments import it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

OURS = "elman"
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
CELLS = ("rnn", "lstm", "gru")
MODES = ("inference", "training")
GRID = ((128, 500, 32, 32), (32, 200, 128, 128), (64, 200, 128, 128), (32, 200, 256, 256), (20, 35, 650, 650))
VOCABULARY, TEXTS = 10_000, 20_000  # of the tutorial job


@dataclass(frozen=True)
class Case:
    """One case; `peers` in the order in which they are asked.

    Attributes:
        group: padded, ragged, single (a whole text of a batch of one), step (the same, one step a call), tutorial,
            memory, or ceiling (a product of square matrices of H rows).
        mode: inference or training.
        rounds: at most so many rounds.
        threads: 0 for the session's number.
    """

    group: str
    cell: str
    mode: str
    batch: int
    steps: int
    inputs: int
    hidden: int
    peers: tuple[str, ...]
    ragged: bool = False
    bidirectional: bool = False
    rounds: int = 1000
    threads: int = 0

    @property
    def name(self) -> str:
        if self.group == "ceiling":
            return f"ceiling/{self.threads}"
        layout = ("bi" if self.bidirectional else "uni") if self.ragged else ""
        size = "x".join(map(str, (self.batch, self.steps, self.inputs, self.hidden)))
        parts = (self.group, self.cell, layout, "" if self.group == "tutorial" else size, self.mode)
        return "/".join(part for part in parts if part)

    @property
    def training(self) -> bool:
        return self.mode == "training"

    @property
    def flops(self) -> int | None:
        """Operations of the matrix products of one call; None where they do not say how fast a layer is."""
        if self.group == "ceiling":
            return 2 * self.hidden**3
        if self.group != "padded":
            return None
        forward = 2 * self.batch * self.steps * GATES[self.cell] * self.hidden * (self.inputs + self.hidden)
        return 3 * forward if self.training else forward


def ceilings(threads: int) -> list[Case]:
    """The product with one thread and with the session's number, this one last."""
    return [Case("ceiling", "", "inference", 1, 1, 1536, 1536, ("torch",), threads=n) for n in sorted({1, threads})]


def cases() -> Iterator[Case]:
    for mode in MODES:
        peers = (OURS, "torch") if mode == "training" else (OURS, "torch", "onnxruntime")
        for cell in CELLS:
            for size in GRID:
                yield Case("padded", cell, mode, *size, peers)
    for mode in MODES:
        for cell in CELLS:
            for both in (False, True):
                peers = (OURS, "elman packed", "torch", "torch packed")
                yield Case("ragged", cell, mode, 64, 400, 128, 128, peers, ragged=True, bidirectional=both)
    for group in ("single", "step"):
        for cell in CELLS:
            for hidden in (32, 128, 256):
                yield Case(group, cell, "inference", 1, 100, hidden, hidden, (OURS, "torch", "onnxruntime"))
    for cell in CELLS:
        peers = (OURS, "torch", "keras on tensorflow", "keras on jax")
        yield Case("tutorial", cell, "training", 128, 500, 32, 32, peers, rounds=5)
    for cell in CELLS:
        for size in GRID[:3]:
            yield Case("memory", cell, "training", *size, (OURS, "torch"), rounds=3)
        for both in (False, True):
            peers = (OURS, "torch", "torch packed")
            size = (64, 400, 128, 128)
            yield Case("memory", cell, "training", *size, peers, ragged=True, bidirectional=both, rounds=3)
