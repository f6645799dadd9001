"""elman predict: one JSON object per text."""

import sys
from typing import Annotated

import typer
from rich.progress import TextColumn, TimeElapsedColumn

from .. import classify
from ..text import lines_of, refuse_columns
from . import _options as options
from ._show import bar, err, json_line


def predict(
    run: options.ClassifierRun,
    file: Annotated[
        str, typer.Argument(help="A .txt file with one text per line, a table, or - for standard input.")
    ] = "-",
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
) -> None:
    """Print label and probabilities of each text, in order, as one JSON object per line."""
    if file == "-":
        refuse_columns(text_column or (), "standard input")
        rows = classify.predict(run, lines_of(sys.stdin.buffer, "standard input", encoding))
    else:
        rows = classify.predict(run, file, text_column=text_column, encoding=encoding, say=err.print)
    with bar(TextColumn("{task.completed:,} texts"), TimeElapsedColumn()) as shown:
        task = shown.add_task("")
        for row in rows:
            sys.stdout.write(json_line(row) + "\n")
            shown.advance(task)
    sys.stdout.flush()
