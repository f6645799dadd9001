"""A trained network over documents: its outputs chunk by chunk, and a figure for each token."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..nn import LanguageModel
from .streams import IGNORED, Chunk, Streams

_SCORES = 1 << 22  # computed at a time: 16 MiB in float32


@torch.no_grad()
def outputs(network: LanguageModel, streams: Streams) -> Iterator[tuple[Chunk, Tensor]]:
    """Each chunk and the vectors [T, B, P] of its words, without dropout; mode and stream are put back."""
    was_training, state = network.training, {k: v.clone() for k, v in network.state_dict().items()}
    network.eval()
    network.reset()
    try:
        for chunk in streams:
            yield chunk, network(*(chunk.sides if network.bidirectional else chunk.sides[:2]))
    finally:
        network.load_state_dict(state)
        network.train(was_training)


@torch.no_grad()
def figures(
    network: LanguageModel,
    streams: Streams,
    figure: Callable[[Tensor, Tensor], Tensor],
    progress: Callable[[int, int], None] = lambda done, chunks: None,
) -> NDArray[np.float64]:
    """A figure of each token, in the order of the corpus [N].

    Args:
        figure: of log-probabilities [n, V] and the words that stand there [n]; gives [n].
    """
    found = np.zeros(len(streams.corpus.ids))
    rows = max(1, _SCORES // network.vocab_size)
    for number, (chunk, output) in enumerate(outputs(network, streams)):
        known = chunk.target != IGNORED
        parts = zip(output[known].split(rows), chunk.target[known].split(rows), strict=True)
        values = torch.cat([figure(network.softmax(x), words) for x, words in parts])
        found[streams.places(number)[known.numpy()]] = values.double().numpy()
        progress(number + 1, len(streams))
    return found


def surprise(log_probabilities: Tensor, words: Tensor) -> Tensor:
    """Negative log-probability of each word, in nats: a figure for `figures`."""
    return -log_probabilities.gather(1, words[:, None])[:, 0]
