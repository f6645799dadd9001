"""Arguments that several commands share, and the names of settings."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str,
    typer.Argument(
        help="imdb, rotten-tomatoes, a CSV/TSV/JSONL/Parquet file (.gz too), or a folder with a folder per class."
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder written by elman train.")]
TextColumn = Annotated[str | None, typer.Option(help="Column of the text; guessed when obvious.")]
LabelColumn = Annotated[str | None, typer.Option(help="Column of the label; guessed when obvious.")]
Encoding = Annotated[str, typer.Option(help="Encoding of text files.")]
ConfigFile = Annotated[Path | None, typer.Option(help="TOML file with any of the settings below.")]
Validation = Annotated[Path | None, typer.Option(help="Labelled file to watch, instead of held-out training rows.")]
Test = Annotated[Path | None, typer.Option(help="Labelled file measured once, at the end.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing run.")]
