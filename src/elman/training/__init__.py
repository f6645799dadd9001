"""The loop that trains any model: optimizer, learning rate, clipping, averaging, history, checkpoints.

Knows losses and batches; knows nothing of text, classes or files of data.
"""

from .checkpoint import write_tensors, write_text
from .history import Epoch, from_csv, gradient_summary, to_csv
from .interrupt import StopRequest, stop_requests
from .loop import Interrupted, Listener, Step, Task, Trainer
from .optimize import build_optimizer, clip
from .settings import OPTIMIZERS, SCHEDULES, TrainingSettings, choose, within
from .tensorboard import TensorBoard

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "Epoch",
    "Interrupted",
    "Listener",
    "Step",
    "StopRequest",
    "Task",
    "TensorBoard",
    "Trainer",
    "TrainingSettings",
    "build_optimizer",
    "choose",
    "clip",
    "from_csv",
    "gradient_summary",
    "stop_requests",
    "to_csv",
    "within",
    "write_tensors",
    "write_text",
]
