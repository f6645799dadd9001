"""minLSTM (Feng et al. 2024, "Were RNNs all we needed?", section 3.2)."""

from ._states import SingleState


class MinLSTM(SingleState):
    """An LSTM whose gates see the input alone, so that time is a scan: h_t = f' h_(t-1) + i' n.

    f' = f / (f + i), i' = i / (f + i), n = W_n x_t + b_n; gates stacked `f i n`. Its one state is h, and there is no
    recurrent matrix.
    """

    cell = "min_lstm"
    gates, keep_gates, write_gates = "fin", "f", "i"
