"""Making a run's report again from its data."""

from pathlib import Path

from ..report import write_language_report
from ..training import run_folder


def report(run: str | Path) -> Path:
    """Write report.html and the plots of a finished run anew; returns the page's path. Raises ModelFolderError."""
    return run_folder.report_again(Path(run), write_language_report)
