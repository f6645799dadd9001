"""elman predict: one JSON object per text."""

import sys
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.progress import TextColumn, TimeElapsedColumn

from .. import classify
from ..text import arriving_lines, refuse_columns
from . import _options as options
from ._show import bar, err, json_line


def predict(
    run: options.ClassifierRun,
    file: Annotated[
        str, typer.Argument(help="A .txt file with one text per line, a table, or - for standard input.")
    ] = "-",
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    quoting: options.Quoting = None,
) -> None:
    """Print label and probabilities of each text, in order, as one JSON object per line.

    Lines of standard input are answered when no further one is there yet.
    """
    if file == "-":
        refuse_columns(text_column or (), "standard input")
        rows = classify.predict(run, _answered(arriving_lines(sys.stdin.buffer, "standard input", encoding)))
    else:
        rows = classify.predict(run, file, text_column=text_column, encoding=encoding, quoting=quoting, say=err.print)
    with bar(TextColumn("{task.completed:,} texts"), TimeElapsedColumn()) as shown:
        task = shown.add_task("")
        for row in rows:
            sys.stdout.write(json_line(row) + "\n")
            shown.advance(task)
    sys.stdout.flush()


def _answered(arriving: Iterator[list[str]]) -> Iterator[list[str]]:
    """The same; what was printed of those before goes out before the next are waited for."""
    for lines in arriving:
        yield lines
        sys.stdout.flush()
