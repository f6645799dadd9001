"""The one table of tolerances, each with its reason. Widening a row is a change to explain.

Values are (rtol, atol) for `torch.testing.assert_close`.
"""

import torch

TOLERANCES = {
    # Same formulas, other order of summation, a few dozen terms.
    ("cell", torch.float64): (1e-10, 1e-12),
    # oneDNN's float32 tanh and sigmoid are good to a few ulp; errors add up over up to 33 steps.
    ("cell", torch.float32): (1e-4, 2e-5),
    # Against float64: sums of up to 100 products of numbers of order 1 give pre-activations of order 10, whose rounding
    # the gradients carry over up to 9 steps.
    ("kernel", torch.float32): (2e-4, 2e-4),
    ("kernel", torch.float64): (1e-10, 1e-10),
    # Sums of up to 800 products of numbers of order 1, some of which come to nearly nothing.
    ("product", torch.float32): (1e-5, 1e-4),
    ("product", torch.float64): (1e-13, 1e-12),
    # Sums and states of order 1 in 11 and 8 bits of mantissa, rounded at every one of up to 7 steps.
    ("cell", torch.float16): (0, 4e-3),
    ("cell", torch.bfloat16): (0, 3e-2),
    # Central differences with step 1e-6 in float64 leave about 1e-9 of rounding and truncation.
    ("finite_difference", torch.float64): (1e-5, 1e-8),
    # Whole classifier in float32, another batch around the same text.
    ("classifier", torch.float32): (1e-4, 1e-5),
}


def close(actual, expected, kind="cell", **kwargs) -> None:
    """assert_close with the tolerance of this kind of comparison at this dtype."""
    dtype = actual.dtype if isinstance(actual, torch.Tensor) else actual[0].dtype
    rtol, atol = TOLERANCES[kind, dtype]
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, **kwargs)
