"""Text from a language model, word by word."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DivergedError, UsageError
from ..nn import LanguageModel, Stateful
from ..settings import counted, within
from ..text import END_ID, PAD_ID, UNKNOWN_ID
from .model import TrainedLanguageModel


@dataclass(frozen=True)
class Sampling:
    """How the next word is chosen.

    Attributes:
        temperature: logits are divided by it; 0 takes the likeliest word.
        top_k: choose among so many likeliest words (Fan et al. 2018, section 3.3); 0: among all.
        top_p: then among the fewest likeliest words that hold this share of the probability (Holtzman et al. 2020,
            section 3.1).
        seed: of the choices; sample number n of a seed is the same however many there are.
        max_tokens: at most.
        stop_at_end: stop where a line ends; None: in models of documents that are lines or paragraphs.
        allow_unknown: the unknown word may be chosen.
    Raises:
        UsageError: a value outside of its bounds.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0
    max_tokens: int = 100
    stop_at_end: bool | None = None
    allow_unknown: bool = False

    def __post_init__(self) -> None:
        within("temperature", self.temperature, 0)
        counted("top_k", self.top_k, 0)
        within("top_p", self.top_p, 0, 1, above=True)
        counted("seed", self.seed, 0, most=2**64 - 1)
        counted("max_tokens", self.max_tokens, 1)


def generate(model: TrainedLanguageModel, prompt: str = "", sampling: Sampling | None = None, number: int = 0) -> str:
    """The prompt and what follows it, or, from a model that reads backward, what precedes it and the prompt.

    Args:
        prompt: how the text begins, or ends; its line breaks are ends of lines.
        number: of the sample.
    Raises:
        UsageError: a model of the objective "fill".
    """
    added = "".join(continuation(model, prompt, sampling, number))
    return added + prompt if model.config.backward else prompt + added


def continuation(
    model: TrainedLanguageModel, prompt: str = "", sampling: Sampling | None = None, number: int = 0
) -> Iterator[str]:
    """What `generate` adds to the prompt, in pieces as they arise; from a model that reads backward in a single one.

    The words are joined as `TextTokenizer.text_of` joins them.
    """
    sampling = sampling or Sampling()
    counted("number", number, 0)
    if not isinstance(prompt, str):
        raise UsageError(f"the prompt must be a string, got {type(prompt).__name__}")
    if model.network.bidirectional:
        raise UsageError("generation needs a model of the objective next, got one of fill, which fills in words")
    ids = prompt_ids(model, prompt)

    def text_of(words: list[int]) -> str:
        """As at the start of a line, where no space comes first."""
        return model.tokenizer.text_of([END_ID, *words]).removeprefix("\n")

    if model.config.backward:
        before = list(_words(model, ids[::-1], sampling, number))[::-1]
        yield text_of([*before, *ids[:1]]).removesuffix(text_of(ids[:1]))
        return
    last = ids[-1:]
    spaced = prompt[-1:].isspace() and model.tokenizer.kind in ("words", "spaces")  # who writes spaces between words
    for word in _words(model, ids, sampling, number):
        added = text_of([*last, word]).removeprefix(text_of(last))
        yield added.removeprefix(" ") if spaced else added
        last, spaced = [word], False


def prompt_ids(model: TrainedLanguageModel, prompt: str) -> list[int]:
    """Token ids of a prompt, an end between its lines, of which those without a word are no lines."""
    *lines, last = prompt.split("\n")
    ids: list[int] = []
    for line in filter(str.strip, lines):
        ids += [*model.tokenizer.encode([line])[0].tolist(), END_ID]
    return ids + model.tokenizer.encode([last])[0].tolist()  # type: ignore[no-any-return]


def _words(model: TrainedLanguageModel, ids: list[int], sampling: Sampling, number: int) -> Iterator[int]:
    """The words that follow these in the order of reading."""
    stops = sampling.stop_at_end
    if stops is None:
        stops = model.config.documents in ("line", "blank")
    generator = np.random.default_rng((sampling.seed, number))
    # A stream of its own over the same weights: the network's is not touched.
    stream = Stateful(model.network.directions[0].layer).eval()
    ids = [END_ID, *ids]
    for _ in range(sampling.max_tokens):
        probabilities = distribution(_next(model.network, stream, ids), sampling)
        cumulated = probabilities.cumsum()
        word = int(np.searchsorted(cumulated, generator.random() * cumulated[-1], "right"))
        if stops and word == END_ID:
            return
        yield word
        ids = [word]


@torch.no_grad()
def _next(network: LanguageModel, stream: Stateful, ids: list[int]) -> NDArray[np.float64]:
    """[V] log-probabilities of the word behind these."""
    output, _ = stream(network.embedding(torch.tensor(ids)[:, None]))
    return np.asarray(network.softmax(output[-1, 0]).double().numpy())


def distribution(log_probabilities: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """[V] what the next word is drawn from; padding has none, nor the unknown word unless it is allowed.

    Raises:
        DivergedError: these are no probabilities, because the weights are no numbers.
    """
    scores = log_probabilities.astype(np.float64)
    if np.isnan(scores).any():
        raise DivergedError("expected probabilities from the model, got what is not a number: its weights are damaged")
    scores[[PAD_ID] if sampling.allow_unknown else [PAD_ID, UNKNOWN_ID]] = -np.inf
    likeliest_first = np.argsort(-scores, kind="stable")
    if not sampling.temperature:
        return np.asarray(np.arange(len(scores)) == likeliest_first[0], np.float64)
    with np.errstate(over="ignore"):
        probabilities = np.exp((scores - scores.max()) / sampling.temperature)
    if sampling.top_k:
        probabilities[likeliest_first[sampling.top_k :]] = 0
    probabilities /= probabilities.sum()
    if sampling.top_p < 1:
        before = np.cumsum(probabilities[likeliest_first]) - probabilities[likeliest_first]
        probabilities[likeliest_first[before >= sampling.top_p]] = 0
        probabilities /= probabilities.sum()
    return np.asarray(probabilities)
