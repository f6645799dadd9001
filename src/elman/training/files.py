"""Files that are whole or those before: written beside, synced to the disk, and moved into their place."""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..errors import RunFolderError


def make(folder: Path) -> None:
    """Make a folder unless it is there. Raises RunFolderError if that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror})") from None


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file, atomically. Raises RunFolderError if it cannot be written (a full disk, say)."""
    with beside(path) as new:
        save_tensors(new, tensors, metadata)


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


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Where to write what is then moved to the path; nothing stays of it if that fails."""
    new = path.with_name(path.name + ".new")
    try:
        yield new
        new.replace(path)
    except (OSError, SafetensorError) as error:
        raise RunFolderError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def save_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """A safetensors file that is on the disk when this returns."""
    save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata)
    _sync(path)


def save_text(path: Path, text: str) -> None:
    """A text file in UTF-8 that is on the disk when this returns; half characters are written as their escapes."""
    path.write_bytes(text.encode("utf-8", "backslashreplace"))
    _sync(path)


def _sync(path: Path) -> None:
    """A full disk may be noticed no earlier than here."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
