"""The gated recurrent unit as first published (Cho et al. 2014, arXiv 1406.1078v3, eq. 5-8)."""

from ._states import SingleState


class ResetBeforeGRU(SingleState):
    """`GRU` whose reset gate acts before the recurrent product; gates stacked `r z n`.

    n = tanh(W_in x_t + b_in + W_hn (r h_(t-1)) + b_hn), h_t = (1 - z) n + z h_(t-1).
    """

    cell = "gru_before"
    gates, keep_gates = "rzn", "z"
