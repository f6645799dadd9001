"""The language model: settings, training on raw text, perplexity, generation, filling in, and the saved model.

Puts the rooms `text`, `nn` and `training` together; hands plain data to `report`. One module per command.
"""

from .accuracy import accuracy
from .config import DEFAULT_PRESET, PRESETS, LanguageConfig, resolve
from .fill import BLANK, fill, sides
from .model import TrainedLanguageModel
from .persistence import KIND, load, save
from .pretrain import Run, pretrain
from .report import report
from .summary import summary

__all__ = [
    "BLANK",
    "DEFAULT_PRESET",
    "KIND",
    "PRESETS",
    "LanguageConfig",
    "Run",
    "TrainedLanguageModel",
    "accuracy",
    "fill",
    "load",
    "pretrain",
    "report",
    "resolve",
    "save",
    "sides",
    "summary",
]
