"""Elman: recurrent networks on text, trained, explained and shipped on the CPU that is there."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["TextClassifier", "__version__"]

if TYPE_CHECKING:
    from .classify import TextClassifier


def __getattr__(name: str) -> Any:
    # Loaded on first use: `import elman.nn` need not pay for scikit-learn and the plots.
    if name == "TextClassifier":
        from .classify import TextClassifier

        return TextClassifier
    raise AttributeError(f"module 'elman' has no attribute {name!r}")
