"""The language model that a classifier's run first trains on text without labels."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import language
from ..errors import CheckpointError, UsageError
from ..language import TrainedLanguageModel
from ..settings import is_explicit, to_toml
from ..text import cache
from ..training import FitEvents, read_json, run_folder, write_json
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
    start: Sequence[TrainedLanguageModel],
    config: language.LanguageConfig | None,
    text_column: str | None,
    encoding: str,
    resume: bool,
    events: FitEvents,
) -> list[TrainedLanguageModel]:
    """Language models of unlabelled files and of the training texts, in folders of the run; those there are taken.

    Args:
        read: the labelled data, of which what is held out is never learned from.
        direction: as of the classifier: "both" for two models.
        start: models to go on from; theirs is the direction then.
        resume: take those that are there, and go on with the one that was begun.
    Raises:
        CheckpointError: these were begun with other texts or settings.
    """
    config = config or language.resolve()
    asked = {
        "files": list(map(str, unlabelled)),
        "training texts": cache.digest(read.train.texts),
        "held-out texts": cache.digest(read.texts_held_out),
        "settings of the language model": to_toml(config),
    }
    if resume:
        _check_same(out / _ASKED, asked)
    else:
        write_json(out / _ASKED, asked)
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
                text_column=text_column,
                encoding=encoding,
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


def _check_same(path: Path, asked: dict[str, Any]) -> None:
    """Raises CheckpointError if what was asked for when the run began was other."""
    try:
        begun = dict(read_json(path))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: cannot be read, so there is nothing to resume ({error})") from None
    others = [name for name, value in asked.items() if begun.get(name) != value]
    if others:
        raise CheckpointError(f"{path.parent}: the language model was begun with other {', other '.join(others)}")
