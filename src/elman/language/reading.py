"""A trained network over documents: its outputs chunk by chunk, the loss of them all, and a figure for each token."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..nn import LanguageModel, Stateful
from ..text import END_ID, RaggedIds
from .streams import IGNORED, Chunk, Streams, whole_documents


@contextmanager
def reader(network: LanguageModel) -> Iterator[LanguageModel]:
    """The same weights in evaluation mode, with fresh streams of their own: a trained network may have many at once.

    One that trains is in evaluation mode inside.
    """
    was_training = network.training
    if was_training:
        network.eval()
    own = copy.copy(network)
    streams = torch.nn.ModuleList(Stateful(each.layer, each.overlap) for each in network.directions)
    own._modules = {**network._modules, "readers": streams}
    try:
        yield own
    finally:
        if was_training:
            network.train()


@torch.no_grad()
def outputs(network: LanguageModel, streams: Streams) -> Iterator[tuple[Chunk, Tensor]]:
    """Each chunk and the vectors [T, B, P] of its words, read by a `reader` of the network."""
    with reader(network) as own:
        for chunk in streams:
            yield chunk, own(*chunk.sides(network.bidirectional))


@torch.no_grad()
def negative_log_likelihood(network: LanguageModel, corpus: RaggedIds, *, backward: bool = False) -> tuple[float, int]:
    """Of every token of some documents, each read from its start with a fresh state: the sum in nats, and their number.

    A bidirectional network sees of the right side what stands in the same chunk.
    """
    total, count = 0.0, 0
    for chunk, output in outputs(network, whole_documents(corpus, END_ID, backward=backward)):
        known = chunk.target != IGNORED
        total += float(network.softmax.loss(output[known], chunk.target[known]))
        count += int(known.sum())
    return total, count


@torch.no_grad()
def figures(
    network: LanguageModel,
    streams: Streams,
    figure: Callable[[Tensor, Tensor], Tensor],
    progress: Callable[[int, int], None] = lambda done, chunks: None,
) -> NDArray[np.float64]:
    """A figure of each token, in the order of the corpus [N].

    Args:
        figure: of what the softmax reads [n, P] and the words that stand there [n]; gives [n].
    """
    found = np.zeros(len(streams.corpus.ids))
    for number, (chunk, output) in enumerate(outputs(network, streams)):
        known = chunk.target != IGNORED
        values = figure(output[known], chunk.target[known])
        found[streams.places(number)[known.numpy()]] = values.double().numpy()
        progress(number + 1, len(streams))
    return found
