"""elman fill: missing words of texts, or how often the model finds them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from .. import language
from ..errors import UsageError
from ..text import ReadOptions, column_names, lines_of, refuse_columns, texts_of
from . import _options as options
from ._show import bar, err, json_line, out, table_of

_BAR = 30


def fill(
    run: options.LanguageRun,
    text: Annotated[
        str | None,
        typer.Argument(
            help="A text with ___ where a word is missing; a file of texts, with or without, one per line, or a table; "
            "or - for standard input."
        ),
    ] = None,
    top: Annotated[int, typer.Option(help="Words for each blank.")] = 5,
    evaluate: Annotated[
        list[str] | None,
        typer.Option(help="Instead: how often the words of this file are the likeliest; may be given again."),
    ] = None,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    quoting: options.Quoting = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; of files one object per line, always.")] = False,
) -> None:
    """Predict missing words from what stands before and after them."""
    if (text is None) == (evaluate is None):
        raise UsageError(
            f"expected either a text to fill in or --evaluate FILE, got {'neither' if text is None else 'both'}"
        )
    model = language.load(run)
    if evaluate is not None:
        _print_accuracy(
            _accuracy(model, evaluate, text_column=text_column, encoding=encoding, quoting=quoting), as_json
        )
    elif (
        text is not None and language.BLANK.search(text) and not os.path.isfile(text)
    ):  # too long for a Path, it may be
        refuse_columns(text_column or (), "a text on the command line")
        blanks = language.fill(model, text, top)
        if as_json:
            typer.echo(_row(text, blanks, model))
        else:
            _print_tables(text, blanks, model)
    elif text is not None:
        columns = column_names(text_column)
        reading = ReadOptions(columns, encoding=encoding, quoting=quoting, trained_on=model.provenance, say=err.print)
        for line in _lines(text, reading):
            blanks = language.fill(model, line, top) if language.BLANK.search(line) else []
            sys.stdout.write(_row(line, blanks, model) + "\n")
            sys.stdout.flush()


def _lines(source: str, reading: ReadOptions) -> Iterator[str]:
    if source == "-":
        refuse_columns(reading.text_columns, "standard input")
        return lines_of(sys.stdin.buffer, "standard input", reading.encoding)
    if not source or not Path(source).exists():
        raise UsageError(f"expected a text with a blank ___ in it, - or a file, got {source[:60]!r}")
    return texts_of(source, reading)


def _row(text: str, blanks: list[list[tuple[str, float]]], model: language.TrainedLanguageModel) -> str:
    found = [[{"word": word, "probability": p} for word, p in words] for words in blanks]
    return json_line({"text": text, "blanks": found, "sides": language.sides(model.config)})


def _print_tables(text: str, blanks: list[list[tuple[str, float]]], model: language.TrainedLanguageModel) -> None:
    pieces = language.BLANK.split(text)
    for number, words in enumerate(blanks):
        filled = [f"[{words[0][0].strip()}]" if n == number else "___" for n in range(len(blanks))]
        out.print("".join(a + b for a, b in zip(pieces, [*filled, ""], strict=True)))
        table = table_of("word", "probability", "", left=("word", ""), gap=1)
        for word, probability in words:
            share = probability / max(words[0][1], 1e-30)
            table.add_row(word, f"{probability:.4f}", "█" * round(_BAR * share))
        out.print(table)
    out.print(f"predicted {language.sides(model.config)}")


def _accuracy(model: language.TrainedLanguageModel, files: list[str], **reading: Any) -> dict[str, Any]:
    with bar(TextColumn("reading"), BarColumn(bar_width=24), TimeRemainingColumn()) as shown:
        task = shown.add_task("")
        return language.accuracy(
            model,
            files,
            say=err.print,
            progress=lambda done, chunks: shown.update(task, completed=done, total=chunks),
            **reading,
        )


def _print_accuracy(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json_line(found))
        return
    out.print(f"top-1 accuracy {found['top_1']:.4f}, top-5 {found['top_5']:.4f} on {found['words']:,} words")
    out.print(f"predicted {found['sides']}")
