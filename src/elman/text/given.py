"""Texts, and what goes with them, that a caller hands over in memory."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

from ..errors import DataError


def strings(texts: Iterable[str], each: str) -> list[str]:
    """A list of what was given.

    Args:
        each: what one is called in the error, such as "row".
    Raises:
        DataError: no list of strings, such as a single one, a mapping or a table.
    """
    found = listed(texts, "texts")
    for number, text in enumerate(found, 1):
        if not isinstance(text, str):
            raise DataError(f"{each} {number}: expected a string, got {type(text).__name__}")
    return found


def listed(given: Iterable[Any], what: str) -> list[Any]:
    """A list of what was given, and is called `what` in the error.

    Raises:
        DataError: something else, or what has no order: a single string, a mapping, a set, a table.
    """
    if isinstance(given, str):
        raise DataError(f"expected a list of {what}, got a single string")
    has_no_rows = isinstance(given, Mapping | Set) or hasattr(given, "columns") or getattr(given, "ndim", 1) == 0
    if has_no_rows or not isinstance(given, Iterable):
        raise DataError(f"expected a list of {what}, got a {type(given).__name__}")
    return list(given)
