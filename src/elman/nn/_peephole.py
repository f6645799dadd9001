"""LSTM with peepholes (Gers & Schmidhuber 2000; Gers, Schraudolph & Schmidhuber 2002, eq. 2-6)."""

from ._states import DoubleState


class PeepholeLSTM(DoubleState):
    """`LSTM` whose gates see c through `weight_peephole_l0` [3, H]: i and f the c before, o the new one.

    i = sigmoid(.. + p_i c_(t-1)), f = sigmoid(.. + p_f c_(t-1)), o = sigmoid(.. + p_o c_t); gates stacked `i f g o`.
    """

    cell = "peephole"
    gates, keep_gates, write_gates = "ifgo", "f", "i"
    vectors = "weight_peephole"
