"""`LanguageModel`: the language model with a few verbs over lists of strings."""

import tempfile
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from ..errors import UsageError
from ..settings import known, to_dict
from ..text import Line, corpus, strings
from ..training import Epoch
from . import persistence
from .cache import Cache
from .config import DEFAULT_PRESET, LanguageConfig, resolve
from .fill import fill
from .fit import fit
from .generate import Sampling, generate
from .model import TrainedLanguageModel
from .perplexity import score
from .scoring import Dynamic


class LanguageModel:
    """A recurrent language model. Each string that it is given is a document, and a line break in it ends a line.

    Args:
        preset: lstm (default), classic-rnn, classic-lstm or awd-lstm.
        **settings: any setting of `LanguageConfig`; None takes the preset's value.
    Attributes:
        config_: the `LanguageConfig`.
        history_: one `Epoch` per epoch of training; [] of a loaded model.
        model_: the `TrainedLanguageModel`.
    Raises:
        UsageError: an unknown preset or setting, or a value that cannot be meant.

    Example:
        >>> model = LanguageModel(epochs=3).fit(texts)
        >>> model.perplexity(others)
        >>> model.generate("it was", temperature=0.8, top_p=0.9)
    """

    config_: LanguageConfig
    history_: list[Epoch]
    model_: TrainedLanguageModel

    def __init__(self, preset: str = DEFAULT_PRESET, **settings: Any) -> None:
        self.preset = preset
        self.config_ = resolve(preset, **settings)

    def __repr__(self) -> str:
        usual = to_dict(resolve(self.preset))
        changed = {name: value for name, value in to_dict(self.config_).items() if value != usual[name]}
        return f"LanguageModel({', '.join([repr(self.preset), *(f'{k}={v!r}' for k, v in changed.items())])})"

    def fit(self, documents: Iterable[str], *, validation: Iterable[str] | None = None) -> Self:
        """Train on documents, which also give the vocabulary.

        Args:
            validation: documents to watch; without them `validation_split` of the text is held out.
        Raises:
            DataError: nothing to learn from. DivergedError: the loss stopped being a number.
        """
        train: Iterable[Line] = _lines(documents)
        held: Iterable[Line] | None = None if validation is None else _lines(validation)
        if held is None and self.config_.validation_split:
            train, held = corpus.hold_out(train, self.config_.validation_split, self.config_.seed)
        with tempfile.TemporaryDirectory() as folder:
            fitted = fit(train, held, self.config_, Path(folder))
        self.model_, self.history_ = fitted.model, fitted.history
        return self

    def perplexity(
        self, documents: Iterable[str], *, cache: Cache | None = None, dynamic: Dynamic | None = None
    ) -> float:
        """Of documents; with a cache of the words read last, or learning as it reads."""
        return score(self.trained, _lines(documents), cache=cache, dynamic=dynamic).perplexity

    def generate(self, prompt: str = "", *, number: int = 0, **sampling: Any) -> str:
        """The prompt and what follows it; or what precedes it and the prompt, with direction="backward".

        Args:
            number: of the sample: each has another text.
            **sampling: see `Sampling`: temperature, top_k, top_p, seed, max_tokens, stop_at_end, allow_unknown.
        Raises:
            UsageError: another name, or a value outside of its bounds.
        """
        names = [field.name for field in fields(Sampling)]
        for name in sampling:
            known("setting", name, names)
        return generate(self.trained, prompt, Sampling(**sampling), number)

    def fill(self, text: str, top: int = 5) -> list[list[tuple[str, float]]]:
        """For each blank `___` of a text the likeliest words with their probabilities."""
        return fill(self.trained, text, top)

    def save(self, folder: str | Path) -> None:
        """Write the trained model as a folder that `load` and the command line read."""
        persistence.save(self.trained, folder)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """A trained model from its folder. Raises ModelFolderError."""
        trained = persistence.load(folder)
        model = cls(**to_dict(trained.config))
        model.model_, model.history_ = trained, []
        return model

    @property
    def trained(self) -> TrainedLanguageModel:
        """`model_`. Raises UsageError if there is none yet."""
        if not hasattr(self, "model_"):
            raise UsageError("this language model is not trained yet: call fit or load first")
        return self.model_


def _lines(documents: Iterable[str]) -> list[Line]:
    return list(corpus.lines_of(strings(documents, "document")))
