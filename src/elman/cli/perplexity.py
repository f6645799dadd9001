"""elman perplexity: how well a language model predicts text."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from .. import language
from ..errors import UsageError
from . import _options as options
from ._show import bar, err, json_line, out


def perplexity(
    run: options.LanguageRun,
    texts: options.Texts,
    documents: Annotated[
        str | None, typer.Option(help="What is a document: file, line or blank; as in training if not given.")
    ] = None,
    cache: Annotated[int, typer.Option(help="Words read last that are likelier to come again; 0: none.")] = 0,
    cache_weight: Annotated[
        float | None,
        typer.Option(help=f"Weight of the cache beside the model; {language.Cache.weight:g} if not given."),
    ] = None,
    cache_flatness: Annotated[
        float | None,
        typer.Option(
            help=f"How much words count that were read in a like state; {language.Cache.flatness:g} if not given."
        ),
    ] = None,
    dynamic: Annotated[float | None, typer.Option(help="Learn from the text once it is scored, at this rate.")] = None,
    decay: Annotated[
        float | None,
        typer.Option(
            help="Of dynamic evaluation: share of the way back to the trained weights at each step; "
            f"{language.Dynamic.decay:g} if not given."
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(help=f"Of dynamic evaluation: words of each step; {language.Dynamic.steps} if not given."),
    ] = None,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    quoting: options.Quoting = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="File for a line of JSON per document, to find odd ones.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Measure a language model on text: perplexity, plain, with a cache or by dynamic evaluation."""
    of_cache = _of("--cache", cache > 0, "--cache-", weight=cache_weight, flatness=cache_flatness)
    of_dynamic = _of("--dynamic", dynamic is not None, "--", decay=decay, steps=steps)
    with bar(BarColumn(bar_width=24), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn()) as shown:
        task = shown.add_task("", total=None)
        scores = language.perplexity(
            run,
            texts,
            documents=documents,
            text_column=text_column,
            encoding=encoding,
            quoting=quoting,
            cache=language.Cache(cache, **of_cache) if cache else None,
            dynamic=None if dynamic is None else language.Dynamic(dynamic, **of_dynamic),
            out=out_file,
            say=err.print,
            progress=lambda done, total: shown.update(task, completed=done, total=total),
        )
    figures = scores.figures()
    if as_json:
        typer.echo(json_line(figures))
        return
    counts = f"{figures['tokens']:,} tokens in {figures['documents']:,} documents"
    out.print(f"{scores.measure} {scores.perplexity:.2f} on {counts}")
    out.print(
        f"{figures['loss']:.4f} nats or {figures['bits_per_token']:.3f} bits a token, "
        f"{figures['bits_per_character']:.3f} bits a character, {figures['unknown']:.2%} of the tokens unknown, "
        f"{figures['seconds']:.1f} s"
    )


def _of(option: str, is_given: bool, prefix: str, **settings: Any) -> dict[str, Any]:
    """The settings of an option that are given. Raises UsageError if the option itself is not."""
    found = {name: value for name, value in settings.items() if value is not None}
    if found and not is_given:
        raise UsageError(f"{prefix}{min(found)} is of {option}, which was not given")
    return found
