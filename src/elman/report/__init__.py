"""Plain data in; tables, plots and one self-contained HTML page out. Imports no other room."""

from .classifier import write_report
from .comparison import write_comparison
from .diagnosis import write_diagnosis
from .flow_plots import diagnosis_figures
from .language import perplexity_verdict, write_language_report
from .memory import memory_tables, write_memory
from .verdict import (
    Judgement,
    chance_sentence,
    clipping_verdict,
    coverage_sentence,
    learning_verdict,
    overfitting_verdict,
)

__all__ = [
    "Judgement",
    "chance_sentence",
    "clipping_verdict",
    "coverage_sentence",
    "diagnosis_figures",
    "learning_verdict",
    "memory_tables",
    "overfitting_verdict",
    "perplexity_verdict",
    "write_comparison",
    "write_diagnosis",
    "write_language_report",
    "write_memory",
    "write_report",
]
