"""The output layer of a language model: a softmax over all words, or over the frequent ones and classes of the rest."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from ..ops import cross_entropy_by_row, linear_cross_entropy
from ._draws import current_generator


class Softmax(torch.nn.Module):
    """Probabilities of V words from a vector [P].

    With `cutoffs` it is the adaptive softmax of Grave et al. (2017, section 4): the words up to the first cutoff stand
    in the head, beside one score for each class of rarer words. The classes all have the full width P (those of their
    section 4.3 are narrower), so that `weight` can be that of the embedding. Ids are to fall in frequency.

    Args:
        cutoffs: rising ids at which classes begin; none: one softmax over all words.
        device, dtype: of the parameters, as in torch.nn.
    Attributes:
        weight, bias: [V, P] and [V].
        class_weight, class_bias: [K, P] and [K] of the classes; only with cutoffs.
    Raises:
        UsageError: cutoffs that do not rise, or outside 1 .. V - 1.
    """

    def __init__(
        self, vocab_size: int, input_size: int, cutoffs: Sequence[int] = (), device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        ends = [0, *cutoffs, vocab_size]
        if any(b <= a for a, b in pairwise(ends)):
            raise UsageError(f"cutoffs must rise from 1 to below the vocabulary's {vocab_size}, got {list(cutoffs)}")
        self.vocab_size, self.input_size, self.cutoffs = vocab_size, input_size, list(cutoffs)
        where = {"device": device, "dtype": dtype}
        self.weight = torch.nn.Parameter(torch.empty(vocab_size, input_size, **where))
        self.bias = torch.nn.Parameter(torch.zeros(vocab_size, **where))
        if cutoffs:
            self.class_weight = torch.nn.Parameter(torch.empty(len(cutoffs), input_size, **where))
            self.class_bias = torch.nn.Parameter(torch.zeros(len(cutoffs), **where))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights U(-0.1, 0.1) (Zaremba, Sutskever & Vinyals 2014), biases 0."""
        for name, parameter in self.named_parameters():
            if name.endswith("weight"):
                torch.nn.init.uniform_(parameter, -0.1, 0.1, generator=current_generator())
            else:
                torch.nn.init.zeros_(parameter)

    @property
    def _classes(self) -> list[tuple[int, int]]:
        """First id and the one after the last, of each class of rarer words."""
        return list(pairwise([*self.cutoffs, self.vocab_size])) if self.cutoffs else []

    def _head(self) -> tuple[Tensor, Tensor]:
        if not self.cutoffs:
            return self.weight, self.bias
        first = self.cutoffs[0]
        weight = torch.cat([self.weight[:first], self.class_weight])
        return weight, torch.cat([self.bias[:first], self.class_bias])

    def _parts(self, x: Tensor, target: Tensor) -> Iterator[tuple[Tensor | slice, Tensor, Tensor, Tensor, Tensor]]:
        """The softmaxes that the words ask for: which rows, and of these x, weight, bias and target."""
        in_head = target
        for number, (first, end) in enumerate(self._classes):
            in_head = torch.where((target >= first) & (target < end), self.cutoffs[0] + number, in_head)
        yield slice(None), x, *self._head(), in_head
        for first, end in self._classes:
            rows = ((target >= first) & (target < end)).nonzero()[:, 0]
            if len(rows):
                yield rows, x.index_select(0, rows), self.weight[first:end], self.bias[first:end], target[rows] - first

    def loss(self, x: Tensor, target: Tensor) -> Tensor:
        """Sum over the rows x [N, P] of the negative log-probability of their word in target [N], in nats."""
        total: Tensor = self(x, target)
        return total

    @torch.no_grad()
    def losses(self, x: Tensor, target: Tensor) -> Tensor:
        """[N] the negative log-probability of each row's word, without a gradient."""
        losses: Tensor = self(x, target, by_row=True)
        return losses

    def forward(self, x: Tensor, target: Tensor | None = None, by_row: bool = False) -> Tensor:
        """Log-probabilities [.., V] of all words; with a target what `loss` returns, or by row what `losses` does."""
        if target is None:
            return self._log_probabilities(x)
        if by_row:
            losses = x.new_zeros(len(x))
            for rows, *part in self._parts(x, target):
                losses[rows] += cross_entropy_by_row(*part)
            return losses
        total = x.new_zeros(())
        for _, *part in self._parts(x, target):
            total = total + linear_cross_entropy(*part)
        return total

    def _log_probabilities(self, x: Tensor) -> Tensor:
        weight, bias = self._head()
        head = torch.log_softmax(torch.nn.functional.linear(x, weight, bias), -1)
        if not self.cutoffs:
            return head
        parts = [head[..., : self.cutoffs[0]]]
        for number, (first, end) in enumerate(self._classes):
            inside = torch.nn.functional.linear(x, self.weight[first:end], self.bias[first:end])
            parts.append(torch.log_softmax(inside, -1) + head[..., self.cutoffs[0] + number, None])
        return torch.cat(parts, -1)

    def extra_repr(self) -> str:
        return f"{self.vocab_size}, {self.input_size}" + (f", cutoffs={self.cutoffs}" if self.cutoffs else "")
