"""Functions of tensors: the recurrent cells over ragged batches.

`reference` is the specification in plain loops, `native` the kernels of cpp/ as torch operators (`kernels` calls them),
`aten` the same functions on torch's own operators, and `backend` chooses between them. No parameters live here, and
nothing here knows about text or training.
"""

from . import kernels, ragged, reference
from .backend import backend, gru, is_direct, lstm, path, rnn, use_backend
from .weights import Weights

__all__ = [
    "Weights",
    "backend",
    "gru",
    "is_direct",
    "kernels",
    "lstm",
    "path",
    "ragged",
    "reference",
    "rnn",
    "use_backend",
]
