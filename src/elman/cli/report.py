"""elman report: the HTML page of a run, made again."""

from . import _options as options
from ._rooms import room_of
from ._show import out


def report(run: options.RunFolder) -> None:
    """Write report.html and the plots of a finished run anew."""
    out.print(f"report: {room_of(run).report(run)}")
