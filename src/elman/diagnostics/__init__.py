"""What is measured on a network through time: where its gradient goes, how far it remembers, and what to change.

`record` watches a forward and backward pass; `diagnose` makes everything of it; one quantity per file besides.
"""

from ._record import Flow, record
from ._trace import Trace, by_lag, by_position
from .diagnose import diagnose, diagnose_layer, plain
from .effective_memory import Memory, effective_memory
from .gates import GATES, Gate, dead_units, saturation
from .gradient_norms import gradient_norms
from .jacobian import PROBES, TEXTS, jacobian_norms
from .lyapunov import lyapunov_exponent
from .quantiles import QUANTILES, spread
from .recurrent_matrix import recurrent_matrix
from .remedies import Remedy, remedies
from .time_constants import time_constants
from .updates import update_ratios
from .verdict import Verdict, verdict
from .weight_share import weight_share

__all__ = [
    "GATES",
    "PROBES",
    "QUANTILES",
    "TEXTS",
    "Flow",
    "Gate",
    "Memory",
    "Remedy",
    "Trace",
    "Verdict",
    "by_lag",
    "by_position",
    "dead_units",
    "diagnose",
    "diagnose_layer",
    "effective_memory",
    "gradient_norms",
    "jacobian_norms",
    "lyapunov_exponent",
    "plain",
    "record",
    "recurrent_matrix",
    "remedies",
    "saturation",
    "spread",
    "time_constants",
    "update_ratios",
    "verdict",
    "weight_share",
]
