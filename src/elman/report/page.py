"""One HTML page that needs nothing else: the plots are inside it."""

import base64
import io
import warnings
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError
from matplotlib.figure import Figure

from . import plots
from .verdict import clipping_verdict, coverage_sentence, overfitting_verdict

_EXCERPT = 600


def write_report(data: dict[str, Any], folder: Path) -> Path:
    """Write report.html and one PNG per plot into a folder; returns the page's path.

    Args:
        data: classes, config, history, metrics, mistakes, layers, data, seconds; as in a run's report.json.
    """
    figures = {name: plot(data) for name, plot in plots.PLOTS.items()}
    for split, measured in data["metrics"].items():
        figures[f"confusion-{split}"] = plots.confusion(measured["confusion"], data["classes"])
        figures[f"calibration-{split}"] = plots.calibration(measured["calibration"], measured["ece"])
    html = page(
        "report.html.j2",
        **data,
        pictures={name: picture(name, figure, folder) for name, figure in figures.items() if figure is not None},
        verdict=overfitting_verdict(data["history"]),
        clipping=clipping_verdict(data["gradient"]) if "gradient" in data else "",
        coverage=coverage_sentence(data["vectors"]) if data.get("vectors") else "",
        excerpt=_EXCERPT,
    )
    write_bytes(folder / "report.html", html.encode("utf-8", "replace"))
    return folder / "report.html"


def page(template: str, **values: Any) -> str:
    """A template with these values in it. Raises KeyError for one that is missing."""
    environment = Environment(loader=PackageLoader("elman.report"), autoescape=True, undefined=StrictUndefined)
    try:
        return environment.get_template(template).render(**values)
    except UndefinedError as error:
        raise KeyError(error.message) from None


def picture(name: str, figure: Figure, folder: Path) -> str:
    """Write a figure as NAME.png; returns it for use in a page, in base64."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a class name no installed font can show
        figure.savefig(content, format="png", dpi=130)
    write_bytes(folder / f"{name}.png", content.getvalue())
    return base64.b64encode(content.getvalue()).decode()


def write_bytes(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(content)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)  # half written, if it is still there
