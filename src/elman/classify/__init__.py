"""The text classifier: settings, training, evaluation, prediction, and the saved model.

Puts the rooms `text`, `nn` and `training` together; hands plain data to `report`. One module per command.
"""

from .compare import compare
from .config import DEFAULT_PRESET, PRESETS, ClassifierConfig, resolve
from .estimator import TextClassifier
from .evaluate import evaluate
from .fit import FitEvents
from .persistence import load, save
from .predict import predict
from .report import report
from .summary import Layer, summary
from .train import Run, train

__all__ = [
    "DEFAULT_PRESET",
    "PRESETS",
    "ClassifierConfig",
    "FitEvents",
    "Layer",
    "Run",
    "TextClassifier",
    "compare",
    "evaluate",
    "load",
    "predict",
    "report",
    "resolve",
    "save",
    "summary",
    "train",
]
