"""All quantities of a recorded pass as plain data, with the verdict and what to do."""

import math
from collections.abc import Mapping
from statistics import median
from typing import Any

import torch

from ._record import Flow
from ._trace import Trace
from .effective_memory import effective_memory
from .gates import dead_units, saturation
from .gradient_norms import gradient_norms
from .jacobian import PROBES, TEXTS, jacobian_norms
from .lyapunov import lyapunov_exponent
from .quantiles import spread
from .recurrent_matrix import recurrent_matrix
from .remedies import remedies
from .time_constants import time_constants
from .verdict import verdict
from .weight_share import weight_share


def diagnose(
    flow: Flow,
    *,
    texts: int = TEXTS,
    probes: int | None = PROBES,
    gradient_norm: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that can be said of a recorded pass, as plain data that `plain` makes fit for JSON.

    Args:
        texts, probes: of the Jacobian, see `jacobian_norms`.
        gradient_norm, settings: see `remedies`.
    Returns:
        `layers`, one per layer and direction (see `diagnose_layer`), and `layer`, `memory`, `verdict` and `remedies` of
        one that explodes or, if none does, of the one that remembers longest: what one layer carries, the network has.
    Raises:
        UsageError: nothing was recorded.
    """
    layers = [diagnose_layer(traces, texts=texts, probes=probes) for traces in flow.traces.values()]
    exploding = [layer for layer in layers if layer["verdict"]["kind"] == "exploding"]
    chief = max(exploding or layers, key=lambda layer: layer["memory"]["projected"])
    kind, memory = chief["verdict"]["kind"], chief["memory"]
    found = remedies(
        kind,
        chief["cell"],
        memory=memory["steps"],
        length=round(median(chief["lengths"])),
        gradient_norm=gradient_norm,
        settings=settings,
    )
    return {
        "layer": chief["name"],
        "memory": memory,
        "verdict": chief["verdict"],
        "remedies": [{"flag": each.flag, "settings": each.settings, "why": each.why} for each in found],
        "layers": layers,
    }


def diagnose_layer(traces: list[Trace], *, texts: int = TEXTS, probes: int | None = PROBES) -> dict[str, Any]:
    """The quantities of one layer in one direction, by name; each is described where it is computed."""
    first = traces[0]
    lengths = [first.skip * n for n in torch.cat([trace.lengths for trace in traces]).tolist()]
    log_gains = jacobian_norms(traces, texts=texts, probes=probes)
    memory = effective_memory(log_gains, first.options.bptt_truncate, first.skip)
    gates = saturation(traces)
    finite = all(bool(trace.output.isfinite().all()) for trace in traces)
    squashed = [gate["low"] + gate["high"] for gate in gates if gate["kind"] == "tanh"]
    return {
        "name": first.name,
        "skip": first.skip,
        "cell": first.kind,
        "reverse": first.reverse,
        "hidden_size": first.output.shape[1],
        "lengths": lengths,
        "gradient": gradient_norms(traces),
        "gradient_by_position": gradient_norms(traces, position=True),
        "weight_share": weight_share(traces),
        "jacobian": {"log_gain": spread(log_gains), "exact": probes is None},
        "lyapunov": lyapunov_exponent(log_gains),
        "matrix": recurrent_matrix(first),
        "saturation": gates,
        "time_constants": time_constants(traces),
        "dead_units": dead_units(traces),
        "omega": sum(trace.omega for trace in traces) / len(traces),
        "memory": memory._asdict(),
        "verdict": verdict(memory, round(median(lengths)), squashed[0] if squashed else None, finite)._asdict(),
    }


def plain(value: Any) -> Any:
    """The same data as JSON can hold it: six digits, and None for infinities."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value
