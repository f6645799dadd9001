"""A classifier that starts from a language model (Howard & Ruder 2018): its settings, its weights, how it is tuned."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch

from .. import language
from ..errors import UsageError
from ..language import TrainedLanguageModel
from ..nn import TRAINED, RecurrentSettings, TextRNN
from ..training import Epoch, FitEvents, Step, model_folder, run_folder
from .config import FINE_TUNED, ClassifierConfig, resolve

LANGUAGE_MODEL = "language-model"  # folder inside a run


def refuse_vectors(config: ClassifierConfig) -> None:
    """Raises UsageError if the settings name a file of word vectors: a language model brings its own."""
    if config.vectors:
        raise UsageError(f"a language model brings word vectors of its own; got one and vectors {config.vectors}")


def adopt(model: TrainedLanguageModel, config: ClassifierConfig) -> ClassifierConfig:
    """The configuration with the tokenizer, the vocabulary and the layers of a language model.

    Raises:
        UsageError: a setting that is neither the model's nor the preset's, with both; a model of the objective fill;
            a file of word vectors.
    """
    refuse_vectors(config)
    source = model.config
    if source.objective != "next":
        raise UsageError("expected a language model that predicts the next word, got one of the objective fill")
    layers = model.network.directions[0].layer.layers
    adopted = {
        **{f.name: getattr(source, f.name) for f in fields(RecurrentSettings) if f.name not in TRAINED},
        "tokenizer": model.tokenizer.kind,
        "vocab_size": model.tokenizer.vocab_size,
        "min_count": source.min_count,
        "embedding_dim": source.embedding_dim,
        "hidden_sizes": ",".join(str(layer.hidden_size) for layer in layers),  # type: ignore[union-attr]
        "num_layers": 1,
        "bidirectional": False,
        "direction": source.direction,
    }
    usual = resolve(FINE_TUNED)
    for name, value in adopted.items():
        given = getattr(config, name)
        if given not in (value, getattr(usual, name)):
            raise UsageError(f"{name}: the language model has {value!r}, got {given!r}")
    return replace(config, **adopted)


def start_from(network: TextRNN, model: TrainedLanguageModel) -> None:
    """Give a new network the language model's word vectors and layers; pooling and output stay new."""
    prefix = "readers.0.layer."
    weights = model.network.state_dict()
    own = {f"recurrent.{k.removeprefix(prefix)}": v for k, v in weights.items() if k.startswith(f"{prefix}layers.")}
    missing, unexpected = network.load_state_dict(
        {**own, "embedding.weight": weights["embedding.weight"]}, strict=False
    )
    wrong = [name for name in missing if name.startswith(("recurrent.", "embedding."))] + unexpected
    if wrong:
        raise UsageError(f"expected the layers of the language model, got a network that differs in {', '.join(wrong)}")


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
        depth = next(place for place, prefix in enumerate(prefixes) if name.startswith(prefix))
        return float(decay ** (len(prefixes) - 1 - depth))

    return factor


class GradualUnfreezing:
    """A `training.Listener` that trains the top block alone in the first epoch, and one more from epoch to epoch.

    What is frozen from the start stays so.
    """

    def __init__(self, network: TextRNN) -> None:
        self._blocks = blocks(network)
        self._parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}

    def epoch_started(self, epoch: int, first_step: int, steps: int) -> None:
        frozen = tuple(self._blocks[: max(0, len(self._blocks) - epoch)])
        for name, parameter in self._parameters.items():
            parameter.requires_grad_(not (frozen and name.startswith(frozen)))
            if not parameter.requires_grad:
                parameter.grad = None

    def step_done(self, step: Step, model: torch.nn.Module) -> None:
        pass

    def epoch_done(self, epoch: Epoch, is_best: bool) -> None:
        pass


def under_way(out: Path) -> bool:
    """Whether the language model of a run was begun, and its classifier was not."""
    return (out / LANGUAGE_MODEL).exists() and not (out / run_folder.CHECKPOINT).exists()


def pretrained(
    out: Path,
    unlabelled: Sequence[str | Path],
    texts: Sequence[str],
    left_out: Sequence[str],
    *,
    start: TrainedLanguageModel | None,
    config: language.LanguageConfig | None,
    text_column: str | None,
    encoding: str,
    events: FitEvents | None,
) -> TrainedLanguageModel:
    """The language model of unlabelled files and of texts at hand, in a folder of the run; one that is there is taken.

    Args:
        left_out: texts that are never learned from.
    """
    folder = out / LANGUAGE_MODEL
    if not (folder / model_folder.CONFIG).exists():
        language.pretrain(
            unlabelled,
            folder,
            config,
            at_hand=texts,
            leave_out_texts=left_out,
            start=start,
            text_column=text_column,
            encoding=encoding,
            overwrite=True,
            resume=(folder / run_folder.CHECKPOINT).exists(),
            events=events,
        )
    return language.load(folder)
