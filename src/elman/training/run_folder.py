"""The folder of a run: who may write there, and what it holds.

config.toml            the resolved settings, under a line that tells a run from other folders
checkpoint.safetensors while training is under way, and work/ with the encoded text of a language model
config.json, model.safetensors, tokenizer.json   the model
language-model/, unlabelled.json   the language model that was trained first, if any, and what it was made of
metrics.json           figures of each split, norms of the gradient with the clip_norm they propose, and what the
                       word vectors cover
history.csv            one row per epoch
training-texts.npy     a number for each training text, by which it is known among others
report.json, report.html, *.png   the report and its data
diagnosis.json, diagnosis.html    where the gradient goes, if asked for
tensorboard/           the events of TensorBoard, if asked for
.before/               what was there before the run, until it has ended; its model answers until there is a new one
"""

import filecmp
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import ModelFolderError, RunFolderError
from .files import NEW, read_json, write_json, write_text
from .files import make as make
from .history import Epoch, to_csv
from .lock import locked
from .model_folder import ASIDE, CONFIG, TOKENIZER, WEIGHTS, named_errors, places

MARKER = "config.toml"
CHECKPOINT, WORK = "checkpoint.safetensors", "work"
METRICS, HISTORY, REPORT_DATA = "metrics.json", "history.csv", "report.json"
DIAGNOSIS = "diagnosis.json"
TRAINING_TEXTS = "training-texts.npy"
_HEAD = "# A run of Elman\n"
_ASIDE_NEW = ASIDE + NEW  # while it is being filled
_MODEL = (WEIGHTS, TOKENIZER, CONFIG)
# What a run may replace; anything else in its folder was put there by somebody.
_OWN = (
    MARKER, CHECKPOINT, WORK, CONFIG, WEIGHTS, TOKENIZER, "language-model*", "unlabelled.json", METRICS, HISTORY,
    REPORT_DATA, DIAGNOSIS, TRAINING_TEXTS, "report.html", "diagnosis.html", "tensorboard", "accuracy.png", "loss.png",
    "lengths.png", "confusion-*.png", "calibration-*.png", "perplexity.png", "learning-rate.png", "context.png",
)  # fmt: skip


def check(folder: Path, *, overwrite: bool, resume: bool) -> bool:
    """May a run be written here? Returns whether it goes on from what is there, which is asked for by `resume`.

    Where there is nothing yet, or only what a run left that was killed before its first checkpoint, it begins.

    Raises:
        RunFolderError: it may not, or the run there is finished.
    """
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder}: exists and is not a folder")
    if _is_free(folder):
        return False
    if not (overwrite or resume):
        raise RunFolderError(f"{folder}: the folder exists; give --overwrite, --resume or another --out")
    if not any(map(_is_run, places(folder))):
        raise RunFolderError(f"{folder}: the folder exists and is not a run of Elman; it is not overwritten")
    if resume and is_finished(folder):
        raise RunFolderError(f"{folder}: there is no checkpoint to resume from: the run is finished")
    return resume and _is_under_way(folder)


def settings_of(folder: Path) -> Path | None:
    """The file of the settings that a run there began with, if one did."""
    return folder / MARKER if _has_settings(folder) else None


def is_finished(folder: Path) -> bool:
    """Whether a run there has come to its end."""
    is_under_way = (folder / CHECKPOINT).exists() or (folder / _ASIDE_NEW).exists()
    return (folder / CONFIG).exists() and not is_under_way and not _is_model_aside(folder)


def _is_model_aside(folder: Path) -> bool:
    """Whether the model there is the one that is set aside, of a process that died between the two."""
    pairs = [(folder / name, folder / ASIDE / name) for name in (CONFIG, WEIGHTS)]
    if not all(path.is_file() for pair in pairs for path in pair):
        return False
    return all(filecmp.cmp(*pair, shallow=False) for pair in pairs)


def _is_free(folder: Path) -> bool:
    """Also of a run that was killed before it had written its settings, and in whose place there was none."""
    if not folder.exists():
        return True
    first = {ASIDE, _ASIDE_NEW, MARKER + NEW}
    return all(path.name in first and not (path.is_dir() and any(path.iterdir())) for path in folder.iterdir())


def _has_settings(folder: Path) -> bool:
    try:
        return (folder / MARKER).read_text(encoding="utf-8").startswith(_HEAD)
    except (OSError, ValueError):
        return False


def _is_run(folder: Path) -> bool:
    if _has_settings(folder):
        return True
    try:
        return "elman" in dict(read_json(folder / CONFIG))
    except (OSError, ValueError, TypeError):
        return False


@contextmanager
def begun(folder: Path, config_toml: str, *, resume: bool, overwrite: bool = False) -> Iterator[bool]:
    """A run inside: the folder is there and this run's alone, without files of another run unless this one goes on.

    Gives what `check` says: whether it goes on.

    What a run before left is set aside, and put back if the block ends in an error that leaves neither checkpoint nor
    model, such as a file that cannot be read; it is removed when the block has ended well. Files that are no run's
    stay.

    Raises:
        RunFolderError: it cannot be written, another run is writing there, or has written there since `check`.
    """
    was_there = folder.exists()
    make(folder)
    with locked(folder):
        with _named_errors(folder):
            _recover(folder)
        if check(folder, overwrite=overwrite, resume=resume):
            yield True
        else:
            with _replaced(folder, was_there):
                write_settings(folder, config_toml)
                yield False
        finish(folder)


def finish(folder: Path) -> None:
    """Remove what only a run under way needs, the checkpoint last: until then it can go on."""
    for name in (ASIDE, WORK):
        shutil.rmtree(folder / name, ignore_errors=True)
    with _named_errors(folder):
        (folder / CHECKPOINT).unlink(missing_ok=True)


def write_settings(folder: Path, config_toml: str) -> None:
    """The settings of the run, once more if they have changed since it began."""
    write_text(folder / MARKER, _HEAD + config_toml)


@contextmanager
def _named_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, RunFolderError):
            raise
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror})") from None


@contextmanager
def _replaced(folder: Path, was_there: bool) -> Iterator[None]:
    """Inside, the folder is empty but for what is set aside, which comes back if the block leaves nothing to go on."""
    with _named_errors(folder):
        if (folder / ASIDE).exists() and not _is_under_way(folder):  # of a run that was killed before it had anything
            _empty(folder)
        else:
            _set_aside(folder)
    try:
        yield
    except BaseException:
        if not _is_under_way(folder):
            _put_back(folder)
            if not was_there:
                folder.rmdir()
        elif (folder / CONFIG).exists():
            shutil.rmtree(folder / ASIDE, ignore_errors=True)
        raise


def _set_aside(folder: Path) -> None:
    """Move what a run has left to `.before`, which is whole from the moment it has its name.

    The model is linked, and removed from the folder afterwards: it answers from either place all the while.
    """
    aside, half = folder / ASIDE, folder / _ASIDE_NEW
    half.mkdir(exist_ok=True)
    own = _own(folder)
    for path in own:
        if path.name in _MODEL and not (half / path.name).exists():
            _link(path, half / path.name)
    if aside.exists():
        aside.rename(half / ASIDE)
    for path in own:
        if path.name not in _MODEL:
            path.replace(half / path.name)
    half.rename(aside)
    _remove_model(folder)


def _recover(folder: Path) -> None:
    """Go on where a process died that was setting aside, or putting back."""
    if (folder / _ASIDE_NEW).exists():
        _set_aside(folder)
    elif _is_model_aside(folder) and not (folder / CHECKPOINT).exists():
        _remove_model(folder)


def _remove_model(folder: Path) -> None:
    for name in reversed(_MODEL):
        (folder / name).unlink(missing_ok=True)


def _put_back(folder: Path) -> None:
    _empty(folder)
    half = (folder / ASIDE).rename(folder / _ASIDE_NEW)
    for name in _MODEL:
        if (half / name).exists():
            _link(half / name, folder / name)
    for path in half.iterdir():
        if path.name not in _MODEL:
            path.replace(folder / path.name)
    shutil.rmtree(half)


def _link(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except OSError:  # a file system without links
        copy = target.with_name(target.name + NEW)
        shutil.copy2(path, copy)
        copy.replace(target)


def _own(folder: Path) -> list[Path]:
    """What a run has written, but for what is set aside."""
    names = {path: path.name.removesuffix(NEW) for path in folder.iterdir()}
    return [path for path, name in names.items() if any(fnmatch(name, pattern) for pattern in _OWN)]


def _empty(folder: Path) -> None:
    for path in _own(folder):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_under_way(folder: Path) -> bool:
    """Whether there is something to go on from or to use, also of a language model inside."""
    inside = [path for path in _own(folder) if path.is_dir()]
    return any((place / name).exists() for place in (folder, *inside) for name in (CHECKPOINT, CONFIG))


def write_results(folder: Path, metrics: dict[str, Any], history: list[Epoch], report: dict[str, Any]) -> None:
    """The figures, a row for each epoch, and the data of the report."""
    write_json(folder / METRICS, metrics)
    write_text(folder / HISTORY, to_csv(history))
    write_json(folder / REPORT_DATA, report)


def read_metrics(folder: Path) -> dict[str, Any]:
    """The figures of a finished run, {} if it has none. Raises OSError or ValueError if they cannot be read."""
    path = folder / METRICS
    return dict(read_json(path)) if path.exists() else {}


def report_again(folder: Path, write: Callable[[dict[str, Any], Path], Path]) -> Path:
    """Write a finished run's report anew from its data; returns what `write` does.

    Raises:
        ModelFolderError: the run has no such data, or they are damaged.
    """
    try:
        data = read_json(folder / REPORT_DATA)
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{folder}: not a finished run; {REPORT_DATA} cannot be read ({error})") from None
    with named_errors(folder / REPORT_DATA):
        return write(dict(data), folder)
