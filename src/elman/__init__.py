"""Elman: recurrent networks on text, trained, explained and shipped on the CPU that is there."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["TextClassifier", "__version__"]

if TYPE_CHECKING:
    from .classify.estimator import TextClassifier


def __getattr__(name: str) -> Any:
    # Loaded on first use: neither `import elman.nn` nor `elman predict` need wait for scikit-learn.
    if name == "TextClassifier":
        from .classify.estimator import TextClassifier

        return TextClassifier
    raise AttributeError(f"module 'elman' has no attribute {name!r}")
