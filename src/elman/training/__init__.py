"""The loop that trains any model: optimizer, learning rate, clipping, averaging, history, checkpoints.

Knows losses and batches; knows nothing of text, classes or files of data.
"""

from . import checkpoint, model_folder, run_folder, tensor_file, weights
from .files import beside, read_json, to_json, write_json, write_tensors, write_text
from .history import Epoch, best_epoch, from_csv, gradient_summary, read_history, to_csv
from .interrupt import StopRequest, stop_requests
from .loop import SILENT, FitEvents, Interrupted, Listener, Step, Task, Trainer
from .machine import Machine, continued
from .optimize import build_optimizer, clip, products_in
from .settings import OPTIMIZERS, PRECISIONS, SCHEDULES, TrainingSettings, check_watched
from .tensorboard import TensorBoard

__all__ = [
    "OPTIMIZERS",
    "PRECISIONS",
    "SCHEDULES",
    "SILENT",
    "Epoch",
    "FitEvents",
    "Interrupted",
    "Listener",
    "Machine",
    "Step",
    "StopRequest",
    "Task",
    "TensorBoard",
    "Trainer",
    "TrainingSettings",
    "beside",
    "best_epoch",
    "build_optimizer",
    "check_watched",
    "checkpoint",
    "clip",
    "continued",
    "from_csv",
    "gradient_summary",
    "model_folder",
    "products_in",
    "read_history",
    "read_json",
    "run_folder",
    "stop_requests",
    "tensor_file",
    "to_csv",
    "to_json",
    "weights",
    "write_json",
    "write_tensors",
    "write_text",
]
