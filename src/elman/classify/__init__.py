"""The text classifier: settings, training, evaluation, prediction, and the saved model.

Puts the rooms `text`, `nn` and `training` together; hands plain data to `report`. One module per command;
`estimator` holds `elman.TextClassifier`, which is loaded on first use because scikit-learn is slow to import.
"""

from .compare import COMPARED, compare
from .config import DEFAULT_PRESET, FINE_TUNED, PRESETS, ClassifierConfig, resolve
from .diagnose import SAMPLE, diagnose
from .evaluate import evaluate
from .persistence import load, save
from .predict import predict
from .report import report
from .summary import summary
from .train import Run, train

__all__ = [
    "COMPARED",
    "DEFAULT_PRESET",
    "FINE_TUNED",
    "PRESETS",
    "SAMPLE",
    "ClassifierConfig",
    "Run",
    "compare",
    "diagnose",
    "evaluate",
    "load",
    "predict",
    "report",
    "resolve",
    "save",
    "summary",
    "train",
]
