"""What the gates of each cell are, and where they rest: saturation and histograms."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ._trace import Trace

# Karpathy, Johnson & Fei-Fei (2015), section 4.2, call a gate saturated outside (0.1, 0.9): its slope there is below
# 0.09, about a third of the largest. A tanh beyond 0.9 has less than a fifth of its slope left.
SIGMOID_LOW, SIGMOID_HIGH, TANH_HIGH = 0.1, 0.9, 0.9
_BINS = 20


class Gate(NamedTuple):
    """`kind` is its nonlinearity: sigmoid, tanh, relu or linear."""

    name: str
    kind: str


def _gates(**kinds: str) -> tuple[Gate, ...]:
    return tuple(Gate(name, kind) for name, kind in kinds.items())


_LSTM = _gates(i="sigmoid", f="sigmoid", g="tanh", o="sigmoid")
_GRU = _gates(r="sigmoid", z="sigmoid", n="tanh")
# In the order in which they are stacked; a row per cell of ops.CELLS.
GATES: dict[str, tuple[Gate, ...]] = {
    "rnn_tanh": _gates(h="tanh"),
    "rnn_relu": _gates(h="relu"),
    "indrnn_tanh": _gates(h="tanh"),
    "indrnn_relu": _gates(h="relu"),
    "leaky_tanh": _gates(n="tanh"),
    "leaky_relu": _gates(n="relu"),
    "lstm": _LSTM,
    "peephole": _LSTM,
    "layer_lstm": _LSTM,
    "coupled": _gates(f="sigmoid", g="tanh", o="sigmoid"),
    "gru": _GRU,
    "gru_before": _GRU,
    "layer_gru": _GRU,
    "min_gru": _gates(z="sigmoid", n="linear"),
    "min_lstm": _gates(f="sigmoid", i="sigmoid", n="linear"),
}


def gate_values(traces: list[Trace]) -> dict[str, Tensor]:
    """[n, H] of each gate after its nonlinearity; of cells whose one gate is the state, that. {} if none were kept."""
    gates = GATES[traces[0].cell]
    if gates[0].name != "h" and not len(traces[0].gates):
        return {}
    whole = torch.cat([trace.output if gates[0].name == "h" else trace.gates for trace in traces])
    return {gate.name: part for gate, part in zip(gates, whole.chunk(len(gates), dim=1), strict=True)}


def saturation(traces: list[Trace]) -> list[dict[str, Any]]:
    """Per gate the share of elements at its low and at its high end, over all units and for each, and a histogram.

    Low and high: below 0.1 and above 0.9 of a sigmoid; below -0.9 and above 0.9 of a tanh; exactly 0 of a relu, which
    has no high end. A linear gate has neither. The histogram is of the finite values.

    Returns:
        `gate`, `kind`, `low`, `high`, `units_low` [H], `units_high` [H], `histogram` (counts, edges).
    """
    values = gate_values(traces)
    found = []
    for gate in GATES[traces[0].cell] if values else ():
        value = values[gate.name].double()
        low, high = _ends(value, gate.kind)
        finite = value[value.isfinite()]
        counts, edges = torch.histogram(finite, _BINS, range=_range(finite, gate.kind))
        found.append(
            {
                "gate": gate.name,
                "kind": gate.kind,
                "low": float(low.mean()),
                "high": float(high.mean()),
                "units_low": low.mean(0).tolist(),
                "units_high": high.mean(0).tolist(),
                "histogram": [counts.tolist(), edges.tolist()],
            }
        )
    return found


def dead_units(traces: list[Trace]) -> list[int] | None:
    """Units of a relu cell that are 0 at every step of every text: nothing flows back through them. None of others.

    A step at which a unit rests, as those of clockwork layers do, does not count.
    """
    gate = GATES[traces[0].cell][-1]
    values = gate_values(traces)
    if gate.kind != "relu" or not values:
        return None
    rests = [trace.options.zoneout[0] == 1 for trace in traces if trace.options.zoneout is not None]
    silent = values[gate.name] == 0
    silent = (silent | torch.cat(rests) if rests else silent).all(0)
    units: list[int] = silent.nonzero()[:, 0].tolist()
    return units


def _ends(value: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    nowhere = torch.zeros_like(value)
    if kind == "sigmoid":
        return (value < SIGMOID_LOW).double(), (value > SIGMOID_HIGH).double()
    if kind == "tanh":
        return (value < -TANH_HIGH).double(), (value > TANH_HIGH).double()
    return ((value == 0).double(), nowhere) if kind == "relu" else (nowhere, nowhere)


def _range(value: Tensor, kind: str) -> tuple[float, float]:
    if kind in ("sigmoid", "tanh"):
        return (0.0 if kind == "sigmoid" else -1.0), 1.0
    low, high = (float(value.min()), float(value.max())) if len(value) else (0.0, 0.0)
    return low, high if high > low else low + 1
