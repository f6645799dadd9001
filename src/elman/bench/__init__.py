"""Tasks with known answers far in the past, and the networks that are tried on them.

One task per file; a variant is one line in variants.py; a result is one line of JSON.
"""

from .memory import DEFAULT_TASKS, Events, memory, plan, report
from .results import summary
from .run import Spec, run
from .tasks import TASKS
from .variants import DEFAULT_VARIANTS, VARIANTS, Variant

__all__ = [
    "DEFAULT_TASKS",
    "DEFAULT_VARIANTS",
    "TASKS",
    "VARIANTS",
    "Events",
    "Spec",
    "Variant",
    "memory",
    "plan",
    "report",
    "run",
    "summary",
]
