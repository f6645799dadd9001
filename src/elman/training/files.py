"""Files that are whole or those before: written beside, synced to the disk, and moved into their place.

All are made by `open`, so that their modes follow the umask.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from ..errors import RunFolderError
from . import tensor_file

NEW = ".new"  # behind the name of a file that is being written


def make(folder: Path) -> None:
    """Make a folder unless it is there. Raises RunFolderError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror})") from None


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file with a digest, atomically. Raises RunFolderError if it cannot be written."""
    with beside(path) as new:
        save_tensors(new, tensors, tensor_file.with_digest(tensors, metadata))


def write_text(path: Path, text: str) -> None:
    """A text file, atomically. Raises RunFolderError if it cannot be written."""
    with beside(path) as new:
        save_text(new, text)


def to_json(value: Any, *, indent: int | None = None, ensure_ascii: bool = False) -> str:
    """As strict JSON: null for a number that it has no word for, which are infinity and what is no number."""
    return json.dumps(_with_null(value), indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)


def _with_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """A JSON file, atomically. Raises RunFolderError if it cannot be written."""
    write_text(path, to_json(value, indent=indent) + "\n")


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises OSError if it cannot be read, ValueError if it is not JSON in UTF-8."""
    try:
        return json.loads(path.read_bytes().decode("utf-8"))
    except RecursionError:
        raise ValueError("nested too deep") from None


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Where to write what is then moved to the path; nothing stays of it if that fails.

    What is there and no regular file, such as /dev/stdout, is written to as it is.
    """
    is_special = _is_special(path)
    new = path if is_special else path.with_name(path.name + NEW)
    try:
        yield new
        if not is_special:
            new.replace(path)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        if not is_special:
            with suppress(OSError):
                new.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    """A pipe or a device, or a name of one such as /dev/stdout, which may lead to a regular file too."""
    if path.is_symlink() and path.absolute().parts[1] in ("dev", "proc"):
        return True
    return path.exists() and not (path.is_file() or path.is_dir())


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file that is on the disk when this returns."""
    with path.open("wb") as file:
        for piece in tensor_file.pieces(tensors, metadata):
            file.write(piece)
        _sync(file)


def save_text(path: Path, text: str) -> None:
    """A text file in UTF-8 that is on the disk when this returns; half characters are written as their escapes."""
    with path.open("wb") as file:
        file.write(in_utf8(text))
        _sync(file)


def in_utf8(text: str) -> bytes:
    """As `save_text` writes it."""
    return text.encode("utf-8", "backslashreplace")


def _sync(file: BinaryIO) -> None:
    """A full disk may be noticed no earlier than here."""
    file.flush()
    if os.path.isfile(file.name):
        os.fsync(file.fileno())
