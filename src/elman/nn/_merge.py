"""How the two directions of a layer become one vector."""

from torch import Tensor

MERGES = ("concat", "sum", "mean", "product")


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
