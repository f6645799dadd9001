"""Elman: recurrent networks on text, trained, explained and shipped on the CPU that is there."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["LanguageModel", "TextClassifier", "__version__", "accelerate", "diagnostics", "nn", "restore"]

if TYPE_CHECKING:
    from . import diagnostics, nn
    from .classify.estimator import TextClassifier
    from .language.estimator import LanguageModel
    from .nn import accelerate, restore

# Loaded on first use: neither `import elman.nn` nor `elman predict` need wait for scikit-learn.
_HOMES = {
    "LanguageModel": ".language.estimator",
    "TextClassifier": ".classify.estimator",
    "accelerate": ".nn",
    "restore": ".nn",
}
_ROOMS = ("diagnostics", "nn")


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module 'elman' has no attribute {name!r}")
