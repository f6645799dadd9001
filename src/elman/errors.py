"""Every mistake a user can make, by name.

    ElmanError
    ├── UsageError            a setting or an argument that cannot be meant; the command line exits 2
    │   ├── ArgumentTypeError a layer's argument of another type
    │   ├── NotAModuleError   something else in place of a torch.nn.Module
    │   └── NoRecurrentLayerError  diagnostics on a model that has no recurrent layer of ours
    ├── ShapeError            a tensor whose sizes do not fit the layer
    ├── DataError             the input file or its rows
    │   ├── EncodingError     bytes that are not text in the stated encoding
    │   ├── ColumnError       a column that is not there, or cannot be guessed
    │   ├── LabelError        labels that are missing, too few, or unknown to the model
    │   └── SplitError        too few rows for the split asked for
    ├── MissingExtraError     an optional dependency that is not installed
    ├── RunFolderError        an output folder that exists, or cannot be written
    ├── ModelFolderError      a saved model that is damaged, incomplete or newer than this version
    ├── CheckpointError       a checkpoint that cannot be resumed
    └── DivergedError         a loss or gradient that stopped being a number

Messages say what was wanted and what was given.
"""

from collections.abc import Iterable
from typing import Any

_LONGEST_MESSAGE, _LONGEST_VALUE, _LISTED = 2000, 60, 20


def shortened(text: str, limit: int = _LONGEST_VALUE) -> str:
    """At most `limit` characters, the middle left out: what a message shows of something of any size."""
    if len(text) <= limit:
        return text
    half = (limit - 3) // 2
    return f"{text[:half]} … {text[-half:]}"


def listing(names: Iterable[str], limit: int = _LISTED) -> str:
    """The first names and how many more there are; "none" for none."""
    each = [shortened(name) for name in names]
    more = f" and {len(each) - limit:,} more" if len(each) > limit else ""
    return (", ".join(each[:limit]) or "none") + more


class ElmanError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns.

    Its message holds at most 2,000 characters of what may be a file's own names and values.
    """

    exit_code = 1

    def __str__(self) -> str:
        return shortened(super().__str__(), _LONGEST_MESSAGE)


class UsageError(ElmanError, ValueError):
    exit_code = 2


class ArgumentTypeError(UsageError, TypeError):
    """Also a `TypeError`, which is what torch.nn raises for the same mistake."""


class NotAModuleError(UsageError, TypeError):
    pass


class NoRecurrentLayerError(UsageError):
    pass


class ShapeError(ElmanError, ValueError, RuntimeError):
    """Also a `RuntimeError`, which is what torch.nn raises for the same mistake."""


class DataError(ElmanError, ValueError):
    pass


class EncodingError(DataError):
    pass


class ColumnError(DataError):
    pass


class LabelError(DataError):
    pass


class SplitError(DataError):
    pass


class MissingExtraError(ElmanError, ImportError):
    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional dependency: pip install 'elman[{extra}]'")


class RunFolderError(ElmanError, OSError):
    pass


class ModelFolderError(ElmanError, ValueError):
    pass


class CheckpointError(ElmanError, ValueError):
    pass


class DivergedError(ElmanError, ArithmeticError):
    """
    Attributes:
        fitted: what training came to until then, with the model of the last good weights; None where nothing is kept.
    """

    fitted: Any = None
