"""The page of a diagnosis: plots, verdict, remedies and coloured texts in one HTML file."""

import math
from pathlib import Path
from statistics import median
from typing import Any

from .flow_plots import diagnosis_figures
from .page import in_base64, png, write_page

# A token whose gradient is a ten-thousandth of the text's largest is white.
_DECADES = 4


def write_diagnosis(data: dict[str, Any], folder: Path) -> Path:
    """Write diagnosis.html into a folder; returns its path.

    Args:
        data: as in diagnosis.json, see `elman.classify.diagnose`.
    """
    lengths = data["layers"][0]["lengths"]
    return write_page(
        folder / "diagnosis.html",
        "diagnosis.html.j2",
        data,
        texts=len(lengths),
        median_length=round(median(lengths)),
        longest=max(lengths),
        shaded=shaded,
        pictures={name: in_base64(png(figure, 110)) for name, figure in diagnosis_figures(data).items()},
    )


def shaded(tokens: list[str], norms: list[float | None]) -> list[tuple[str, str]]:
    """Each token with its opacity: 1 for the text's largest gradient, 0 from four powers of ten below it on."""
    known = [norm or 0.0 for norm in norms]
    largest = max(known) or 1.0
    shades = [max(0.0, 1 + math.log10(max(norm / largest, 1e-300)) / _DECADES) for norm in known]
    return [(token, f"{0.85 * shade:.2f}") for token, shade in zip(tokens, shades, strict=True)]
