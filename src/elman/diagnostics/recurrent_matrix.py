"""The recurrent matrix itself, gate by gate."""

from typing import Any

import torch

from ._trace import Trace
from .gates import GATES


def recurrent_matrix(trace: Trace) -> list[dict[str, Any]]:
    """Spectral radius and largest singular value of each gate's block of weight_hh.

    A plain cell with radius below 1 loses its gradient, whatever it reads; largest singular value above 1 is necessary
    for it to explode (Pascanu, Mikolov & Bengio 2013, section 2.1). Of cells with one recurrent weight per unit
    (IndRNN) both are the largest of those weights. The radius of blocks that are not square (a projected LSTM's) is
    None, and so are both of weights that are not finite.

    Returns:
        per gate `gate`, `radius`, `norm`; empty for cells whose state enters no gate.
    """
    weight_hh, vectors = trace.weights.weight_hh, trace.weights.vectors
    if weight_hh is None:
        if not trace.cell.startswith("indrnn") or vectors is None:
            return []
        largest = float(vectors[0].double().abs().max())
        return [{"gate": "h", "radius": largest, "norm": largest}]
    gates = GATES[trace.cell]
    found = []
    for gate, block in zip(gates, weight_hh.double().chunk(len(gates)), strict=True):
        square, finite = block.shape[0] == block.shape[1], bool(block.isfinite().all())
        radius = float(torch.linalg.eigvals(block).abs().max()) if square and finite else None
        norm = float(torch.linalg.matrix_norm(block, 2)) if finite else None
        found.append({"gate": gate.name, "radius": radius, "norm": norm})
    return found
