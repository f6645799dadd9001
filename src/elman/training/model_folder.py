"""The saved model: a folder with config.json, model.safetensors and tokenizer.json. Nothing in it is executed.

All is written beside what is there before any of it is moved into its place, config.json last: a folder that has one is
whole, and a model that cannot be written leaves the one before. If a process dies while the files are moved, they are
read where they are.

What was written is known by SHA-256: that of each file under "sha256" in config.json, the tensors' also in the header
of their file. Who changes a file by hand removes that key; models of earlier versions have none.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from .. import __version__
from ..errors import ElmanError, ModelFolderError
from . import tensor_file
from .files import NEW, beside, in_utf8, make, read_json, save_tensors, save_text, to_json

ASIDE = ".before"  # inside a run's folder, what was there before it, until there is a new model
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_FORMAT = 1
_DIGESTS = "sha256"


def write(folder: Path, kind: str, tensors: dict[str, Tensor], tokenizer: str, description: dict[str, Any]) -> None:
    """Write a model into a folder, made if need be. Raises RunFolderError if that fails; a model there then stays.

    Args:
        kind: what is saved, such as "text-classifier".
        tokenizer: its JSON.
        description: further keys of config.json.
    """
    make(folder)
    described = {"format": _FORMAT, "kind": kind, "elman": __version__, **description}
    written = to_json(described)
    metadata = tensor_file.with_digest(tensors, {"elman": __version__})
    digests = {
        CONFIG: _digest(json.loads(written)),
        TOKENIZER: hashlib.sha256(in_utf8(tokenizer)).hexdigest(),
        WEIGHTS: metadata[tensor_file.DIGEST],
    }
    # The last one is moved first.
    with (
        beside(folder / CONFIG) as new_config,
        beside(folder / TOKENIZER) as words,
        beside(folder / WEIGHTS) as weights,
    ):
        save_text(words, tokenizer)
        save_tensors(weights, tensors, metadata)
        save_text(new_config, to_json({**described, _DIGESTS: digests}, indent=2) + "\n")
        (folder / CONFIG).unlink(missing_ok=True)


def _digest(description: dict[str, Any]) -> str:
    """Of what config.json holds but the digests, however its lines are set."""
    own = {key: value for key, value in description.items() if key != _DIGESTS}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def places(folder: Path) -> Iterator[Path]:
    """The folder, and inside it what was set aside by runs that have not ended, the newest first."""
    yield folder
    for name in (ASIDE, ASIDE + NEW):
        if (folder / name).is_dir():
            yield from places(folder / name)


def located(folder: Path) -> Path:
    """Where the model of a folder is: there, or with what a run set aside that has no model yet."""
    with named_errors(folder):
        return next(filter(_has_model, places(folder)), folder)


def _has_model(folder: Path) -> bool:
    return path_of(folder, CONFIG).is_file()


def path_of(folder: Path, name: str) -> Path:
    """Where a file of the model is: in its place, or still beside it, if a process died when it had written all."""
    path, new, new_config = folder / name, folder / (name + NEW), folder / (CONFIG + NEW)
    is_moved = (folder / CONFIG).exists() or not (new.exists() and new_config.exists())
    if is_moved:
        return path
    try:
        _check_description(read_json(new_config))
    except (OSError, ValueError, TypeError, AttributeError):
        return path  # it died earlier
    return new


def _check_description(description: dict[str, Any]) -> None:
    """Raises ValueError if it is not what was written."""
    if _DIGESTS in description and description[_DIGESTS].get(CONFIG) != _digest(description):
        raise ValueError(f"{CONFIG} holds something else than what was written")


def kind_of(folder: Path) -> str:
    """What the folder holds. Raises ModelFolderError as `read`."""
    return str(_description(located(folder))["kind"])


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
    with named_errors(folder):
        _check_description(description)
        if _DIGESTS in description:
            words = hashlib.sha256(path_of(folder, TOKENIZER).read_bytes()).hexdigest()
            _check_file(TOKENIZER, words, description[_DIGESTS])
    with named_errors(folder / CONFIG):
        config = description.get("config", {})
        if not isinstance(config, dict):
            raise ModelFolderError(f"expected settings as config, got {config!r:.60}")
    return description


def _check_file(name: str, digest: str | None, digests: dict[str, str]) -> None:
    """Raises ModelFolderError if a file is not the one that was written with config.json."""
    if digests.get(name) != digest:
        raise ModelFolderError(f"{name} holds something else than what was written with {CONFIG}")


def _description(folder: Path) -> dict[str, Any]:
    with named_errors(folder):
        is_folder = folder.is_dir()
    if not is_folder:
        raise ModelFolderError(f"{folder}: no such model folder")
    missing = [name for name in (CONFIG, WEIGHTS, TOKENIZER) if not _is_readable(path_of(folder, name))]
    if missing:
        raise ModelFolderError(f"{folder}: not a complete model; missing {', '.join(missing)}")
    with named_errors(folder / CONFIG):
        description = dict(read_json(path_of(folder, CONFIG)))
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


def tensors(folder: Path, description: dict[str, Any]) -> dict[str, Tensor]:
    """The weights.

    Args:
        description: what `read` returned.
    Raises:
        ModelFolderError: they are not those that were written, or one is not a number.
    """
    with named_errors(folder / WEIGHTS):
        found, metadata = tensor_file.read(path_of(folder, WEIGHTS))
        for name, tensor in found.items():
            if not tensor.isfinite().all():
                raise ModelFolderError(f"expected numbers in {name}, got nan or infinity")
        if _DIGESTS in description:
            _check_file(WEIGHTS, metadata.get(tensor_file.DIGEST), description[_DIGESTS])
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
