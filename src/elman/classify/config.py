"""Every setting of a classifier: its meaning, its default, the presets, and TOML files.

The dataclass below is the one list: the command line's flags, the keys of a TOML file and the parameters of
`TextClassifier` are made from it.
"""

import difflib
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch

from ..errors import DataError, UsageError
from ..nn import CELLS, MERGES, POOLINGS, STARTS, recurrent_network
from ..text import KEEP, KINDS
from ..training import OPTIMIZERS, SCHEDULES, TrainingSettings, choose, within

CLASS_WEIGHTS = ("none", "balanced")


_STEPS = 1500


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"help": about})


@dataclass(frozen=True)
class ClassifierConfig:
    """Settings of a text classifier; `docs/settings.md` lists them with their defaults in each preset."""

    # text
    tokenizer: str = _setting("auto", f"How text is cut: {', '.join(KINDS)}.")
    vocab_size: int = _setting(30000, "Most frequent tokens kept, padding and unknown included.")
    min_count: int = _setting(2, "Times a token must occur to be kept.")
    max_length: int = _setting(400, "Tokens of a text that are read; 0 for all.")
    keep: str = _setting("both", f"Which part of a longer text is read: {', '.join(KEEP)}.")
    # network
    cell: str = _setting("lstm", f"Recurrent cell: {', '.join(CELLS)}.")
    nonlinearity: str = _setting("tanh", "Of the cells rnn, leaky, indrnn, clockwork and dilated_rnn: tanh or relu.")
    embedding_dim: int = _setting(128, "Width of the word vectors.")
    hidden_size: int = _setting(64, "Width of the state, in each direction.")
    num_layers: int = _setting(1, "Recurrent layers.")
    hidden_sizes: str = _setting("", "A hidden_size for each layer, lowest first, such as 128,64; empty: all alike.")
    residual: bool = _setting(False, "Add a layer's input to its output where both are of equal size.")
    bidirectional: bool = _setting(True, "Read from both ends.")
    merge: str = _setting("concat", f"How the two directions become one vector: {', '.join(MERGES)}.")
    merge_layers: bool = _setting(False, "Merge the directions after every layer, not after the top one alone.")
    learn_state: bool = _setting(False, "Learn the state in which a text begins.")
    proj_size: int = _setting(0, "Width of the projected state of the cells lstm and dilated_lstm; 0 for none.")
    leak: str = _setting("log", "Of the cell leaky: a number in (0, 1], log (1 to 1/memory over the units) or learned.")
    periods: str = _setting("", "Of the cell clockwork: rising periods, such as 1,2,4; empty: 1,2,4, .. 128.")
    context_size: int = _setting(0, "Slow units of the cell scrn; 0: a quarter of hidden_size.")
    dilation: int = _setting(1, "Skip of the first layer of the dilated cells; it doubles from layer to layer.")
    init: str = _setting("default", f"Start values of the recurrence: {', '.join(STARTS)}.")
    forget_bias: float = _setting(1.0, "Start value of the forget gate's bias.")
    memory: int = _setting(400, "Steps to be remembered, for init chrono and recurrent_range and for leak log.")
    pooling: str = _setting("mean", f"How the steps become one vector: {', '.join(POOLINGS)}.")
    dropout: float = _setting(0.5, "On the pooled vector and between layers.")
    embedding_dropout: float = _setting(0.5, "On features of the word vectors, the same along a text.")
    input_dropout: float = _setting(0.0, "On features of each recurrent layer's input, the same along a text.")
    recurrent_dropout: float = _setting(0.0, "On the state before its recurrent product, the same along a text.")
    zoneout: float = _setting(0.0, "Share of units whose state h keeps its old value at a step.")
    zoneout_cell: float = _setting(0.0, "The same for the state c of the LSTM cells.")
    weight_drop: float = _setting(0.0, "On the elements of the recurrent matrix, the same for a batch.")
    bptt_truncate: int = _setting(0, "Steps that the loss of an output travels back; 0 for all.")
    clip_recurrent: float = _setting(0.0, "Largest element of the gradient handed one step back; 0 for no limit.")
    information_flow: float = _setting(0.0, "Weight of the penalty on a gradient that shrinks or grows; 0 for none.")
    word_dropout: float = _setting(0.4, "Share of tokens hidden in training.")
    ngrams: int = _setting(3, "Longest n-gram whose naive-Bayes evidence is used; 0 for none.")
    feature_dropout: float = _setting(0.2, "Share of tokens whose n-gram evidence is hidden in training.")
    # training
    epochs: int = _setting(0, "Passes over the training data at most; 0: as many as make about 1,500 steps, 4 to 30.")
    batch_size: int = _setting(64, "Texts per step.")
    optimizer: str = _setting("adam", f"One of {', '.join(OPTIMIZERS)}.")
    learning_rate: float = _setting(2e-3, "Highest learning rate.")
    momentum: float = _setting(0.0, "Of sgd.")
    weight_decay: float = _setting(0.0, "L2 penalty, or decoupled decay with adamw.")
    schedule: str = _setting("cosine", f"Course of the learning rate: {', '.join(SCHEDULES)}.")
    decay: float = _setting(0.5, "Factor of the schedules step and plateau.")
    decay_start: int = _setting(1, "Epochs at the full rate before the schedule step decays it.")
    warmup: int = _setting(100, "Steps over which the learning rate rises from zero.")
    clip_norm: float = _setting(1.0, "Largest global norm of the gradient; 0 for none.")
    clip_value: float = _setting(0.0, "Largest absolute gradient element; 0 for none.")
    information_flow_decay: int = _setting(
        0, "Steps until information_flow's weight is halved, falling as 1/t; 0: held."
    )
    average: float = _setting(0.998, "Decay of the running average of the weights; 0 for none.")
    patience: int = _setting(3, "Epochs without a better validation score before stopping; 0 for never.")
    class_weight: str = _setting("none", "none, or balanced: rare classes count more.")
    validation_split: float = _setting(0.1, "Share of the training data held out when no validation file is given.")
    calibrate: bool = _setting(True, "Fit the probabilities' scale on the validation data.")
    seed: int = _setting(0, "Of the split, the initial weights, the order and the dropout.")

    def __post_init__(self) -> None:
        choose("tokenizer", self.tokenizer, KINDS)
        choose("keep", self.keep, KEEP)
        choose("cell", self.cell, tuple(CELLS))
        choose("nonlinearity", self.nonlinearity, ("tanh", "relu"))
        choose("merge", self.merge, MERGES)
        choose("pooling", self.pooling, POOLINGS)
        choose("init", self.init, STARTS)
        choose("class_weight", self.class_weight, CLASS_WEIGHTS)
        within("vocab_size", self.vocab_size, 3)
        within("ngrams", self.ngrams, 0, 5)
        for name in ("embedding_dim", "hidden_size", "num_layers", "batch_size", "min_count", "dilation"):
            within(name, getattr(self, name), 1)
        within("memory", self.memory, 3)
        within("max_length", self.max_length, 0)
        for name in ("epochs", "proj_size", "context_size", "bptt_truncate", "clip_recurrent", "information_flow"):
            within(name, getattr(self, name), 0)
        for name in _RATES:
            within(name, getattr(self, name), 0, 1, below=True)
        self.training  # noqa: B018 (checks the rest)
        with torch.device("meta"):  # without memory or a random draw, before any text is read
            recurrent_network(self.embedding_dim, **self.recurrent)

    @property
    def network(self) -> dict[str, Any]:
        """The arguments of `elman.nn.TextRNN` that are settings."""
        merging = {"merge": self.merge, "merge_layers": self.merge_layers}
        return {**self.recurrent, **merging, **{name: getattr(self, name) for name in _NETWORK}}

    @property
    def recurrent(self) -> dict[str, Any]:
        """The arguments of `elman.nn.recurrent_network`, those of other cells left out."""
        of_cell: dict[str, Any] = {
            "proj_size": self.proj_size,
            "leak": _number(self.leak),
            "periods": _numbers("periods", self.periods) or None,
            "context_size": self.context_size or None,
            "dilation": self.dilation,
        }
        own = {name: value for name, value in of_cell.items() if name in CELLS[self.cell].own_options}
        return {
            **{name: getattr(self, name) for name in _RECURRENT},
            **own,
            "hidden_sizes": _numbers("hidden_sizes", self.hidden_sizes),
            "merge": self.merge if self.merge_layers else None,
            "bptt_truncate": self.bptt_truncate or None,
        }

    @property
    def training(self) -> TrainingSettings:
        """The part that the training loop knows; `epochs` 0 counts as 1."""
        values = {f.name: getattr(self, f.name) for f in fields(TrainingSettings)}
        return TrainingSettings(**{**values, "epochs": self.epochs or 1})

    def for_rows(self, rows: int) -> "ClassifierConfig":
        """With the number of epochs for this many training texts filled in."""
        if self.epochs:
            return self
        steps_per_epoch = max(1, rows // self.batch_size)
        return replace(self, epochs=min(30, max(4, round(_STEPS / steps_per_epoch))))


_RATES = (
    "dropout",
    "embedding_dropout",
    "word_dropout",
    "feature_dropout",
    "validation_split",
    "input_dropout",
    "recurrent_dropout",
    "zoneout",
    "zoneout_cell",
    "weight_drop",
)
_NETWORK = ("embedding_dim", "pooling", "embedding_dropout", "word_dropout", "feature_dropout", "forget_bias")
_RECURRENT = (
    "cell",
    "hidden_size",
    "num_layers",
    "nonlinearity",
    "bidirectional",
    "residual",
    "learn_state",
    "init",
    "memory",
    "dropout",
    "input_dropout",
    "recurrent_dropout",
    "zoneout",
    "zoneout_cell",
    "weight_drop",
    "clip_recurrent",
    "information_flow",
)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _numbers(name: str, text: str) -> list[int]:
    try:
        numbers = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        numbers = [0]
    if any(number < 1 for number in numbers):
        raise UsageError(f"{name} must be whole numbers from 1 on with commas between, got {text!r}")
    return numbers


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
}
DEFAULT_PRESET = "text-rnn"

_TYPES = {f.name: type(f.default) for f in fields(ClassifierConfig)}


def resolve(preset: str = DEFAULT_PRESET, file: str | Path | None = None, **settings: Any) -> ClassifierConfig:
    """The configuration of a preset, changed by a TOML file and then by settings that are not None.

    A TOML file may name its own `preset`; one given here as other than the default wins over it.

    Raises:
        UsageError: an unknown preset, key or value.
    """
    from_file = {} if file is None else read_toml(file)
    named = from_file.pop("preset", DEFAULT_PRESET)
    preset = named if preset == DEFAULT_PRESET else preset
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
    given = {name: value for name, value in settings.items() if value is not None}
    merged = {**PRESETS[preset], **from_file, **given}
    return replace(ClassifierConfig(), **{name: _typed(name, value) for name, value in merged.items()})


def _typed(name: str, value: Any) -> Any:
    if name not in _TYPES:
        near = difflib.get_close_matches(name, _TYPES, 1)
        raise UsageError(f"unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    wanted = _TYPES[name]
    if hasattr(value, "item"):  # a NumPy scalar, as a grid search hands out
        value = value.item()
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise UsageError(f"{name} must be of type {wanted.__name__}, got {value!r}")
    return value


def read_toml(path: str | Path) -> dict[str, Any]:
    """The keys of a TOML file. Raises DataError if it is missing, UsageError if it is not TOML."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a TOML file ({error})") from None


def to_toml(config: ClassifierConfig) -> str:
    """A TOML file that `resolve` turns back into this configuration."""
    lines = []
    for name, value in asdict(config).items():
        text = (
            str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else repr(value)
        )
        lines.append(f"{name} = {text}\n")
    return "".join(lines)
