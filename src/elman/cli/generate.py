"""elman generate: text from a language model, as it arises."""

import sys
from itertools import chain
from typing import Annotated

import typer

from .. import language
from ..text import UNKNOWN_ID
from . import _options as options
from ._show import err

_USUAL = language.Sampling


def generate(
    run: options.LanguageRun,
    prompt: Annotated[str, typer.Option(help="How the text begins; how it ends, if the model reads backward.")] = "",
    temperature: Annotated[
        float, typer.Option(help="Below 1 likely words grow likelier, above 1 less so; 0: always the likeliest.")
    ] = _USUAL.temperature,
    top_k: Annotated[int, typer.Option(help="Choose among so many likeliest words; 0: all.")] = _USUAL.top_k,
    top_p: Annotated[
        float, typer.Option(help="Choose among the fewest likeliest words that hold this share of the probability.")
    ] = _USUAL.top_p,
    seed: Annotated[int, typer.Option(help="The same seed gives the same texts.")] = _USUAL.seed,
    max_tokens: Annotated[int, typer.Option("--max-tokens", "--length", help="Tokens at most.")] = _USUAL.max_tokens,
    samples: Annotated[int, typer.Option(min=1, help="How many texts, with an empty line between.")] = 1,
    stop_at_end: Annotated[
        bool | None,
        typer.Option(
            "--stop-at-end/--go-on",
            help="Stop where a line ends, or go on with the next; if not given, stop for documents line and blank.",
        ),
    ] = _USUAL.stop_at_end,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="The unknown word may come.")
    ] = _USUAL.allow_unknown,
) -> None:
    """Print text that a language model makes, word by word; of one that reads backward, all at once."""
    sampling = language.Sampling(temperature, top_k, top_p, seed, max_tokens, stop_at_end, allow_unknown)
    model = language.load(run)
    ids = language.prompt_ids(model, prompt)
    if UNKNOWN_ID in ids:
        err.print(f"{ids.count(UNKNOWN_ID)} of {len(ids)} tokens of the prompt are unknown to the model")
    for number in range(samples):
        pieces = language.continuation(model, prompt, sampling, number)
        for piece in [*pieces, prompt] if model.config.backward else chain([prompt], pieces):
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n\n" if number + 1 < samples else "\n")
