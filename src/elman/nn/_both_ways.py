"""Two classifiers of one direction each, read from either end and averaged."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import UsageError
from ._border import Lengths, read_once
from ._text_rnn import TextRNN
from ._wrapper import admitted


class BothWays(TextRNN):
    """A `TextRNN` that reads forward and another, with word vectors of its own, that reads backward.

    Their scores are averaged, as Howard & Ruder (2018, section 3.3) average classifiers that start from a forward and a
    backward language model. Each is to learn from a loss of its own (`opinions`): on the loss of the average one leaves
    to the other what that does well, and their errors grow alike.

    Args:
        vocab_size, num_classes: V and C.
        arguments: those of `TextRNN`, but for `backward` and `bidirectional`: each network reads in one direction.
    Attributes:
        other: the one that reads backward.
    """

    def __init__(self, vocab_size: int, num_classes: int, **arguments: Any) -> None:
        if arguments.pop("backward", False) or arguments.get("bidirectional"):
            raise UsageError("two networks of one direction each are neither backward nor bidirectional themselves")
        super().__init__(vocab_size, num_classes, **arguments)
        self.other = TextRNN(vocab_size, num_classes, backward=True, **arguments)

    def opinions(self, ids: Tensor | PackedSequence, lengths: Lengths = None, features: Tensor | None = None) -> Tensor:
        """As `TextRNN.opinions`; there are two, forward first."""
        lengths = read_once(lengths)
        backward = self.other(ids, lengths, features)
        return torch.cat([super().opinions(ids, lengths, features), backward[None]])

    def _admit(self, name: str, module: torch.nn.Module) -> torch.nn.Module:
        if name == "other":
            return admitted(module, ("ids", "lengths", "features"), TextRNN)
        return super()._admit(name, module)
