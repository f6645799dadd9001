"""Vanishing, exploding, saturated, truncated or healthy, and why, in one sentence."""

from typing import NamedTuple

from .effective_memory import LOST, Memory

# Half of the values at the ends of a tanh, where less than a fifth of the slope is left: the slopes, not the matrix,
# end the gradient.
SATURATED = 0.5


class Verdict(NamedTuple):
    """`kind`: vanishing, exploding, saturated, truncated or healthy; `reason`: one sentence with its figures."""

    kind: str
    reason: str


def verdict(memory: Memory, length: int, squashed: float | None, finite: bool = True) -> Verdict:
    """
    Args:
        memory: of the layer.
        length: of the median text, in steps.
        squashed: share of the tanh values of the state or of the candidate that are beyond 0.9; None without a tanh.
        finite: whether all states are finite numbers.
    """
    steps = f"{memory.steps} step" + "s" * (memory.steps != 1)
    if memory.end == "above":
        return Verdict(
            "exploding",
            f"after {steps} the gradient of the median text has grown more than {LOST:.0f}-fold (texts have {length} "
            f"steps): single long texts decide the whole update",
        )
    if not finite:
        return Verdict("exploding", "states are no finite numbers any more: nothing is learned from them")
    if memory.end == "cut" and memory.steps < length:
        return Verdict(
            "truncated",
            f"bptt_truncate ends the gradient after {steps}, of {length} that the median text has, where the state "
            f"still carries it within a factor of {LOST:.0f}: what stands further back from a loss than that learns "
            "nothing from it",
        )
    if memory.end == "open" or memory.steps >= length:
        reached = f"all {memory.steps} steps looked at" if memory.end == "open" else f"{steps} (texts have {length})"
        return Verdict("healthy", f"the gradient of the median text stays within a factor of {LOST:.0f} over {reached}")
    lost = (
        f"after {steps} less than 1/{LOST:.0f} of the gradient of the median text is left, of {length} steps that it "
        f"has: what stands further back from a loss than that learns nothing from it"
    )
    if squashed is not None and squashed > SATURATED:
        return Verdict("saturated", f"{squashed:.0%} of the tanh values are beyond 0.9, where slopes are lost; {lost}")
    return Verdict("vanishing", lost)
