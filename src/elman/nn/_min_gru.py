"""minGRU (Feng et al. 2024, "Were RNNs all we needed?", section 3.1)."""

from ._states import SingleState


class MinGRU(SingleState):
    """A GRU whose gates see the input alone, so that time is a scan: h_t = (1 - z) h_(t-1) + z n.

    z = sigmoid(W_z x_t + b_z), n = W_n x_t + b_n; gates stacked `z n`. There is no recurrent matrix.
    """

    cell = "min_gru"
    gates, write_gates = "zn", "z"
