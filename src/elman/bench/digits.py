"""scikit-learn's 8 x 8 digits read pixel by pixel, after the MNIST of Le, Jaitly & Hinton 2015, section 4.2."""

from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Generator

from ._task import Batch, Task, uniform


class Digits(Task):
    """1,797 images of 8 x 8 as 64 steps of one pixel, in order or all in one fixed random order; ten classes.

    A stratified fifth is validation, another the test; the split and the order are the same for every seed. There is no
    line to cross, so the figure is that of the weights that did best on the validation images.
    """

    input_size = 1
    output_size = 10
    hidden_size = 100
    batch_size = 50
    lengths = ("data",)
    measure = "misclassified"
    guess = 0.9
    goal = None
    updates = 10_000
    check_every = 100
    patience = 30

    def __init__(self, permuted: bool) -> None:
        pixels, labels = load_digits(return_X_y=True)
        order = torch.randperm(64, generator=Generator().manual_seed(0)) if permuted else torch.arange(64)
        rest, test = train_test_split(range(len(labels)), test_size=0.2, random_state=0, stratify=labels)
        train, validation = train_test_split(rest, test_size=0.25, random_state=0, stratify=labels[rest])
        self._rows = {"train": train, "validation": validation, "test": test}
        self._inputs = torch.tensor(pixels / 16).float()[:, order].T.unsqueeze(2)
        self._labels = torch.tensor(labels)

    def draw(self, length: int, size: int, generator: Generator) -> Batch:
        train = torch.tensor(self._rows["train"])
        return self._batch(train[uniform(0, len(train), size, generator)])

    def held_out(self, split: str, lengths: tuple[int, int], generator: Generator) -> Iterator[Batch]:
        yield self._batch(torch.tensor(self._rows[split]))

    def _batch(self, rows: torch.Tensor) -> Batch:
        return Batch(self._inputs[:, rows], self._labels[rows])
