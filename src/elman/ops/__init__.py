"""Functions of tensors: the recurrent cells over ragged batches.

`recurrent` runs any cell of `CELLS`, of which torch has the `CLASSICAL` ones. `reference` is the specification in plain
loops, one file per cell, `native` the kernels of cpp/ as torch operators (`kernels` calls them), `aten` torch's own
operators, and `backend` chooses between them. No parameters live here, and nothing here knows about text or training.
"""

from . import kernels, padding, ragged, reference
from .aten import CELLS as CLASSICAL
from .backend import backend, is_direct, path, recurrent, use_backend
from .cross_entropy import cross_entropy_by_row, linear_cross_entropy
from .options import Options
from .recording import Record, call_of, recording
from .reference import CELLS
from .weights import Weights

__all__ = [
    "CELLS",
    "CLASSICAL",
    "Options",
    "Record",
    "Weights",
    "backend",
    "call_of",
    "cross_entropy_by_row",
    "is_direct",
    "kernels",
    "linear_cross_entropy",
    "padding",
    "path",
    "ragged",
    "recording",
    "recurrent",
    "reference",
    "use_backend",
]
