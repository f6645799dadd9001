"""Plain data in; tables, plots and one self-contained HTML page out. Imports no other room."""

from .comparison import write_comparison
from .page import write_report
from .verdict import overfitting_verdict

__all__ = ["overfitting_verdict", "write_comparison", "write_report"]
