"""The language model that a classifier's run first trains on text without labels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import language
from ..errors import CheckpointError, UsageError
from ..language import TrainedLanguageModel
from ..settings import is_explicit, to_toml
from ..text import ReadOptions, any_table, cache, shown
from ..training import FitEvents, Machine, continued, read_json, run_folder, write_json
from .config import BOTH
from .reading import Data

LANGUAGE_MODEL = "language-model"  # folder inside a run; the backward one has "-backward" behind it
_ASKED = "unlabelled.json"  # what the language model of a run is made of


def pretrained(
    out: Path,
    unlabelled: Sequence[str | Path],
    read: Data,
    *,
    direction: str,
    normalization: str,
    start: Sequence[TrainedLanguageModel],
    config: language.LanguageConfig | None,
    options: ReadOptions,
    resume: bool,
    events: FitEvents,
) -> list[TrainedLanguageModel]:
    """Language models of unlabelled files and of the training texts, in folders of the run; those there are taken.

    Args:
        read: the labelled data, of which what is held out is never learned from.
        direction: as of the classifier: "both" for two models.
        normalization: as of the classifier: "auto" for "fold", unless `config` has another.
        start: models to go on from; theirs is the direction then.
        options: how the files are read.
        resume: take those that are there, and go on with the one that was begun.
    Raises:
        CheckpointError: these were begun with other texts or settings.
        UsageError: one normalization for the classifier and another for the language model.
    """
    config = config or language.resolve()
    if not start:
        config = _normalizing(config, normalization)
    asked = {
        "files": list(map(shown, unlabelled)),
        "training texts": cache.digest(read.train.texts),
        "held-out texts": cache.digest(read.texts_held_out),
        "settings of the language model": to_toml(config),
    }
    if resume:
        _check_same(out / _ASKED, asked)
    else:
        write_json(out / _ASKED, {**asked, "machine": Machine.here().described()})
    known = {model.config.direction: model for model in start}
    directions = tuple(known) or (("forward", "backward") if direction == BOTH else (direction,))
    _check_direction(config, directions)
    models = []
    for each in directions:
        folder = out / (LANGUAGE_MODEL if each == "forward" else f"{LANGUAGE_MODEL}-{each}")
        if not run_folder.is_finished(folder):
            language.pretrain(
                unlabelled,
                folder,
                replace(config, direction=each),
                at_hand=read.train.texts,
                leave_out_texts=read.texts_held_out,
                start=known.get(each),
                text_column=options.text_columns if any_table(unlabelled) else None,
                encoding=options.encoding,
                quoting=options.quoting,
                trained_on=options.trained_on,
                overwrite=True,
                resume=(folder / run_folder.CHECKPOINT).exists(),
                events=events,
            )
        models.append(language.load(folder))
    return models


def _check_direction(config: language.LanguageConfig, directions: Sequence[str]) -> None:
    """Raises UsageError for settings of a language model that the classifier cannot start from."""
    usual = language.resolve()
    if config.objective != "next":
        raise UsageError(f"expected a language model that predicts the next word, got the objective {config.objective}")
    if config.direction not in directions and is_explicit(config, "direction", usual):
        raise UsageError(
            f"direction: the classifier reads {' and '.join(directions)}, got a language model's {config.direction}"
        )


def _normalizing(config: language.LanguageConfig, normalization: str) -> language.LanguageConfig:
    """A classifier's texts are told apart, not written: upper case would only make words and n-grams rarer."""
    if config.normalization != "auto":
        if normalization not in ("auto", config.normalization):
            raise UsageError(f"normalization: the language model has {config.normalization!r}, got {normalization!r}")
        return config
    if normalization == "auto":
        normalization = "none" if config.tokenizer == "spaces" else "fold"
    return replace(config, normalization=normalization)


@contextmanager
def as_begun(out: Path, resume: bool, events: FitEvents) -> Iterator[None]:
    """Inside, all networks of a run train on the threads and the kernels' tier with which the first one was begun."""
    if not resume:
        yield
        return
    with continued(Machine.read(_begun(out / _ASKED).get("machine"))) as differences:
        for sentence in differences:
            events.found(sentence)
        yield


def _begun(path: Path) -> dict[str, Any]:
    """What was asked for when the run began."""
    try:
        return dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read, so there is nothing to resume ({error})") from None


def _check_same(path: Path, asked: dict[str, Any]) -> None:
    """Raises CheckpointError if what was asked for when the run began was other."""
    begun = _begun(path)
    others = [name for name, value in asked.items() if begun.get(name) != value]
    if others:
        raise CheckpointError(f"{path.parent}: the language model was begun with other {', other '.join(others)}")
