"""The saved model: a folder with config.json, model.safetensors and tokenizer.json. Nothing in it is executed.

All is written beside what is there before any of it is moved into its place, config.json last: a folder that has one is
whole, and a model that cannot be written leaves the one before.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .. import __version__
from ..errors import ElmanError, ModelFolderError
from .files import beside, make, save_tensors, save_text, to_json

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_FORMAT = 1


def write(folder: Path, kind: str, tensors: dict[str, Tensor], tokenizer: str, description: dict[str, Any]) -> None:
    """Write a model into a folder, made if need be. Raises RunFolderError if that fails; a model there then stays.

    Args:
        kind: what is saved, such as "text-classifier".
        tokenizer: its JSON.
        description: further keys of config.json.
    """
    make(folder)
    described = {"format": _FORMAT, "kind": kind, "elman": __version__, **description}
    # The last one is moved first.
    with (
        beside(folder / CONFIG) as new_config,
        beside(folder / TOKENIZER) as words,
        beside(folder / WEIGHTS) as weights,
    ):
        save_text(new_config, to_json(described, indent=2) + "\n")
        save_text(words, tokenizer)
        save_tensors(weights, tensors, {"elman": __version__})
        (folder / CONFIG).unlink(missing_ok=True)


def kind_of(folder: Path) -> str:
    """What the folder holds. Raises ModelFolderError as `read`."""
    return str(_description(folder)["kind"])


def read(folder: Path, kind: str) -> dict[str, Any]:
    """config.json of a model of this kind.

    Raises:
        ModelFolderError: missing, incomplete, of another kind, or written by a newer version.
    """
    description = _description(folder)
    if description["kind"] != kind:
        raise ModelFolderError(f"{folder}: expected a {kind}, got a {description['kind']}")
    found = description["format"]
    if not isinstance(found, int) or found > _FORMAT:
        raise ModelFolderError(
            f"{folder}: the model has format {found}, written by Elman {description.get('elman')}; this is Elman "
            f"{__version__}, which reads up to format {_FORMAT}: upgrade to open it"
        )
    with named_errors(folder / CONFIG):
        if not isinstance(description["config"], dict):
            raise ModelFolderError(f"expected settings as config, got {description['config']!r:.60}")
    return description


def _description(folder: Path) -> dict[str, Any]:
    with named_errors(folder):
        is_folder = folder.is_dir()
    if not is_folder:
        raise ModelFolderError(f"{folder}: no such model folder")
    missing = [name for name in (CONFIG, WEIGHTS, TOKENIZER) if not _is_readable(folder / name)]
    if missing:
        raise ModelFolderError(f"{folder}: not a complete model; missing {', '.join(missing)}")
    with named_errors(folder / CONFIG):
        description = dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        description["format"], description["kind"]
    return description


def _is_readable(path: Path) -> bool:
    """False if there is no such file. Raises ModelFolderError if there is something that cannot be read."""
    with named_errors(path):
        if not path.exists():
            return False
        if not path.is_file():
            raise IsADirectoryError(0, "not a file")
        path.open("rb").close()
    return True


def tensors(folder: Path) -> dict[str, Tensor]:
    """The weights. Raises ModelFolderError if one is not a number."""
    with named_errors(folder / WEIGHTS):
        found = load_file(folder / WEIGHTS)
        for name, tensor in found.items():
            if not tensor.isfinite().all():
                raise ModelFolderError(f"expected numbers in {name}, got nan or infinity")
    return found


_DAMAGE = (
    SafetensorError, OSError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError,
)  # fmt: skip


@contextmanager
def named_errors(folder: Path) -> Iterator[None]:
    """Whatever goes wrong while something is made of a folder's files becomes a ModelFolderError with their path."""
    try:
        yield
    except _DAMAGE as error:
        if isinstance(error, ElmanError) and (not isinstance(error, ValueError) or str(error).startswith(f"{folder}")):
            raise
        if isinstance(error, OSError) and error.strerror:
            raise ModelFolderError(f"{error.filename or folder}: not readable ({error.strerror})") from None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        reason = f"expected {reason}, got none" if isinstance(error, KeyError) else reason
        raise ModelFolderError(f"{folder}: damaged ({reason})") from None


def group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose name begins so, by the rest of it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
