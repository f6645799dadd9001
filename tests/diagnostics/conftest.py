"""Traces of every cell without a model."""

import pytest
import torch

from cells import arguments
from elman import ops
from elman.diagnostics import Trace


@pytest.fixture
def trace_of():
    """trace_of(case, lengths, reverse=False, **sizes) -> Trace of random weights, states and input; no gradients."""

    def make(case, lengths, reverse=False, scale=1.0, **sizes):
        args = arguments(case, lengths, **sizes)
        weights = ops.Weights(*(None if w is None else w.detach() for w in args.weights))
        if weights.weight_hh is not None:
            weights = weights._replace(weight_hh=weights.weight_hh * scale)
        data, state_0 = args.data.detach(), tuple(s.detach() for s in args.state_0)
        with torch.no_grad():
            output, _ = ops.reference.recurrent(case.name, data, args.batch_sizes, state_0, weights, reverse=reverse)
        nothing = torch.empty(0, dtype=torch.float64)
        return Trace(
            "l0", 1, case.name, reverse, weights, ops.Options(), args.batch_sizes, state_0, data, output,
            nothing, nothing, nothing, nothing, 0.0,
        )  # fmt: skip

    return make


@pytest.fixture
def texts_of():
    """texts_of(trace) -> for each row its elements [T, I] in the order they are read, and its initial state."""

    def make(trace):
        found = []
        for row, length in enumerate(trace.lengths.tolist()):
            starts = trace.batch_sizes.cumsum(0) - trace.batch_sizes
            elements = starts[:length] + row
            elements = elements.flip(0) if trace.reverse else elements
            found.append((trace.data[elements].double(), tuple(s[row].double() for s in trace.state_0)))
        return found

    return make
