"""The continuous cache: words that were read lately are likelier to come again."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..settings import counted, within


@dataclass(frozen=True)
class Cache:
    """Grave, Joulin & Usunier (2017), "Improving Neural Language Models with a Continuous Cache", section 3.

    Of the last N steps i of the same document the cache holds what the softmax read, h_i, and the word that came, w_i:

        p_cache(w) = sum of exp(flatness h_i . h_t) over the i with w_i = w, divided by the sum over all i
        p(w) = (1 - weight) p_vocab(w) + weight p_cache(w)

    A document begins with an empty cache, and its first word has p_vocab alone.

    Attributes:
        size: N.
        weight: their lambda.
        flatness: their theta; at 0 all words of the cache count alike.
    Raises:
        UsageError: a value outside of its bounds.
    """

    size: int
    weight: float = 0.1
    flatness: float = 0.3

    def __post_init__(self) -> None:
        counted("size of the cache", self.size, 1)
        within("weight of the cache", self.weight, 0, 1, below=True)
        within("flatness of the cache", self.flatness, 0)


class Memory:
    """What the cache holds of B streams."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._held: tuple[Tensor, Tensor, Tensor] | None = None  # the last N of those arguments of `losses`

    def losses(self, output: Tensor, words: Tensor, documents: Tensor, losses: Tensor) -> Tensor:
        """The negative log-probabilities [T, B] with the cache, which goes on from chunk to chunk.

        Args:
            output: [T, B, P] what the softmax reads.
            words: [T, B] that came.
            documents: [T, B] their documents' numbers.
            losses: [T, B] without the cache.
        """
        new = output, words, documents
        held = new if self._held is None else tuple(map(torch.cat, zip(self._held, new, strict=True)))
        outputs, held_words, held_documents = held
        steps, size = len(output), self._cache.size
        place = torch.arange(len(outputs))
        back = place[-steps:, None] - place
        within_reach = ((back > 0) & (back <= size))[..., None] & (held_documents == documents[:, None])  # [T, J, B]
        scores = self._cache.flatness * torch.einsum("tbp,jbp->tjb", output, outputs)
        scores = scores.masked_fill(~within_reach, -math.inf)
        total = scores.logsumexp(1)
        right = scores.masked_fill(held_words != words[:, None], -math.inf).logsumexp(1)
        weight = math.log(self._cache.weight) if self._cache.weight else -math.inf
        mixed = -torch.logaddexp(math.log1p(-self._cache.weight) - losses, weight + right - total)
        self._held = outputs[-size:], held_words[-size:], held_documents[-size:]
        return torch.where(total.isinf(), losses, mixed)
