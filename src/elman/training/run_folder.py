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
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..errors import ModelFolderError, RunFolderError
from .files import make as make
from .files import write_json, write_text
from .history import Epoch, to_csv
from .model_folder import CONFIG, TOKENIZER, WEIGHTS, named_errors

MARKER = "config.toml"
CHECKPOINT, WORK = "checkpoint.safetensors", "work"
METRICS, HISTORY, REPORT_DATA = "metrics.json", "history.csv", "report.json"
DIAGNOSIS = "diagnosis.json"
TRAINING_TEXTS = "training-texts.npy"
_HEAD = "# A run of Elman\n"
_ASIDE = ".before"
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
    if not any(map(_is_run, (folder, folder / _ASIDE))):
        raise RunFolderError(f"{folder}: the folder exists and is not a run of Elman; it is not overwritten")
    if resume and (folder / CONFIG).exists() and not (folder / CHECKPOINT).exists():
        raise RunFolderError(f"{folder}: there is no checkpoint to resume from: the run is finished")
    return resume and _is_under_way(folder)


def settings_of(folder: Path) -> Path | None:
    """The file of the settings that a run there began with, if one did."""
    return folder / MARKER if _has_settings(folder) else None


def _is_free(folder: Path) -> bool:
    """Also of a run that was killed before it had written its settings, and in whose place there was none."""
    first = {_ASIDE, f"{MARKER}.new"}
    return not folder.exists() or (
        all(path.name in first for path in folder.iterdir())
        and not ((folder / _ASIDE).is_dir() and any((folder / _ASIDE).iterdir()))
    )


def _has_settings(folder: Path) -> bool:
    try:
        return (folder / MARKER).read_text(encoding="utf-8").startswith(_HEAD)
    except (OSError, ValueError):
        return False


def _is_run(folder: Path) -> bool:
    if _has_settings(folder):
        return True
    try:
        return "elman" in dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return False


@contextmanager
def begun(folder: Path, config_toml: str, *, resume: bool, overwrite: bool = False) -> Iterator[bool]:
    """A run inside: the folder is there and this run's alone, without files of another run unless this one goes on.

    Gives what `check` says: whether it goes on.

    What a run before left is set aside, and put back if the block ends in an error that leaves neither checkpoint nor
    model, such as a file that cannot be read. Files that are no run's stay.

    Raises:
        RunFolderError: it cannot be written, another run is writing there, or has written there since `check`.
    """
    aside = folder / _ASIDE
    was_there = folder.exists()
    make(folder)
    with _locked(folder):
        if check(folder, overwrite=overwrite, resume=resume):
            yield True
            shutil.rmtree(aside, ignore_errors=True)
            return
        with _set_aside(folder, aside, was_there):
            write_settings(folder, config_toml)
            yield False


def write_settings(folder: Path, config_toml: str) -> None:
    """The settings of the run, once more if they have changed since it began."""
    write_text(folder / MARKER, _HEAD + config_toml)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Against a second run at the same time; the system takes the lock from a process that dies."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise RunFolderError(f"{folder}: another run is writing there") from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(number)


@contextmanager
def _set_aside(folder: Path, aside: Path, was_there: bool) -> Iterator[None]:
    try:
        if aside.exists() and not _is_under_way(folder):  # of a run that was killed before it had anything to keep
            _empty(folder)
        else:
            shutil.rmtree(aside, ignore_errors=True)
            found = _own(folder)
            aside.mkdir()
            for path in found:
                path.rename(aside / path.name)
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        yield
    except BaseException:
        if not _is_under_way(folder):
            _empty(folder)
            for path in aside.iterdir():
                path.rename(folder / path.name)
            aside.rmdir()
            if not was_there:
                folder.rmdir()
        raise
    finally:
        if folder.exists():
            shutil.rmtree(aside, ignore_errors=True)


def _own(folder: Path) -> list[Path]:
    """What a run has written, but for what is set aside."""
    return [path for path in folder.iterdir() if any(fnmatch(path.name, pattern) for pattern in _OWN)]


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
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def report_again(folder: Path, write: Callable[[dict[str, Any], Path], Path]) -> Path:
    """Write a finished run's report anew from its data; returns what `write` does.

    Raises:
        ModelFolderError: the run has no such data, or they are damaged.
    """
    try:
        data = json.loads((folder / REPORT_DATA).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderError(f"{folder}: not a finished run; {REPORT_DATA} cannot be read ({error})") from None
    with named_errors(folder / REPORT_DATA):
        return write(dict(data), folder)
