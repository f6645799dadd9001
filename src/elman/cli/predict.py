"""elman predict: one JSON object per text."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TextColumn, TimeElapsedColumn

from .. import classify
from ..errors import EncodingError
from ..text import read_texts
from . import _options as options
from ._show import bar


def predict(
    run: options.RunFolder,
    file: Annotated[
        str, typer.Argument(help="A .txt file with one text per line, a table, or - for standard input.")
    ] = "-",
    text_column: options.TextColumn = None,
    encoding: options.Encoding = "utf-8",
) -> None:
    """Print label and probabilities of each text, in order, as one JSON object per line."""
    texts = stdin_lines(encoding) if file == "-" else read_texts(Path(file), text_column=text_column, encoding=encoding)
    with bar(TextColumn("{task.completed:,} texts"), TimeElapsedColumn()) as shown:
        task = shown.add_task("")
        for row in classify.predict(run, texts):
            sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
            shown.advance(task)
    sys.stdout.flush()


def stdin_lines(encoding: str) -> Iterator[str]:
    """Lines of standard input. Raises EncodingError with the line."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode(encoding).rstrip("\r\n")
        except UnicodeDecodeError:
            raise EncodingError(f"standard input, line {number}: not {encoding}; say which with --encoding") from None
        except LookupError:
            raise EncodingError(f"unknown encoding {encoding!r}") from None
