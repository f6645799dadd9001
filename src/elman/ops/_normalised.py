"""Gains and biases of a normalised cell as the kernels take them: rows of `vectors` (cpp/include/elman/recurrent.h)."""

import torch
from torch import Tensor

from .weights import Weights


def gathered(weights: Weights) -> Weights:
    """The weights for the kernels; those of a cell without normalisation as they are.

    `vectors` is [4 * G (+ 2), H]: norm_gates, bias_ih, bias_hh (zero if there are none), norm_cell.
    """
    if weights.norm_gates is None or weights.weight_hh is None:
        return weights
    zero = weights.norm_gates.new_zeros(weights.norm_gates.shape[1])
    biases = [zero if bias is None else bias for bias in (weights.bias_ih, weights.bias_hh)]
    parts = [weights.norm_gates, *biases, *(() if weights.norm_cell is None else (weights.norm_cell,))]
    hidden = weights.weight_hh.shape[1]
    return Weights(weights.weight_ih, weights.weight_hh, vectors=torch.cat([part.view(-1, hidden) for part in parts]))


def scattered(dvectors: Tensor, weights: Weights) -> Weights:
    """From the gradient of those `vectors` to those of the biases, norm_gates and norm_cell; the rest is not of use."""
    assert weights.norm_gates is not None
    gates = dvectors.shape[0] // 4  # 4 * G + 2 rows, or 4 * G
    sizes = [2 * gates, gates, gates, dvectors.shape[0] - 4 * gates]
    of_gates, of_ih, of_hh, of_cell = (part.clone() for part in dvectors.split(sizes))  # an operator returns no views
    bias = weights.bias_ih is not None
    return Weights(
        weights.weight_ih,
        bias_ih=of_ih.flatten() if bias else None,
        bias_hh=of_hh.flatten() if bias else None,
        norm_gates=of_gates.reshape(2, -1),
        norm_cell=of_cell if weights.norm_cell is not None else None,
    )
