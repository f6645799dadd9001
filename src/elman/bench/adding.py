"""The adding problem (Hochreiter & Schmidhuber 1997, task 4), as in Le, Jaitly & Hinton 2015, section 4.1."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import mse_loss

from ._task import Batch, Task, uniform


class Adding(Task):
    """At each step a number from U(0, 1) and a mark; the answer is the sum of the two marked numbers.

    One mark lies in each half of the sequence. Always answering 1 costs the variance of the sum, 1/6.
    """

    input_size = 2
    output_size = 1
    lengths = ("100", "200", "400")
    measure = "mean squared error"
    guess = 1 / 6

    def draw(self, length: int, size: int, generator: Generator) -> Batch:
        numbers = torch.rand(length, size, generator=generator)
        marks = torch.zeros(length, size)
        rows, half = torch.arange(size), length // 2
        marks[uniform(0, half, size, generator), rows] = 1
        marks[uniform(half, length, size, generator), rows] = 1
        return Batch(torch.stack((numbers, marks), 2), (numbers * marks).sum(0))

    def loss(self, scores: Tensor, batch: Batch) -> Tensor:
        return mse_loss(scores.squeeze(-1), batch.targets)

    def error(self, scores: Tensor, batch: Batch) -> tuple[float, int]:
        return float((scores.squeeze(-1) - batch.targets).double().square().sum()), batch.targets.numel()
