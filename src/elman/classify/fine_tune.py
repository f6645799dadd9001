"""A classifier that starts from a language model (Howard & Ruder 2018): its settings, its weights, how it is tuned."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn.functional import pad

from ..errors import UsageError
from ..language import TrainedLanguageModel
from ..nn import ARCHITECTURE, BothWays, TextRNN
from ..settings import inherit, is_explicit
from ..training import Listener
from .config import BOTH, FINE_TUNED, ClassifierConfig, resolve

OTHER = "other."  # what the names of the backward network of `nn.BothWays` begin with


def refuse_vectors(config: ClassifierConfig) -> None:
    """Raises UsageError if the settings name a file of word vectors: a language model brings its own."""
    if config.vectors:
        raise UsageError(f"a language model brings word vectors of its own; got one and vectors {config.vectors}")


def adopt(models: Sequence[TrainedLanguageModel], config: ClassifierConfig) -> ClassifierConfig:
    """The configuration with the tokenizer, the vocabulary and the layers of a language model, or of one each way.

    Raises:
        UsageError: a setting that is neither the model's nor the preset's, with both; a model of the objective fill;
            two models of one direction, or that differ in their vocabulary or their layers; a file of word vectors.
    """
    refuse_vectors(config)
    for each in models:
        if each.config.objective != "next":
            raise UsageError("expected a language model that predicts the next word, got one of the objective fill")
    if len(models) > 1:
        _check_pair(models)
    brought = _brought(models[0])
    if len(models) > 1:
        brought["direction"] = BOTH
    usual = resolve(FINE_TUNED)
    if brought["residual"] and brought["embedding_dim"] == _sizes(models[0])[0]:
        _refuse_features(config, usual)
        brought["ngram_features"] = False
    return inherit(config, usual, brought)


def _refuse_features(config: ClassifierConfig, usual: ClassifierConfig) -> None:
    """Raises UsageError if n-gram features were asked for beside a residual layer as wide as its input."""
    if config.ngrams and config.ngram_features and is_explicit(config, "ngram_features", usual):
        raise UsageError(
            "ngram_features: the language model adds each layer's input to its output, so the lowest one reads nothing "
            "beside the word vectors; say --no-ngram-features"
        )


def _brought(model: TrainedLanguageModel) -> dict[str, Any]:
    """The settings of a classifier that a language model decides."""
    return {
        **{name: getattr(model.config, name) for name in ARCHITECTURE},
        "tokenizer": model.tokenizer.kind,
        "normalization": model.tokenizer.normalization,
        "vocab_size": model.tokenizer.vocab_size,
        "min_count": model.config.min_count,
        "embedding_dim": model.config.embedding_dim,
        "hidden_sizes": ",".join(map(str, _sizes(model))),
        "num_layers": 1,
        "bidirectional": False,
        "direction": model.config.direction,
    }


def _check_pair(models: Sequence[TrainedLanguageModel]) -> None:
    directions = [model.config.direction for model in models]
    if sorted(directions) != ["backward", "forward"]:
        raise UsageError(f"expected one language model, or a forward and a backward one, got {', '.join(directions)}")
    sizes = [model.tokenizer.vocab_size for model in models]
    normalizations = [model.tokenizer.normalization for model in models]
    if len(set(normalizations)) > 1:
        raise UsageError(
            f"the {directions[0]} model has normalization {normalizations[0]!r} and the {directions[1]} one "
            f"{normalizations[1]!r}: pretrain both with the same"
        )
    if models[0].tokenizer.to_json() != models[1].tokenizer.to_json():
        words, others = (set(model.tokenizer.words()) for model in models)
        alone = "".join(f"; only one of them has {word!r}" for word in sorted(words ^ others)[:1])
        raise UsageError(
            f"the {directions[0]} model has a vocabulary of {sizes[0]:,} and the {directions[1]} one another, of "
            f"{sizes[1]:,}{alone}: pretrain both on the same text with the same settings"
        )
    first, second = map(_brought, models)
    for name in first.keys() - _MAY_DIFFER:
        if first[name] != second[name]:
            raise UsageError(
                f"expected two language models of the same layers, got {name} {first[name]!r} of the {directions[0]} "
                f"and {second[name]!r} of the {directions[1]} one"
            )


_MAY_DIFFER = {"direction", "min_count", "init", "forget_bias", "hidden_size"}  # hidden_sizes says the last


def _sizes(model: TrainedLanguageModel) -> list[int]:
    """H of each layer."""
    return [layer.hidden_size for layer in model.network.directions[0].layer.layers]  # type: ignore[union-attr]


def start_from(network: TextRNN, models: Sequence[TrainedLanguageModel]) -> None:
    """Give a new network the language models' word vectors and layers; pooling and output stay new.

    What the lowest layer reads beside the word vectors, n-gram evidence, begins with weights of 0.
    """
    prefix = "readers.0.layer."
    for model in models:
        weights = model.network.state_dict()
        own = {f"recurrent.{k.removeprefix(prefix)}": v for k, v in weights.items() if k.startswith(f"{prefix}layers.")}
        own["embedding.weight"] = weights["embedding.weight"]
        part = network.other if isinstance(network, BothWays) and model.config.backward else network
        for name, wanted in part.state_dict().items():
            if name in own and name.startswith("recurrent.layers.0.weight_i") and network.feature_dim:
                own[name] = pad(own[name], (0, wanted.shape[1] - own[name].shape[1]))
        missing, unexpected = part.load_state_dict(own, strict=False)
        wrong = [name for name in missing if name.startswith(("recurrent.", "embedding."))] + unexpected
        if wrong:
            raise UsageError(f"expected the language model's layers, got a network that differs in {', '.join(wrong)}")


def blocks(network: TextRNN) -> list[str]:
    """Prefixes of the parts of a network that have a rate and a first epoch of their own, lowest first."""
    layers = [f"recurrent.layers.{number}." for number in range(len(network.recurrent_layers))]
    if isinstance(network.recurrent, torch.nn.RNNBase):
        layers = ["recurrent."]
    return ["embedding.", *layers, ""]


def rate_of(network: TextRNN, decay: float) -> Callable[[str], float]:
    """Factor of a parameter's learning rate by its name: 1 at the top, `decay` times less from block to block."""
    prefixes = blocks(network)

    def factor(name: str) -> float:
        name = name.removeprefix(OTHER)
        depth = next(place for place, prefix in enumerate(prefixes) if name.startswith(prefix))
        return float(decay ** (len(prefixes) - 1 - depth))

    return factor


class GradualUnfreezing(Listener):
    """Trains the top block alone in the first epoch, and one more from epoch to epoch.

    What is frozen from the start stays so.
    """

    def __init__(self, network: TextRNN) -> None:
        self._blocks = blocks(network)
        self._parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}

    def epoch_started(self, epoch: int, first_step: int, steps: int) -> None:
        frozen = tuple(self._blocks[: max(0, len(self._blocks) - epoch)])
        for name, parameter in self._parameters.items():
            parameter.requires_grad_(not (frozen and name.removeprefix(OTHER).startswith(frozen)))
            if not parameter.requires_grad:
                parameter.grad = None
