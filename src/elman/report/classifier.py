"""The page of a classifier's run: its figures, curves, mistakes and data."""

from pathlib import Path
from typing import Any

from . import plots
from .page import picture, write_page
from .verdict import clipping_verdict, coverage_sentence, learning_verdict

_EXCERPT = 600


def write_report(data: dict[str, Any], folder: Path) -> Path:
    """Write report.html and one PNG per plot into a folder; returns the page's path.

    Args:
        data: as in report.json of a classifier's run: elman, source, classes, config, tokenizer, scales, seconds,
            layers, history, metrics, gradient, vectors (None without a file of them), mistakes and data.
    """
    figures = {name: plot(data) for name, plot in plots.PLOTS.items()}
    for split, measured in data["metrics"].items():
        figures[f"confusion-{split}"] = plots.confusion(measured["confusion"], data["classes"])
        figures[f"calibration-{split}"] = plots.calibration(measured["calibration"], measured["ece"])
    return write_page(
        folder / "report.html",
        "report.html.j2",
        data,
        pictures={name: picture(name, figure, folder) for name, figure in figures.items() if figure is not None},
        verdict=learning_verdict(
            data["history"], data["metrics"].get("validation"), weighted=data["config"]["class_weight"] != "none"
        ),
        clipping=clipping_verdict(data["gradient"]),
        coverage=coverage_sentence(data["vectors"]) if data["vectors"] else "",
        excerpt=_EXCERPT,
    )
