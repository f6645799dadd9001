"""Noiseless memorisation (Martens & Sutskever 2011, problem 5; Pascanu, Mikolov & Bengio 2013, supplement)."""

from torch import Tensor

from ._task import Batch
from .copying import Copy


class Memorization(Copy):
    """`Copy` with five symbols, counted by whole sequences: one is right if the answer of every step is."""

    symbols = 5
    measure = "sequences with an error"

    def __init__(self) -> None:
        super().__init__()
        self.guess = 1.0

    def error(self, scores: Tensor, batch: Batch) -> tuple[float, int]:
        wrong = (scores.argmax(-1) != batch.targets).any(0)
        return float(wrong.sum()), wrong.numel()
