"""How rows of unequal length lie one after another without padding, as an argument of every layer's call."""

from typing import NamedTuple

from torch import Tensor


class RaggedLayout(NamedTuple):
    """The rows of a batch without padding, as `lengths` of a call: `layer(data, hx, RaggedLayout(sizes, batch))`.

    The data [N, I] are the elements in time-major order, the longest row first, as in the data of a PackedSequence. The
    output is [N, F] in the same order, and so are the rows of states. `Stack`, `TextRNN` and `Stateful` call the layers
    inside them in this form: whatever stands around a layer has its tensors as plain arguments and results.

    Attributes:
        batch_sizes: [T] int64 on the CPU, how many rows have a step t; never rises.
        batch: B, rows of length zero included, which come last.
        starts: [B] bool, which rows begin in the layer's own initial state whatever hx says; None: none of them.
        clock: [B] steps of each row that were read before, or the same of all; for cells that count them.
    """

    batch_sizes: Tensor
    batch: int
    starts: Tensor | None = None
    clock: Tensor | int = 0
