"""Functions of tensors: the recurrent cells over ragged batches.

`reference` is the specification in plain loops, `aten` runs the same functions on torch's own operators, and
`backend` chooses between them. No parameters live here, and nothing here knows about text or training.
"""

from . import ragged, reference
from .backend import backend, gru, lstm, rnn, use_backend
from .weights import Weights

__all__ = ["Weights", "backend", "gru", "lstm", "ragged", "reference", "rnn", "use_backend"]
