"""Every setting of a classifier: its meaning, its default, and the presets.

The dataclass below is the one list: the command line's flags, the keys of a TOML file and the parameters of
`TextClassifier` are made from it.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from ..errors import UsageError
from ..nn import MERGES, POOLINGS, RecurrentSettings, recurrent_network
from ..settings import WIDEST, ResolvedSettings, choose, read_toml, setting, within
from ..settings import resolve as resolve_settings
from ..text import KEEP, TextSettings
from ..training import SCHEDULES, TrainingSettings
from .weights import NONE, as_setting, weights_by_class

BOTH = "both"
DIRECTIONS = ("forward", "backward", BOTH)

_STEPS = 1500
_STEPS_OF_EPOCH, _SMALLEST_BATCH, _LARGEST_BATCH = 16, 8, 64
_LEARNING_RATE, _FEW_ROWS = 2e-3, 300


@dataclass(frozen=True)
class ClassifierConfig(TrainingSettings, RecurrentSettings, TextSettings, ResolvedSettings):
    """Settings of a text classifier; `docs/settings.md` lists them with their defaults in each preset."""

    # text
    max_length: int = setting(400, "Tokens of a text that are read; 0 for all.")
    keep: str = setting("both", f"Which part of a longer text is read: {', '.join(KEEP)}.")
    vectors: str = setting("", "File of pretrained word vectors: GloVe, word2vec or fastText's .vec (.gz too).")
    tune_vectors: bool = setting(True, "Train them further; off: the embedding is frozen, words without a vector too.")
    # network
    embedding_dim: int = setting(128, "Width of the word vectors; with vectors, if not given, that of the file.")
    merge: str = setting("concat", f"How the two directions become one vector: {', '.join(MERGES)}.")
    merge_layers: bool = setting(False, "Merge the directions after every layer, not after the top one alone.")
    pooling: str = setting("mean", f"How the steps become one vector: {', '.join(POOLINGS)}.")
    dropout: float = setting(0.5, "On the pooled vector and between layers.")
    embedding_dropout: float = setting(0.5, "On features of the word vectors, the same along a text.")
    word_dropout: float = setting(0.4, "Share of tokens hidden in training.")
    ngrams: int = setting(3, "Longest n-gram whose naive-Bayes evidence is used; 0 for none.")
    feature_dropout: float = setting(0.2, "Share of tokens whose n-gram evidence is hidden in training.")
    ngram_features: bool = setting(True, "The network reads each token's n-gram evidence beside its word vector.")
    direction: str = setting("forward", "If not bidirectional: read forward, backward, or both by two networks.")
    bptt: int = setting(0, "Steps of a text read at a time, the gradient going no further back; 0: all at once.")
    # training
    epochs: int = setting(0, "Passes over the training data at most; 0: as many as make about 1,500 steps, 4 to 30.")
    batch_size: int = setting(0, "Texts per step; 0: 64, fewer if an epoch had less than 16 steps then, down to 8.")
    learning_rate: float = setting(
        _LEARNING_RATE, "Highest learning rate; 0: 0.002, up to twice that for less than 300 texts."
    )
    schedule: str = setting("cosine", f"Course of the learning rate: {', '.join(SCHEDULES)}.")
    warmup: int = setting(100, "Steps over which the learning rate rises from zero.")
    clip_norm: float = setting(1.0, "Largest global norm of the gradient; 0 for none.")
    average: float = setting(0.998, "Decay of the running average of the weights; 0 for none.")
    patience: int = setting(
        3, "Epochs without a better validation score before stopping, once the rate has risen; 0: never."
    )
    layer_decay: float = setting(1.0, "Factor of the learning rate from each layer to the one below; 1: all alike.")
    adversarial: float = setting(
        0.0, "Also learn from texts moved so far against the answer, in usual lengths of a word vector; 0: no."
    )
    unfreeze: bool = setting(False, "Train the output alone at first, and one layer more from epoch to epoch.")
    class_weight: str = setting(
        NONE, "none; balanced: rare classes count more; or weights, the others 1: spam=5,ham=1, a TOML table, a dict."
    )
    validation_split: float = setting(0.1, "Share of the training data held out when no validation file is given.")
    calibrate: bool = setting(True, "Fit the probabilities' scale on the validation data.")

    def __post_init__(self) -> None:
        self.check_text()
        self.check_recurrent()
        choose("keep", self.keep, KEEP)
        choose("merge", self.merge, MERGES)
        choose("pooling", self.pooling, POOLINGS)
        weights_by_class(self.class_weight)  # checks it
        within("ngrams", self.ngrams, 0, 5)
        within("embedding_dim", self.embedding_dim, 0 if self.vectors else 1, most=WIDEST)
        choose("direction", self.direction, DIRECTIONS)
        within("layer_decay", self.layer_decay, 0, 1, above=True)
        for name in ("max_length", "epochs", "batch_size", "learning_rate", "bptt", "adversarial"):
            within(name, getattr(self, name), 0)
        for name in _RATES:
            within(name, getattr(self, name), 0, 1, below=True)
        if not (self.tune_vectors or self.vectors):
            raise UsageError("tune_vectors off is for word vectors from a file, got no vectors")
        for name, usual in (("direction", "forward"), ("bptt", 0)):
            if self.bidirectional and getattr(self, name) != usual:
                raise UsageError(
                    f"{name} {getattr(self, name)} is for networks that read in one direction, got a bidirectional "
                    "one: say --no-bidirectional"
                )
        self.training  # noqa: B018 (checks the rest)
        with torch.device("meta"):  # without memory or a random draw, before any text is read
            recurrent_network(self.embedding_dim or 1, **self._layers)

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of `elman.nn.TextRNN` that are settings."""
        merging = {"merge": self.merge, "merge_layers": self.merge_layers}
        own = {name: getattr(self, name) for name in _NETWORK}
        return {**self.recurrent, **merging, **own, "backward": self.direction == "backward"}

    @property
    def _layers(self) -> dict[str, Any]:
        """The arguments of `elman.nn.recurrent_network`."""
        return {**self.recurrent, "dropout": self.dropout, "merge": self.merge if self.merge_layers else None}

    @property
    def training(self) -> TrainingSettings:
        """The part that the training loop knows; what `for_rows` has still to choose counts as for many texts."""
        values = {f.name: getattr(self, f.name) for f in fields(TrainingSettings)}
        unsaid = {"epochs": self.epochs or 1, "learning_rate": self.learning_rate or _LEARNING_RATE}
        return TrainingSettings(**{**values, **unsaid})

    def for_rows(self, rows: int) -> "ClassifierConfig":
        """With the size of a batch, the number of epochs and the learning rate for this many training texts."""
        size = self.batch_size or min(_LARGEST_BATCH, max(_SMALLEST_BATCH, rows // _STEPS_OF_EPOCH))
        epochs = self.epochs or min(30, max(4, round(_STEPS / max(1, rows // size))))
        # Fewer texts have fewer steps in 30 epochs, and a language model's layers have as far to go.
        rate = self.learning_rate or _LEARNING_RATE * min(2, max(1, (_FEW_ROWS / max(1, rows)) ** 0.5))
        return replace(self, batch_size=size, epochs=epochs, learning_rate=rate)


_RATES = ("dropout", "embedding_dropout", "word_dropout", "feature_dropout", "validation_split")
_NETWORK = ("embedding_dim", "pooling", "bptt", "forget_bias", *_RATES[:-1])

_TUTORIAL = {
    "vocab_size": 10000,
    "min_count": 1,
    "max_length": 500,
    "keep": "end",
    "embedding_dim": 32,
    "hidden_size": 32,
    "bidirectional": False,
    "pooling": "last",
    "dropout": 0.0,
    "embedding_dropout": 0.0,
    "word_dropout": 0.0,
    "ngrams": 0,
    "epochs": 10,
    "batch_size": 128,
    "optimizer": "rmsprop",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "warmup": 0,
    "clip_norm": 0.0,
    "average": 0.0,
    "patience": 0,
    "validation_split": 0.2,
    "calibrate": False,
}

PRESETS: dict[str, dict[str, Any]] = {
    "text-rnn": {},
    "simple-rnn": {**_TUTORIAL, "cell": "rnn"},
    "lstm": {**_TUTORIAL, "cell": "lstm"},
    "gru": {**_TUTORIAL, "cell": "gru"},
    "fine-tuned": {
        "bidirectional": False,
        "max_length": 0,
        "pooling": "last+mean+max",
        "embedding_dropout": 0.4,
        "input_dropout": 0.2,
        "word_dropout": 0.3,
        "dropout": 0.5,
        "batch_size": 32,
        "learning_rate": 0.0,
        "layer_decay": 0.8,
        "schedule": "triangular",
        "warmup": 0,
    },
}
DEFAULT_PRESET = "text-rnn"
FINE_TUNED = "fine-tuned"  # of a classifier that starts from a language model, unless another is named


def resolve(preset: str | None = None, file: str | Path | None = None, **settings: Any) -> ClassifierConfig:
    """The configuration of a preset, changed by a TOML file and then by settings; see `elman.settings.resolve`.

    With `vectors` the `embedding_dim` of every preset is 0, which stands for the width of the vectors.
    """
    vectors, presets = settings.get("vectors"), PRESETS
    if vectors is None and file is not None:
        vectors = read_toml(file).get("vectors")
    if vectors:
        presets = {name: {**values, "embedding_dim": 0} for name, values in PRESETS.items()}
    if "class_weight" in settings:
        settings = {**settings, "class_weight": as_setting(settings["class_weight"])}
    return resolve_settings(ClassifierConfig(), presets, preset, file, settings)
