"""The copy problem (Hochreiter & Schmidhuber 1997, task 2c), as in Arjovsky, Shah & Bengio 2016, section 4.1."""

import torch
from torch import Generator, Tensor

from ._task import Batch, Task, encode

_ITEMS = 10


class Copy(Task):
    """Ten symbols, a wait of `length` steps, a signal; then the ten symbols have to be said in order.

    T = length + 20. Symbols are 0 .. K - 1, the blank is K, the signal K + 1. Until the signal the answer is the blank;
    training counts every step, the figure only the ten symbols: the share that is wrong.
    """

    symbols = 8
    every_step = True
    hidden_size = 100
    lengths = ("100", "200")
    measure = "wrong symbols"

    def __init__(self) -> None:
        self.input_size = self.symbols + 2
        self.output_size = self.symbols + 1
        self.guess = 1 - 1 / self.symbols

    def draw(self, length: int, size: int, generator: Generator) -> Batch:
        items = torch.randint(0, self.symbols, (_ITEMS, size), generator=generator)
        inputs = torch.full((length + 2 * _ITEMS, size), self.symbols)
        inputs[:_ITEMS] = items
        inputs[length + _ITEMS - 1] = self.symbols + 1
        targets = torch.full_like(inputs, self.symbols)
        targets[-_ITEMS:] = items
        return Batch(encode(inputs, self.input_size), targets)

    def error(self, scores: Tensor, batch: Batch) -> tuple[float, int]:
        wrong = scores[-_ITEMS:].argmax(-1) != batch.targets[-_ITEMS:]
        return float(wrong.sum()), wrong.numel()
