"""The safetensors format with a digest in its header, so that one flipped bit is noticed.

A file is the size of its header in eight bytes, the header in JSON (of each tensor `dtype`, `shape` and `data_offsets`,
and strings under `__metadata__`), and the tensors' bytes one after the other. It is written tensor by tensor, since
the package's own `save_file` makes a file that is its owner's alone and holds no digest.
"""

import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

DIGEST = "sha256"  # key of the metadata

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_BYTES = {name: dtype.itemsize for dtype, name in _TYPES.items()}
_NO_HEADER = "not a safetensors file: its header cannot be read"
_ALIGNMENT = 8  # bytes, of the first tensor
_SIZE = 8  # bytes of the header's size
_LARGEST_HEADER = 100_000_000  # bytes, as the package has it


def with_digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a file of these tensors."""
    return {**metadata, DIGEST: digest(tensors, metadata)}


def pieces(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Iterator[bytes | memoryview]:
    """The bytes of a file, piece by piece; tensors may share their memory."""
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    end = 0
    for name in names:
        tensor = tensors[name]
        begin, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    yield len(text).to_bytes(_SIZE, "little")
    yield text
    for name in names:
        yield _content(tensors[name])


def digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Of names, types, shapes and bytes of all tensors, and of all metadata but a digest."""
    strings = {key: value for key, value in metadata.items() if key != DIGEST}
    whole = hashlib.sha256(json.dumps(strings, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        whole.update(json.dumps([name, _TYPES[tensor.dtype], list(tensor.shape)]).encode())
        whole.update(_content(tensor))
    return whole.hexdigest()


def _content(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a file, also of one without a digest, which its tensors are compared with.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged.
    """
    content = path.read_bytes()
    try:
        tensors = load(content)
    except (SafetensorError, ValueError) as error:
        raise ValueError(f"not a safetensors file: {error}") from None
    metadata = _metadata(io.BytesIO(content))
    expected = metadata.get(DIGEST)
    if expected is not None and expected != digest(tensors, metadata):
        raise ValueError("its bytes are not those that were written")
    return tensors, metadata


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata alone, without a look at the tensors. Raises as `read`."""
    with path.open("rb") as file:
        return _metadata(file)


def read_entries(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type, by the format's name, and sizes of each tensor, without a look at the tensors.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or its header speaks of other bytes than the file has.
    """
    with path.open("rb") as file:
        header = _header(file)
        tensor_bytes = path.stat().st_size - file.tell()
    header.pop("__metadata__", None)
    try:
        return {name: _entry(described, tensor_bytes) for name, described in header.items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError(_NO_HEADER) from None


def _entry(described: dict[str, Any], tensor_bytes: int) -> tuple[str, tuple[int, ...]]:
    """Raises ValueError if the tensor does not lie in the file."""
    dtype, shape = described["dtype"], tuple(described["shape"])
    begin, end = described["data_offsets"]
    if not all(isinstance(size, int) and size >= 0 for size in (*shape, begin, end)):
        raise ValueError(_NO_HEADER)
    if end > tensor_bytes or math.prod(shape) * _BYTES[dtype] != end - begin:
        raise ValueError(f"not a safetensors file: {dtype} {list(shape)} is not what lies there")
    return dtype, shape


def _metadata(file: BinaryIO) -> dict[str, str]:
    try:
        return dict(_header(file).get("__metadata__") or {})
    except (ValueError, TypeError):
        raise ValueError(_NO_HEADER) from None


def _header(file: BinaryIO) -> dict[str, Any]:
    """Behind it the file stands at the first tensor."""
    size = int.from_bytes(file.read(_SIZE), "little")
    try:
        return dict(json.loads(file.read(min(size, _LARGEST_HEADER))))
    except (ValueError, TypeError, RecursionError):
        raise ValueError(_NO_HEADER) from None
