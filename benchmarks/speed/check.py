"""Are a peer's results those of the reference? Nothing that computes something else is timed."""

import numpy as np

# The largest difference over the largest value of an array. The reference is torch.nn in float64; float32 of the same
# formulas, other orders of summation and approximate tanh and sigmoid leave up to some 1e-6 in outputs. A gradient of a
# weight is a sum of B * T terms that in part cancel.
OUTPUT_LIMIT, GRADIENT_LIMIT = 1e-5, 5e-5


class MismatchError(Exception):
    """A peer's result is not that of the reference."""


def compare(peer: str, actual: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> dict[str, float]:
    """The error of each array that the peer gives.

    Raises:
        MismatchError: an array that is missing from the reference, of another shape, or too far off.
    """
    errors = {}
    for name, value in actual.items():
        if name not in wanted or value.shape != wanted[name].shape:
            shape = wanted[name].shape if name in wanted else "none"
            raise MismatchError(f"{peer}: {name} has the shape {value.shape}, the reference {shape}")
        errors[name] = float(f"{np.abs(value - wanted[name]).max() / np.abs(wanted[name]).max():.1e}")
        limit = GRADIENT_LIMIT if name.startswith("d") else OUTPUT_LIMIT
        if not errors[name] <= limit:
            raise MismatchError(f"{peer}: {name} is off by {errors[name]:.1e} of its largest value, limit {limit:.0e}")
    return errors
