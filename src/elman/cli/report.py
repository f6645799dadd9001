"""elman report: the HTML page of a run, made again."""

from .. import classify
from . import _options as options
from ._show import out


def report(run: options.RunFolder) -> None:
    """Write report.html and the plots of a finished run anew."""
    out.print(f"report: {classify.report(run)}")
