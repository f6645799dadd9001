"""Which of two symbols came first (Hochreiter & Schmidhuber 1997, task 6a), in the setting of Pascanu et al. 2013."""

import torch
from torch import Generator

from ._task import Batch, Task, encode, uniform


class TemporalOrder(Task):
    """Two symbols out of A, B among distractors; the class is AA, AB, BA or BB.

    The first stands at a position in [T/10, 2T/10), the second in [4T/10, 5T/10); everywhere else is one of c, d, e, f.
    50 units, batches of 20, solved with fewer than 1 % errors in 10,000 fresh sequences: Pascanu, Mikolov & Bengio
    2013, section 4.1 and supplement. Their published program puts the second symbol into [5T/10, 6T/10); here the text
    is followed, which is the longer way.
    """

    input_size = 6
    output_size = 4
    lengths = ("50", "100", "150", "200", "50-200")
    measure = "misclassified"
    guess = 0.75

    def draw(self, length: int, size: int, generator: Generator) -> Batch:
        symbols = torch.randint(2, 6, (length, size), generator=generator)
        first, second = (uniform(0, 2, size, generator) for _ in range(2))
        rows, tenth = torch.arange(size), length // 10
        symbols[uniform(length // 10, length // 10 + tenth, size, generator), rows] = first
        symbols[uniform(4 * length // 10, 4 * length // 10 + tenth, size, generator), rows] = second
        return Batch(encode(symbols, 6), 2 * first + second)
