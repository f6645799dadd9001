"""Everything a run needs to go on as if it had not stopped, in one safetensors file.

Tensors: weights, their average, the best weights, the optimizer's state, the random generator. The rest is JSON in the
file's header.
"""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import CheckpointError
from . import tensor_file
from .files import write_tensors

_FORMAT = "3"


def save(
    path: Path,
    groups: dict[str, dict[str, Tensor]],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    progress: dict[str, Any],
    fingerprint: str,
) -> None:
    """
    Args:
        groups: named sets of tensors (weights, average, best).
        progress: what JSON can hold: position, sums, history.
        fingerprint: of the settings and the data; a run can only go on with the same.
    """
    tensors = {f"{group}/{name}": tensor for group, state in groups.items() for name, tensor in state.items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer/{index}/{name}"] = value
    tensors["random"] = generator.get_state()
    write_tensors(path, tensors, {"format": _FORMAT, "fingerprint": fingerprint, "progress": json.dumps(progress)})


def load(
    path: Path, optimizer: torch.optim.Optimizer, generator: torch.Generator, fingerprint: str
) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Restores the optimizer and the random generator in place; returns the groups and the progress.

    Raises:
        CheckpointError: missing, damaged, of another version, or of another run.
    """
    if not path.exists():
        raise CheckpointError(f"{path}: there is no checkpoint to resume from")
    try:
        tensors, metadata = tensor_file.read(path)
        progress = json.loads(metadata.get("progress", "{}"))
    except OSError as error:
        raise CheckpointError(f"{path}: the checkpoint cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the checkpoint is damaged ({error})") from None
    if metadata.get("format") != _FORMAT:
        raise CheckpointError(f"{path}: expected checkpoint format {_FORMAT}, got {metadata.get('format')}")
    if metadata.get("fingerprint") != fingerprint:
        raise CheckpointError(f"{path}: the checkpoint is of other data or other settings than those given")
    groups: dict[str, dict[str, Tensor]] = {}
    optimizer_state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        group, _, rest = name.partition("/")
        if group == "optimizer":
            index, _, key = rest.partition("/")
            optimizer_state.setdefault(int(index), {})[key] = tensor
        elif group == "random":
            generator.set_state(tensor)
        else:
            groups.setdefault(group, {})[rest] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": optimizer_state})
    return groups, progress
