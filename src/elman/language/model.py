"""A trained language model: settings, tokenizer and network."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..nn import LanguageModel
from ..settings import whole_numbers, within_memory
from ..text import Provenance, TextTokenizer
from .config import LARGE, LanguageConfig


@dataclass
class TrainedLanguageModel:
    """What a model folder holds.

    Attributes:
        provenance: which column and encoding of the tables it learned from; None of texts in memory.
    """

    config: LanguageConfig
    tokenizer: TextTokenizer
    network: LanguageModel
    provenance: Provenance | None = None

    @property
    def measure(self) -> str:
        """What e to its loss is: "perplexity", or "pseudo-perplexity" where each word is predicted from both sides.

        The words' probabilities then are not those of the text, and the figure cannot be set beside a perplexity.
        """
        return "pseudo-perplexity" if self.network.bidirectional else "perplexity"


def build_network(config: LanguageConfig, vocab_size: int, counts: NDArray[Any] | None = None) -> LanguageModel:
    """The untrained network of a configuration.

    Args:
        counts: [V] of the words in the training text, for the cutoffs of the adaptive softmax.
    """
    return network_of(config, vocab_size, cutoffs(config, vocab_size, counts))


def network_of(config: LanguageConfig, vocab_size: int, cutoffs: Sequence[int], device: str = "cpu") -> LanguageModel:
    """The same with these cutoffs, of float32 whatever the process has as its default; "meta" is without memory."""
    with within_memory("the network"):
        return LanguageModel(vocab_size, cutoffs=cutoffs, device=device, dtype=torch.float32, **config.network)


def cutoffs(config: LanguageConfig, vocab_size: int, counts: NDArray[Any] | None) -> list[int]:
    """Where the classes of the softmax begin; [] for a full one."""
    given = whole_numbers("cutoffs", config.cutoffs)
    if config.softmax == "full" or (config.softmax == "auto" and not given and vocab_size < LARGE):
        return []
    return given or best_cutoffs(np.ones(vocab_size) if counts is None else counts)


def best_cutoffs(counts: NDArray[Any]) -> list[int]:
    """Two cutoffs with the fewest products a word (Grave et al. 2017, section 4.2), on a grid of powers of two.

    Args:
        counts: [V], of ids that fall in frequency; needs at least 4 of them.
    """
    share = np.concatenate([[0], np.cumsum(counts) / max(1, counts.sum())])
    size = len(counts)
    grid = [2**k for k in range(1, 31) if 2**k < size]
    pairs = [(a, b) for a in grid for b in grid if a < b] or [(1, 2)]

    def products(a: int, b: int) -> float:
        return float(a + 2 + (share[b] - share[a]) * (b - a) + (1 - share[b]) * (size - b))

    return list(min(pairs, key=lambda pair: products(*pair)))
