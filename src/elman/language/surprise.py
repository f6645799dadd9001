"""Where a model is surprised: the loss of single words, and how it falls with what was read before."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nn import LanguageModel
from ..text import END_ID, UNKNOWN_ID, RaggedIds, TextTokenizer
from .model import TrainedLanguageModel
from .reading import figures
from .streams import whole_documents

TOKENS = 20000
_LINES, _SHORT, _SHOWN = 5, 8, 80
_LONGEST, _FEWEST = 256, 30


def surprises(model: TrainedLanguageModel, documents: RaggedIds, tokens: int = TOKENS) -> dict[str, Any]:
    """The loss of each of at most so many tokens of documents drawn at random; the text of one document from its start.

    Returns:
        tokens: how many were read.
        most, least: the lines of the highest and the lowest mean loss, each as `loss` in nats a token, `words` with
            the loss of each, as they follow each other in print, and `cut`, how many are not shown. Lines of fewer
            than 8 tokens, or with one in ten unknown, only if there are no others.
        context: see `context`; [] for a model that does not read forward only.
    """
    sample = _sample(documents, tokens)
    losses = _losses(model.network, sample, model.config.backward)
    lines = sorted(_lines(sample), key=lambda line: float(losses[line].mean()))
    lines = [line for line in lines if _tells(sample.ids[line])] or lines
    count = min(_LINES, max(1, len(lines) // 2))
    shown = [_line(model.tokenizer, sample.ids[line], losses[line]) for line in lines]
    forward = not (model.config.backward or model.network.bidirectional)
    return {
        "tokens": len(sample.ids),
        "most": shown[: -count - 1 : -1],
        "least": shown[:count],
        "context": context(model.network, sample, losses) if forward else [],
    }


def context(network: LanguageModel, documents: RaggedIds, losses: NDArray[np.float64]) -> list[dict[str, float]]:
    """What it costs to know only the last few words: how far the memory reaches.

    Documents are cut into pieces of 256 tokens, or halves where that is less, and the pieces read as if nothing stood
    before them. Of the same tokens the loss with all that stands before is subtracted, so that their words matter
    little and the memory much.

    Args:
        losses: [N] with all that stands before.
    Returns:
        for 0, 1, 2 to 3, 4 to 7, ... words known: `first`, `last`, `tokens` and the mean `loss` added, in nats a
        token, with its sampling `error`, pieces being independent; only where there are 30 tokens.
    """
    pieces = [
        start + np.arange(0, length, min(_LONGEST, (length + 1) // 2))
        for start, length in zip(documents.offsets[:-1], documents.lengths, strict=True)
    ]
    offsets = np.concatenate([*pieces, documents.offsets[-1:]]).astype(np.int64)
    again = RaggedIds(documents.ids, offsets)
    added = _losses(network, again, False) - losses
    known = np.arange(len(added)) - np.repeat(offsets[:-1], again.lengths)
    piece = np.repeat(np.arange(len(again)), again.lengths)
    from_start = np.repeat(np.isin(offsets[:-1], documents.offsets), again.lengths)
    bins = np.where(from_start, -1, np.frexp(known)[1])
    rows = []
    for number in range(int(bins.max(initial=-1)) + 1):
        chosen = added[bins == number]
        if len(chosen) >= _FEWEST:
            first, last = (2 ** (number - 1), 2**number - 1) if number else (0, 0)
            figures = {"loss": float(chosen.mean()), "error": _error(chosen, piece[bins == number])}
            rows.append({"first": first, "last": last, "tokens": len(chosen), **figures})
    return rows


def _error(values: NDArray[np.float64], pieces: NDArray[np.int64]) -> float:
    """Sampling error of the mean, where values of one piece go together."""
    sums = np.bincount(pieces, values - values.mean())
    return float(np.sqrt((sums**2).sum()) / len(values))


def _losses(network: LanguageModel, documents: RaggedIds, backward: bool) -> NDArray[np.float64]:
    return figures(network, whole_documents(documents, END_ID, backward=backward), network.softmax.losses)


def _sample(documents: RaggedIds, tokens: int) -> RaggedIds:
    """Whole documents as long as they fit, at least one, which is cut if need be."""
    order = np.random.default_rng(0).permutation(len(documents))
    fitting = np.cumsum(documents.lengths[order]) <= tokens
    return documents.select(np.sort(order[: max(1, int(fitting.sum()))])).cut(tokens, "start")


def _lines(documents: RaggedIds) -> Iterator[slice]:
    """Each with the end that closes it."""
    stops = np.unique(np.concatenate([np.flatnonzero(documents.ids == END_ID) + 1, documents.offsets[1:]]))
    return (slice(int(a), int(b)) for a, b in zip([0, *stops[:-1]], stops, strict=True))


def _tells(line: NDArray[np.int32]) -> bool:
    return len(line) > _SHORT and float((line == UNKNOWN_ID).mean()) < 0.1


def _line(tokenizer: TextTokenizer, ids: NDArray[np.int32], losses: NDArray[np.float64]) -> dict[str, Any]:
    between = "" if tokenizer.kind in ("characters", "bpe", "jieba") else " "
    words = ["↵" if i == END_ID else tokenizer.text_of([i]) for i in ids[:_SHOWN].tolist()]
    return {
        "loss": float(losses.mean()),
        "words": [[between + word, round(loss, 3)] for word, loss in zip(words, losses.tolist(), strict=False)],
        "cut": max(0, len(ids) - _SHOWN),
    }
