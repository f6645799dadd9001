"""How slowly each unit forgets, read off its forget or update gate."""

import torch
from torch import Tensor

from ._trace import Trace
from .gates import gate_values


def time_constants(traces: list[Trace]) -> list[float] | None:
    """Steps [H] after which 1/e of a unit's old value is left: tau = -1 / ln(mean of the share it keeps at a step).

    The share kept is f of the LSTM kinds, z of the GRUs (h = (1 - z) n + z h'), 1 - z of minGRU, f / (f + i) of minLSTM
    and 1 - leak of leaky units; see Tallec & Ollivier (2018), section 1. inf for a unit that keeps all; None for cells
    without such a share.
    """
    kept = _kept(traces)
    if kept is None:
        return None
    taus: list[float] = (-1 / kept.double().mean(0).log()).tolist()
    return taus


def _kept(traces: list[Trace]) -> Tensor | None:
    cell, vectors = traces[0].kind, traces[0].weights.vectors
    if cell.startswith("leaky"):
        assert vectors is not None
        return 1 - vectors
    gates = gate_values(traces)
    if not gates or cell.startswith("rnn"):
        return None
    if cell == "min_gru":
        return 1 - gates["z"]
    if cell == "min_lstm":
        f, i = gates["f"].double(), gates["i"].double()
        return f / (f + i).clamp(min=torch.finfo(f.dtype).tiny)
    return gates.get("f", gates.get("z"))
