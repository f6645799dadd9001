"""A missing word, from what stands before and after it."""

import re

import numpy as np
import torch

from ..errors import UsageError
from ..settings import counted
from ..text import END_ID, UNKNOWN_ID, RaggedIds, TextTokenizer
from .config import LanguageConfig
from .model import TrainedLanguageModel
from .reading import outputs
from .streams import whole_documents

SPECIALS = 1 + END_ID  # ids below are no words: padding, the unknown word, the end
BLANK = re.compile("_{3,}")
_MARK = "\ue000"  # of the Unicode plane of private use: a token of its own in every tokenizer


def fill(model: TrainedLanguageModel, text: str, top: int = 5) -> list[list[tuple[str, float]]]:
    """For each blank `___` of a text the likeliest words with their probabilities, the likeliest first.

    A model of the objective "fill" knows both sides; one of the objective "next" only what it has read before the
    blank. Each of several blanks is filled with the others unknown. The text is one document, read as a whole.

    Args:
        top: words for each blank.
    Returns:
        a list for each blank; probabilities are of the whole vocabulary, of which the unknown word and the end are
        never proposed. A BPE piece that begins a word has its space before it.
    Raises:
        UsageError: a text without a blank, or a model without a word.
    """
    counted("top", top, 1)
    ids, blanks = _encoded(model.tokenizer, text)
    document = RaggedIds(ids, np.array([0, len(ids)], np.int64))
    streams = whole_documents(document, END_ID, tokens=len(ids), backward=model.config.backward)
    [(_, output)] = outputs(model.network, streams)
    step_of = np.argsort(streams.places(0)[:, 0])  # backward models read the words in another order
    with torch.no_grad():
        probabilities = model.network.softmax(output[step_of[blanks], 0]).exp()
    if probabilities.shape[1] <= SPECIALS:
        raise UsageError("expected a model that knows a word, got one whose vocabulary has none")
    probabilities[:, :SPECIALS] = -1
    best = probabilities.topk(min(top, probabilities.shape[1] - SPECIALS))
    return [
        [(model.tokenizer.text_of([i]), p) for i, p in zip(words, values, strict=True)]
        for words, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]


def sides(config: LanguageConfig) -> str:
    """From where a model knows a missing word."""
    if config.objective == "fill":
        return "from both sides"
    return f"from the {'right' if config.backward else 'left'} only ({config.direction} only)"


def _encoded(tokenizer: TextTokenizer, text: str) -> tuple[np.ndarray, list[int]]:
    """Ids [N] of a text with an end after each line, and where its blanks are."""
    if not isinstance(text, str):
        raise UsageError(f"expected a text with a blank ___ in it, got {type(text).__name__}")
    if not BLANK.search(text):
        raise UsageError(f"expected a text with a blank ___ in it, got {text[:60]!r}")
    mark = f" {_MARK} " if tokenizer.kind == "spaces" else _MARK
    ids: list[int] = []
    blanks: list[int] = []
    for line in text.replace(_MARK, " ").split("\n"):
        if not line.strip():
            continue  # as in training
        line = BLANK.sub(mark, line.strip())
        for i, token in zip(tokenizer.encode([line])[0].tolist(), tokenizer.tokens(line), strict=True):
            if token != _MARK:
                ids.append(i)
                continue
            if tokenizer.kind == "bpe" and ids and tokenizer.text_of(ids[-1:]) == " ":
                ids.pop()  # the space belongs to the piece that is missing
            blanks.append(len(ids))
            ids.append(UNKNOWN_ID)
        ids.append(END_ID)
    return np.array(ids, np.int32), blanks
