"""How likely a network finds documents: as it is, with a cache of the words read last, or learning as it reads."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DivergedError, UsageError
from ..nn import LanguageModel
from ..settings import counted, within
from ..text import END_ID, RaggedIds
from .cache import Cache, Memory
from .reading import reader
from .streams import IGNORED, Chunk, Streams, whole_documents

_CACHED_STEPS = 128  # of a chunk at most, and
_CACHED_SCORES = 1 << 23  # products of outputs in it, where there is a cache


@dataclass(frozen=True)
class Dynamic:
    """Dynamic evaluation: Krause et al. (2018), "Dynamic Evaluation of Neural Sequence Models", section 5.

    Documents are read in their order, as one stream of chunks. Each chunk is scored and then learned from, with L its
    mean loss and v the weights as they were trained:

        w <- w - rate dL/dw + decay (v - w)

    This is their stochastic gradient descent with the decay to v, without the scaling by gradients of the training
    text. The state begins anew at a document, the weights do not.

    Attributes:
        rate: their eta.
        decay: their lambda.
        steps: words of a chunk.
    Raises:
        UsageError: a value outside of its bounds.
    """

    rate: float
    decay: float = 0.0
    steps: int = 5

    def __post_init__(self) -> None:
        within("rate of dynamic evaluation", self.rate, 0)
        within("decay of dynamic evaluation", self.decay, 0, 1)
        counted("steps of dynamic evaluation", self.steps, 1)


def document_losses(
    network: LanguageModel,
    corpus: RaggedIds,
    *,
    backward: bool = False,
    cache: Cache | None = None,
    dynamic: Dynamic | None = None,
    batch_size: int = 64,
    tokens: int = 8192,
    progress: Callable[[int, int], None] = lambda done, tokens: None,
) -> NDArray[np.float64]:
    """[D] of each document the sum over its tokens of their negative log-probability, in nats.

    Each is read from its start with a fresh state. How many are read side by side, and how many tokens at a time,
    changes nothing but rounding, except for dynamic evaluation, which has its own. A bidirectional network reads its
    documents whole, so its memory grows with the longest. The network's weights, mode and stream stay as they are.

    Raises:
        UsageError: a cache or dynamic evaluation of a bidirectional network.
        DivergedError: dynamic evaluation with too high a rate.
    """
    if network.bidirectional and (cache is not None or dynamic is not None):
        raise UsageError("a cache and dynamic evaluation need a model of the objective next, got one of fill")
    if cache is not None:
        batch_size = min(batch_size, len(corpus))
        tokens = min(
            tokens, _CACHED_STEPS * batch_size, max(batch_size, _CACHED_SCORES // (cache.size + _CACHED_STEPS))
        )
    if dynamic is not None:
        batch_size, tokens = 1, dynamic.steps
    sums = np.zeros(len(corpus))
    done = 0
    if dynamic is not None:
        network = copy.deepcopy(network)
    with reader(network) as network, torch.set_grad_enabled(dynamic is not None):
        weights = list(network.parameters())
        trained = [weight.detach().clone() for weight in weights] if dynamic is not None else []
        for documents, streams in _readings(network, corpus, batch_size, tokens, backward):
            network.reset()
            memory = None if cache is None else Memory(cache)
            for number, chunk in enumerate(streams):
                output = network(*chunk.sides(network.bidirectional))
                numbers = streams.documents(number)
                losses, known = _losses(network, output.detach(), chunk, torch.from_numpy(numbers), memory)
                numbers = documents[numbers[known.numpy()]]
                sums += np.bincount(numbers, losses.double().numpy(), len(sums))
                done += len(losses)
                progress(done, len(corpus.ids))
                if dynamic is not None:
                    _learn(
                        network.softmax.loss(output[known], chunk.target[known]) / len(losses),
                        weights,
                        trained,
                        dynamic,
                    )
    if dynamic is not None and not np.isfinite(sums).all():
        raise DivergedError(f"dynamic evaluation diverged at a rate of {dynamic.rate:g}; a lower one may not")
    return sums


def _readings(
    network: LanguageModel, corpus: RaggedIds, batch_size: int, tokens: int, backward: bool
) -> Iterator[tuple[NDArray[np.int64], Streams]]:
    """Numbers of documents, and the streams of them.

    The words on the right are known to the end of a chunk, so that a bidirectional network needs whole documents in it.
    """
    all_of_them = np.arange(len(corpus))
    if not network.bidirectional:
        yield all_of_them, whole_documents(corpus, END_ID, batch_size=batch_size, tokens=tokens, backward=backward)
        return
    cuts = np.flatnonzero(np.diff(corpus.offsets[:-1] // tokens)) + 1
    for numbers in np.split(all_of_them, cuts):
        part = corpus.select(numbers)
        yield numbers, whole_documents(part, END_ID, batch_size=batch_size, tokens=batch_size * len(part.ids))


def _losses(
    network: LanguageModel, output: Tensor, chunk: Chunk, documents: Tensor, memory: Memory | None
) -> tuple[Tensor, Tensor]:
    """Of a chunk's words, and which of its places have one."""
    known = chunk.target != IGNORED
    losses = network.softmax.losses(output[known], chunk.target[known])
    if memory is not None:
        spread = output.new_zeros(known.shape)
        spread[known] = losses
        losses = memory.losses(output, chunk.target, documents, spread)[known]
    return losses, known


def _learn(loss: Tensor, weights: list[torch.nn.Parameter], trained: list[Tensor], dynamic: Dynamic) -> None:
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    with torch.no_grad():
        for weight, start, gradient in zip(weights, trained, gradients, strict=True):
            if dynamic.decay:
                weight.lerp_(start, dynamic.decay)
            if gradient is not None:
                weight.sub_(gradient, alpha=dynamic.rate)
