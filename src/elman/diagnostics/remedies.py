"""What to try against a verdict, most promising first, each as settings of `elman train`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .gates import GATES

_GATED = {cell for cell, gates in GATES.items() if gates[0].kind == "sigmoid"}
_UNGATED = ("rnn_tanh", "rnn_relu")


@dataclass(frozen=True)
class Remedy:
    """`settings` by name, and `why` in one clause."""

    settings: dict[str, Any]
    why: str

    @property
    def flag(self) -> str:
        """As on the command line."""
        return " ".join(f"--{name.replace('_', '-')} {value}" for name, value in self.settings.items())


_LSTM = Remedy({"cell": "lstm"}, "its cell adds instead of multiplying, so the gradient passes the forget gate alone")
_GRU = Remedy({"cell": "gru"}, "as the LSTM, with three gates instead of four")
_ORTHOGONAL = Remedy(
    {"init": "orthogonal"}, "all singular values of the recurrent matrix start at 1 (Saxe, McClelland & Ganguli 2014)"
)
_IDENTITY = Remedy(
    {"cell": "rnn", "nonlinearity": "relu", "init": "identity"},
    "the IRNN: a state that stays as it is unless told (Le, Jaitly & Hinton 2015)",
)
_FLOW = Remedy(
    {"information_flow": 1}, "a penalty on a gradient that shrinks from step to step (Pascanu, Mikolov & Bengio 2013)"
)
_MEAN = Remedy({"pooling": "mean"}, "each step gets a loss of its own, so no word is far from one")
_WHOLE = Remedy({"bptt_truncate": 0}, "the gradient of a loss goes back as far as it lasts")
_INSIDE = Remedy({"clip_recurrent": 1}, "limits the gradient inside the recurrence, step by step")
_SLOWER = Remedy({"learning_rate": 0.0003}, "large steps drive units to the ends of their range")


def remedies(
    kind: str,
    cell: str,
    *,
    memory: int,
    length: int,
    gradient_norm: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> list[Remedy]:
    """
    Args:
        kind: of the verdict.
        cell: a name in `ops.CELLS`.
        memory: effective memory in steps.
        length: of the median text, the memory that is wanted.
        gradient_norm: mean over training, if known.
        settings: those in use; what they already say, go beyond, or forbid, is left out.
    """
    in_use = dict(settings or {})
    chrono = Remedy(
        {"init": "chrono", "memory": max(3, length)},
        "gates start with memories spread up to the length of the texts (Tallec & Ollivier 2018)",
    )
    leaky = Remedy(
        {"cell": "leaky", "memory": max(3, length)},
        "units of several time scales, of which the slow ones keep the gradient (Jaeger et al. 2007)",
    )
    known = gradient_norm is not None and 0 < gradient_norm < math.inf
    clip = Remedy(
        {"clip_norm": float(f"{gradient_norm if known else 1:.2g}")},
        f"the gradient is rescaled where its norm is larger{', here its mean in training' if known else ''} (Pascanu, "
        "Mikolov & Bengio 2013)",
    )
    found: list[Remedy] = []
    if kind == "exploding":
        found = [clip, _INSIDE, *([_ORTHOGONAL, _LSTM, _GRU] if cell in _UNGATED else [])]
    elif kind in ("vanishing", "saturated") and cell in _GATED:
        found = [chrono, _MEAN, leaky]
    elif kind in ("vanishing", "saturated"):
        found = [_LSTM, _GRU, *([_ORTHOGONAL, _IDENTITY] if cell in _UNGATED else []), leaky]
        found += [_FLOW] if cell in _UNGATED else []
        found += [_MEAN]
    if kind == "saturated":
        found = [_SLOWER, *found]
    if kind == "truncated":
        found = [_WHOLE, _MEAN]
    found = [_fitting(remedy, in_use) for remedy in found if not _forbidden(remedy, in_use)]
    return [
        remedy
        for remedy in found
        if not all(_is_done(name, to, in_use.get(name)) for name, to in remedy.settings.items())
    ]


def _is_done(name: str, wanted: Any, given: Any) -> bool:
    """Whether the setting in use is what is wanted, or goes further."""
    if given is None:
        return False
    if name in ("clip_norm", "clip_recurrent", "learning_rate", "bptt_truncate"):  # 0 is none, or chosen by the data
        return bool(0 < given <= wanted)
    if name == "memory":
        return bool(given >= wanted)
    return bool(given != "last" if name == "pooling" else given == wanted)


def _forbidden(remedy: Remedy, in_use: dict[str, Any]) -> bool:
    """The regulariser follows the whole gradient (`elman.nn.Regularised`)."""
    cuts, flow = {"bptt_truncate", "clip_recurrent"}, "information_flow"
    if flow in remedy.settings:
        return any(in_use.get(name) for name in cuts)
    return bool(in_use.get(flow)) and not cuts.isdisjoint(remedy.settings)


def _fitting(remedy: Remedy, in_use: dict[str, Any]) -> Remedy:
    """With what another cell does not take, and this one has, set back."""
    cell = remedy.settings.get("cell")
    if cell is None:
        return remedy
    back: dict[str, Any] = {}
    if in_use.get("init", "default") not in ("default", "orthogonal") and "init" not in remedy.settings:
        back["init"] = "default"
    if cell != "lstm" and in_use.get("zoneout_cell"):
        back["zoneout_cell"] = 0
    if cell == "leaky" and in_use.get("information_flow"):
        back["information_flow"] = 0
    if cell == "leaky" and in_use.get("leak", "log") != "log":
        back["leak"] = "log"
    return replace(remedy, settings={**back, **remedy.settings})
