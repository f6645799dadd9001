"""What every task has in common: batches with known answers, a loss, and a figure with a line to cross."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import cross_entropy, one_hot
from torch.nn.utils.rnn import PackedSequence


@dataclass(frozen=True)
class Batch:
    """Sequences and their answers.

    Attributes:
        inputs: [T, B, I], or packed where the lengths differ.
        targets: one answer a sequence, [B] or [B, ..]; with an answer at every step [T, B, ..], or [N, ..] if packed.
    """

    inputs: Tensor | PackedSequence
    targets: Tensor


class Task:
    """Base of the tasks.

    Attributes:
        every_step: whether there is an answer at every step, not only at the last one.
        hidden_size: H of a run that names none; 0 for the largest with at most `parameters` in the layer.
        batch_size: sequences in an update.
        lengths: those run where none is named: a number, "50-200" for a new length between the two at every update,
            or "data" where the data has its own.
        measure: name of the figure, lower is better.
        guess: the figure of the best answer that remembers nothing; None if that depends on the data.
        goal: a run has solved the task when the figure on the test sequences is below it; None for no such line, the
            run then keeps the weights of the best check.
        updates: most updates of a run.
        check_every: updates between two looks at the validation sequences.
        patience: checks without a better figure before a run stops; 0 for never.
    """

    input_size: int
    output_size: int
    every_step: bool = False
    hidden_size: int = 50
    parameters: int = 0
    batch_size: int = 20
    lengths: tuple[str, ...]
    measure: str
    guess: float | None
    goal: float | None = 0.01
    updates: int = 100_000
    check_every: int = 500
    patience: int = 0

    def draw(self, length: int, size: int, generator: Generator) -> Batch:
        """A batch to learn from."""
        raise NotImplementedError

    def held_out(self, split: str, lengths: tuple[int, int], generator: Generator) -> Iterator[Batch]:
        """The sequences of the split "validation" or "test": 1,000 or 10,000 fresh ones, in batches of one length."""
        for _ in range(100 if split == "test" else 10):
            yield self.draw(between(lengths, generator), 100, generator)

    def loss(self, scores: Tensor, batch: Batch) -> Tensor:
        """What training lowers: the mean cross-entropy in nats."""
        return cross_entropy(scores.flatten(0, -2), batch.targets.flatten())

    def error(self, scores: Tensor, batch: Batch) -> tuple[float, int]:
        """The sum of the figure over a batch, and the number it is to be divided by: misclassified answers."""
        return float((scores.argmax(-1) != batch.targets).sum()), batch.targets.numel()


def bounds(length: str) -> tuple[int, int]:
    """Shortest and longest of "100" or "50-200"; (0, 0) where the data has its own. Raises ValueError for others."""
    if length == "data":
        return 0, 0
    ends = length.split("-")
    if len(ends) > 2 or not all(end.isdecimal() for end in ends):
        raise ValueError(f"no length: {length!r}")
    return int(ends[0]), int(ends[-1])


def between(lengths: tuple[int, int], generator: Generator) -> int:
    """A length from the shortest to the longest, both included."""
    low, high = lengths
    return low if low == high else int(torch.randint(low, high + 1, (), generator=generator))


def uniform(low: int, high: int, size: int, generator: Generator) -> Tensor:
    """[size] whole numbers from low to high - 1."""
    return torch.randint(low, high, (size,), generator=generator)


def encode(symbols: Tensor, kinds: int) -> Tensor:
    """One channel a symbol: [T, B] -> [T, B, kinds] of zeros and ones."""
    return one_hot(symbols, kinds).float()
