"""The language model: settings, training on raw text, perplexity, generation, filling in, and the saved model.

Puts the rooms `text`, `nn` and `training` together; hands plain data to `report`. One module per command.
"""

from .cache import Cache
from .config import DEFAULT_PRESET, PRESETS, LanguageConfig, resolve
from .generate import Sampling, continuation, generate, prompt_ids
from .model import TrainedLanguageModel
from .perplexity import Scores, perplexity, score
from .persistence import load, save
from .pretrain import Run, pretrain
from .scoring import Dynamic

__all__ = [
    "DEFAULT_PRESET",
    "PRESETS",
    "Cache",
    "Dynamic",
    "LanguageConfig",
    "Run",
    "Sampling",
    "Scores",
    "TrainedLanguageModel",
    "continuation",
    "generate",
    "load",
    "perplexity",
    "pretrain",
    "prompt_ids",
    "resolve",
    "save",
    "score",
]
