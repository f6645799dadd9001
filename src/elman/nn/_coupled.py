"""LSTM with coupled input and forget gates (Greff et al. 2017, variant CIFG)."""

from ._states import DoubleState


class CoupledLSTM(DoubleState):
    """`LSTM` that writes what it forgets: c_t = f c_(t-1) + (1 - f) g, h_t = o tanh(c_t); gates stacked `f g o`."""

    cell = "coupled"
    gates, keep_gates = "fgo", "f"
