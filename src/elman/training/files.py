"""Files that are whole or those before: written beside, synced to the disk, and moved into their place."""

import json
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


def write_json(path: Path, value: Any, indent: int | None = 2) -> None:
    """A JSON file, atomically. Raises RunFolderError if it cannot be written."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


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
