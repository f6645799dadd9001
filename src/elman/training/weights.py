"""What tensors a saved model has, by the header of its file, against those that its settings call for.

Compared before anything is built or read: a small file that speaks of a large network costs nothing.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from ..errors import ModelFolderError
from . import tensor_file

_FLOATS = ("F64", "F32", "F16", "BF16")


class Entry(NamedTuple):
    """Type, by safetensors' name or "float" for any of theirs, and sizes of a tensor."""

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {list(self.shape)}"


def entries(path: Path) -> dict[str, Entry]:
    """Of a safetensors file. Raises OSError or ValueError if its header cannot be read or lies about its size."""
    return {name: Entry(dtype, shape) for name, (dtype, shape) in tensor_file.read_entries(path).items()}


def entries_of(weights: Mapping[str, Tensor], prefix: str = "") -> dict[str, Entry]:
    """Of a network's weights, which may be on the device "meta"."""
    return {prefix + name: Entry("float", tuple(weight.shape)) for name, weight in weights.items()}


def check_sizes(config: Mapping[str, Any], entries: Mapping[str, Entry]) -> None:
    """Of the settings of a network, which are not yet checked otherwise: each layer and each unit has weights.

    Raises:
        ModelFolderError: more layers than tensors, or a layer wider than there are numbers.
    """
    widths = [int(part) for part in str(config.get("hidden_sizes", "")).split(",") if part.isdecimal()]
    layers = max(_whole(config.get("num_layers")), len(widths))
    if layers > len(entries):
        raise ModelFolderError(f"expected weights of {layers} layers, got {len(entries)} tensors in all")
    numbers = sum(math.prod(entry.shape) for entry in entries.values())
    sizes = [("embedding_dim", config.get("embedding_dim")), *(("hidden_sizes", width) for width in widths)]
    is_tied_alone = config.get("tied", False) and layers == 1
    if not (widths or is_tied_alone):  # where another size takes its place
        sizes.append(("hidden_size", config.get("hidden_size")))
    for name, size in sizes:
        if _whole(size) > numbers:
            raise ModelFolderError(f"expected weights of {name} {size}, got {numbers} numbers in all")


def _whole(value: Any) -> int:
    """0 for what is no whole number, which is refused elsewhere."""
    return value if isinstance(value, int) else 0


def check_vocabulary(embedding: str, words: int, entries: Mapping[str, Entry]) -> None:
    """Raises ModelFolderError unless this table has a row for each entry of the tokenizer."""
    rows = entries[embedding].shape[:1] if embedding in entries else (words,)
    if rows != (words,):
        raise ModelFolderError(f"the tokenizer has {words} entries and the network {rows[0] if rows else 'none'}")


def check_entries(expected: Mapping[str, Entry], found: Mapping[str, Entry]) -> None:
    """Raises ModelFolderError with the first tensor that is missing, of other sizes or another type, or too many."""
    wrong = [
        f"{name}: expected {entry}, got {found.get(name, 'no such tensor')}"
        for name, entry in expected.items()
        if name not in found or not _fits(entry, found[name])
    ]
    wrong += [f"{name}: expected no such tensor, got {entry}" for name, entry in found.items() if name not in expected]
    if wrong:
        others = f"; {len(wrong)} tensors differ" if len(wrong) > 1 else ""
        raise ModelFolderError(wrong[0] + others)


def _fits(expected: Entry, found: Entry) -> bool:
    is_type = expected.dtype == found.dtype or (expected.dtype == "float" and found.dtype in _FLOATS)
    return is_type and expected.shape == found.shape
