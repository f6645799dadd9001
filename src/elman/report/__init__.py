"""Plain data in; tables, plots and one self-contained HTML page out. Imports no other room."""

from .comparison import write_comparison
from .page import write_report
from .verdict import clipping_verdict, overfitting_verdict

__all__ = ["clipping_verdict", "overfitting_verdict", "write_comparison", "write_report"]
