"""Texts that a caller hands over, as a list of strings."""

from collections.abc import Iterable, Mapping

from ..errors import DataError


def strings(texts: Iterable[str], each: str) -> list[str]:
    """A list of what was given.

    Args:
        each: what one is called in the error, such as "row".
    Raises:
        DataError: no list of strings, such as a single one, a mapping or a table.
    """
    if isinstance(texts, str):
        raise DataError("expected a list of texts, got a single string")
    if isinstance(texts, Mapping) or hasattr(texts, "columns") or not isinstance(texts, Iterable):
        raise DataError(f"expected a list of texts, got a {type(texts).__name__}")
    found = list(texts)
    for number, text in enumerate(found, 1):
        if not isinstance(text, str):
            raise DataError(f"{each} {number}: expected a string, got {type(text).__name__}")
    return found
