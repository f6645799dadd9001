"""Two classifiers of one direction each, read from either end and averaged."""

from typing import Any

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import UsageError
from ._border import Lengths
from ._text_rnn import TextRNN


class BothWays(TextRNN):
    """A `TextRNN` that reads forward and another, with word vectors of its own, that reads backward.

    Their scores are averaged, as Howard & Ruder (2018, section 3.3) average classifiers that start from a forward and a
    backward language model; here both are trained at once, on the loss of the average.

    Args:
        as `TextRNN`, whose networks are of one direction here.
    Attributes:
        other: the one that reads backward.
    """

    def __init__(self, vocab_size: int, num_classes: int, **arguments: Any) -> None:
        if arguments.pop("backward", False) or arguments.get("bidirectional"):
            raise UsageError("two networks of one direction each are neither backward nor bidirectional themselves")
        super().__init__(vocab_size, num_classes, **arguments)
        self.other = TextRNN(vocab_size, num_classes, backward=True, **arguments)

    def forward(self, ids: Tensor | PackedSequence, lengths: Lengths = None, features: Tensor | None = None) -> Tensor:
        """As `TextRNN.forward`."""
        other: Tensor = self.other(ids, lengths, features)
        return (super().forward(ids, lengths, features) + other) / 2
