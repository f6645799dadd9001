"""How the two directions of a layer become one vector."""

from torch import Tensor

from ..errors import UsageError

MERGES = ("concat", "sum", "mean", "product")


def check_merge(given: str) -> str:
    """The name itself, if there is such a merge. Raises UsageError."""
    if given not in MERGES:
        raise UsageError(f"unknown merge {given!r}: choose one of {', '.join(MERGES)}")
    return given


def merged(both: Tensor, kind: str) -> Tensor:
    """[.., F] of both directions side by side, [.., 2F]; with concat they stay so."""
    if kind == "concat":
        return both
    forward, backward = both.chunk(2, dim=-1)
    if kind == "product":
        return forward * backward
    return forward + backward if kind == "sum" else (forward + backward) / 2


def merged_size(both: int, kind: str) -> int:
    """Width of `merged` for a width 2F."""
    return both if kind == "concat" else both // 2
