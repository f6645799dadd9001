"""Making a run's report again from its data."""

from pathlib import Path

from ..report import write_language_report
from ..training.run_folder import read_report_data


def report(run: str | Path) -> Path:
    """Write report.html and the plots of a finished run anew; returns the page's path."""
    folder = Path(run)
    return write_language_report(read_report_data(folder), folder)
