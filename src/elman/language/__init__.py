"""The language model: settings, training on raw text, perplexity, generation, filling in, and the saved model.

Puts the rooms `text`, `nn` and `training` together; hands plain data to `report`. One module per command.
"""

from .config import DEFAULT_PRESET, PRESETS, LanguageConfig, resolve
from .model import TrainedLanguageModel
from .persistence import load, save
from .pretrain import Run, pretrain

__all__ = [
    "DEFAULT_PRESET",
    "PRESETS",
    "LanguageConfig",
    "Run",
    "TrainedLanguageModel",
    "load",
    "pretrain",
    "resolve",
    "save",
]
