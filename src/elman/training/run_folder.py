"""The folder of a run: who may write there, and what it holds.

config.toml            the resolved settings
checkpoint.safetensors while training is under way, and work/ with the encoded text of a language model
config.json, model.safetensors, tokenizer.json   the model
language-model/, unlabelled.json   the language model that was trained first, if any, and what it was made of
metrics.json           figures of each split, norms of the gradient with the clip_norm they propose, and what the
                       word vectors cover
history.csv            one row per epoch
report.json, report.html, *.png   the report and its data
diagnosis.json, diagnosis.html    where the gradient goes, if asked for
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import ModelFolderError, RunFolderError
from .files import make as make
from .files import write_json, write_text
from .history import Epoch, to_csv
from .model_folder import CONFIG, named_errors

MARKER = "config.toml"
CHECKPOINT, WORK = "checkpoint.safetensors", "work"
METRICS, HISTORY, REPORT_DATA = "metrics.json", "history.csv", "report.json"
DIAGNOSIS = "diagnosis.json"


def check(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """May a run be written here? Raises RunFolderError if not."""
    if resume:
        if not (folder / CHECKPOINT).exists():
            finished = ": the run is finished" if (folder / CONFIG).exists() else ""
            raise RunFolderError(f"{folder}: there is no checkpoint to resume from{finished}")
        return
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder}: exists and is not a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise RunFolderError(f"{folder}: the folder exists; give --overwrite, --resume or another --out")
    if not (folder / MARKER).exists() and not (folder / CONFIG).exists():
        raise RunFolderError(f"{folder}: the folder exists and is not a run of Elman; it is not overwritten")


@contextmanager
def begun(folder: Path, config_toml: str, *, resume: bool) -> Iterator[None]:
    """A run inside: the folder is there, empty but for the settings unless the run goes on.

    What it held before is set aside, and put back if the block ends in an error that leaves neither checkpoint nor
    model, such as a file that cannot be read.

    Raises:
        RunFolderError: it cannot be written.
    """
    aside = folder / _ASIDE
    if resume:
        yield
        shutil.rmtree(aside, ignore_errors=True)
        return
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if aside.exists() and not _is_under_way(folder):  # of a run that was killed before it had anything to keep
            _empty(folder)
        else:
            shutil.rmtree(aside, ignore_errors=True)
            found = list(folder.iterdir())
            aside.mkdir()
            for path in found:
                path.rename(aside / path.name)
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        write_text(folder / MARKER, config_toml)
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


_ASIDE = ".before"


def _empty(folder: Path) -> None:
    """But for what is set aside."""
    for path in folder.iterdir():
        if path.name != _ASIDE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_under_way(folder: Path) -> bool:
    """Whether there is something to go on from or to use, also of a language model inside."""
    inside = [path for path in folder.iterdir() if path.is_dir() and path.name != _ASIDE]
    return any((place / name).exists() for place in (folder, *inside) for name in (CHECKPOINT, CONFIG))


def write_results(folder: Path, metrics: dict[str, Any], history: list[Epoch], report: dict[str, Any]) -> None:
    """The figures, a row for each epoch, and the data of the report."""
    write_json(folder / METRICS, metrics)
    write_text(folder / HISTORY, to_csv(history))
    write_json(folder / REPORT_DATA, report)


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
