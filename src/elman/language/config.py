"""Every setting of a language model: its meaning, its default, and the presets."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from ..errors import UsageError
from ..nn import CELLS, LanguageModel, RecurrentSettings, has_product
from ..settings import WIDEST, ResolvedSettings, choose, read_toml, setting, whole_numbers, within
from ..settings import resolve as resolve_settings
from ..text import DOCUMENTS, TextSettings
from ..training import SCHEDULES, TrainingSettings

OBJECTIVES = ("next", "fill")
DIRECTIONS = ("forward", "backward")
SOFTMAXES = ("auto", "full", "adaptive")

LARGE = 20000  # words from which on "auto" means adaptive


@dataclass(frozen=True)
class LanguageConfig(TrainingSettings, RecurrentSettings, TextSettings, ResolvedSettings):
    """Settings of a language model; `docs/settings.md` lists them with their defaults in each preset."""

    # text
    min_count: int = setting(3, "Times a token must occur to be kept.")
    documents: str = setting("auto", f"What is a document in a .txt file: {', '.join(DOCUMENTS)} (auto: file).")
    validation_split: float = setting(
        0.02, "Share of the text held out, as whole documents, when no validation file is given."
    )
    # network
    objective: str = setting("next", "next: predict the next word; fill: a word from those on both sides.")
    direction: str = setting("forward", f"Read documents {' or '.join(DIRECTIONS)}; of the objective next.")
    embedding_dim: int = setting(300, "Width of the word vectors.")
    hidden_size: int = setting(500, "Width of the state of each layer; the top one of a tied model is embedding_dim.")
    num_layers: int = setting(2, "Recurrent layers.")
    bidirectional: bool = setting(False, "Set by the objective fill.")
    memory: int = setting(70, "Steps to be remembered, for init chrono and recurrent_range and for leak log.")
    tied: bool = setting(True, "The softmax's weights are the word vectors.")
    softmax: str = setting("auto", f"One of {', '.join(SOFTMAXES)} (auto: adaptive from {LARGE:,} words on).")
    cutoffs: str = setting("", "Ranks at which the adaptive softmax's classes begin; empty: chosen by the counts.")
    dropout: float = setting(0.3, "On features of the output, the same along a chunk.")
    input_dropout: float = setting(0.2, "The same on the input of every layer but the first.")
    embedding_dropout: float = setting(0.3, "On features of the word vectors, the same along a chunk.")
    word_dropout: float = setting(0.05, "Share of the vocabulary whose vectors are hidden at a step.")
    weight_drop: float = setting(
        0.2, "On the elements of the recurrent matrices, the same for a chunk; 0 for cells without."
    )
    activation: float = setting(0.0, "Weight of the squared output as a penalty (AR of Merity et al. 2017).")
    slowness: float = setting(0.0, "Weight of the squared change of the state from step to step (their TAR).")
    # training
    batch_size: int = setting(40, "Streams read side by side.")
    bptt: int = setting(70, "Steps of a chunk, through which its loss goes back.")
    jitter: bool = setting(True, "Vary the chunks' length at random.")
    overlap: int = setting(0, "Steps before a chunk that are run again so that its loss reaches them.")
    epochs: int = setting(8, "Passes over the training data at most.")
    learning_rate: float = setting(3e-3, "Highest learning rate.")
    schedule: str = setting("triangular", f"Course of the learning rate: {', '.join(SCHEDULES)}.")
    clip_norm: float = setting(0.5, "Largest global norm of the gradient; 0 for none.")

    def __post_init__(self) -> None:
        self.check_text()
        self.check_recurrent()
        choose("documents", self.documents, DOCUMENTS)
        choose("objective", self.objective, OBJECTIVES)
        choose("direction", self.direction, DIRECTIONS)
        choose("softmax", self.softmax, SOFTMAXES)
        within("embedding_dim", self.embedding_dim, 1, most=WIDEST)
        for name in ("batch_size", "bptt"):
            within(name, getattr(self, name), 1)
        for name in ("overlap", "activation", "slowness"):
            within(name, getattr(self, name), 0)
        for name in ("dropout", "embedding_dropout", "word_dropout", "validation_split"):
            within(name, getattr(self, name), 0, 1, below=True)
        if whole_numbers("cutoffs", self.cutoffs) and self.softmax == "full":
            raise UsageError(f"cutoffs are of an adaptive softmax, got {self.cutoffs} with a full one")
        super().__post_init__()
        if self.bidirectional and self.objective != "fill":
            raise UsageError(f"bidirectional is what the objective fill is, got the objective {self.objective}")
        if self.objective == "fill" and self.direction != "forward":
            raise UsageError(f"direction {self.direction} is of the objective next; fill reads both ways")
        with torch.device("meta"):  # without memory or a random draw, before any text is read
            LanguageModel(3, **self.network)

    @property
    def backward(self) -> bool:
        """Whether documents are read from their end."""
        return self.direction == "backward"

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of `elman.nn.LanguageModel` that are settings."""
        layers = {name: value for name, value in self.recurrent.items() if name != "bidirectional"}
        own = {name: getattr(self, name) for name in _NETWORK}
        return {**layers, **own, "bidirectional": self.objective == "fill"}

    @property
    def training(self) -> TrainingSettings:
        """The part that the training loop knows."""
        return TrainingSettings(**{f.name: getattr(self, f.name) for f in fields(TrainingSettings)})


_NETWORK = (
    "embedding_dim",
    "tied",
    "dropout",
    "embedding_dropout",
    "word_dropout",
    "overlap",
    "forget_bias",
)

_CLASSIC = {
    "embedding_dim": 200,
    "hidden_size": 200,
    "tied": False,
    "softmax": "full",
    "dropout": 0.0,
    "input_dropout": 0.0,
    "embedding_dropout": 0.0,
    "word_dropout": 0.0,
    "weight_drop": 0.0,
    "batch_size": 20,
    "bptt": 35,
    "jitter": False,
    "epochs": 13,
    "optimizer": "sgd",
    "learning_rate": 20.0,  # Zaremba, Sutskever & Vinyals (2014) have 1 for a loss that is summed over the chunk
    "decay": 0.5,
    "clip_norm": 0.25,
}

PRESETS: dict[str, dict[str, Any]] = {
    "lstm": {},
    "classic-rnn": {
        **_CLASSIC,
        "cell": "rnn",
        "embedding_dim": 300,
        "hidden_size": 300,
        "num_layers": 1,
        "tied": True,
        "dropout": 0.4,
        "embedding_dropout": 0.25,
        "word_dropout": 0.1,
        "epochs": 12,
        "optimizer": "adam",
        "learning_rate": 2e-3,
        "schedule": "cosine",
    },
    "classic-lstm": {**_CLASSIC, "schedule": "step", "decay_start": 4},
    "awd-lstm": {
        "embedding_dim": 400,
        "hidden_size": 1150,
        "num_layers": 3,
        "dropout": 0.4,
        "input_dropout": 0.25,
        "embedding_dropout": 0.4,
        "word_dropout": 0.1,
        "weight_drop": 0.5,
        "activation": 2.0,
        "slowness": 1.0,
        "batch_size": 20,
        "epochs": 500,
        "optimizer": "sgd",
        "learning_rate": 30.0,
        "schedule": "constant",
        "clip_norm": 0.25,
        "weight_decay": 1.2e-6,
        "average_on_plateau": 5,
    },
}
DEFAULT_PRESET = "lstm"


def resolve(preset: str | None = None, file: str | Path | None = None, **settings: Any) -> LanguageConfig:
    """The configuration of a preset, changed by a TOML file and then by settings; see `elman.settings.resolve`."""
    asked = {**({} if file is None else read_toml(file)), **{k: v for k, v in settings.items() if v is not None}}
    cell = asked.get("cell")
    if isinstance(cell, str) and cell in CELLS and "weight_drop" not in asked and not has_product(cell):
        settings["weight_drop"] = 0.0
    return resolve_settings(LanguageConfig(), PRESETS, preset, file, settings)
