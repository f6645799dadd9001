"""What the site needs beside plugins: figures of executed pages as SVG, formulas as MathML. Neither needs a network."""

import html
import io
import os
import re
import sys

os.environ["MPLBACKEND"] = "Agg"

import matplotlib.pyplot as plt
from latex2mathml.converter import convert

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.S)


def on_startup(command: str, dirty: bool) -> None:
    """`plt.show()` on a page puts the figure there."""
    plt.show = _into_the_page
    plt.rcParams["svg.fonttype"] = "none"


def _into_the_page() -> None:
    out = io.StringIO()
    plt.savefig(out, format="svg", bbox_inches="tight")
    plt.close()
    svg = out.getvalue()
    of_the_page = sys._getframe(1).f_globals["print"]  # markdown-exec gives each page's code a print of its own
    of_the_page(re.sub(r"\s*\n\s*", " ", svg[svg.index("<svg") :]))


def on_page_content(content: str, **context: object) -> str:
    return _FORMULA.sub(_formula, content)


def _formula(match: re.Match[str]) -> str:
    display = "block" if match[1] == "div" else "inline"
    return convert(html.unescape(match[2]), display=display)
