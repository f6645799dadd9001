"""The language model: settings, training on raw text, perplexity, generation, filling in, and the saved model.

Puts the rooms `text`, `nn` and `training` together; hands plain data to `report`. One module per command.
"""

from .accuracy import accuracy
from .cache import Cache
from .config import DEFAULT_PRESET, PRESETS, LanguageConfig, resolve
from .fill import BLANK, fill, sides
from .generate import Sampling, continuation, generate, prompt_ids
from .model import TrainedLanguageModel
from .perplexity import Scores, perplexity, perplexity_of, score
from .persistence import KIND, load, save
from .pretrain import Run, pretrain
from .report import report
from .scoring import Dynamic
from .summary import summary

__all__ = [
    "BLANK",
    "DEFAULT_PRESET",
    "KIND",
    "PRESETS",
    "Cache",
    "Dynamic",
    "LanguageConfig",
    "Run",
    "Sampling",
    "Scores",
    "TrainedLanguageModel",
    "accuracy",
    "continuation",
    "fill",
    "generate",
    "load",
    "perplexity",
    "perplexity_of",
    "pretrain",
    "prompt_ids",
    "report",
    "resolve",
    "save",
    "score",
    "sides",
    "summary",
]
