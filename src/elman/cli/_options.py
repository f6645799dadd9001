"""Arguments that several commands share, and what is made of them."""

from pathlib import Path
from typing import Annotated

import typer

from ..settings import read_toml

Data = Annotated[
    str,
    typer.Argument(
        help="imdb, rotten-tomatoes, a CSV/TSV/JSONL/Parquet file (.gz too), or a folder with a folder per class."
    ),
]
RunFolder = Annotated[
    Path, typer.Argument(metavar="RUN", help="A run folder written by elman train or elman pretrain.")
]
ClassifierRun = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder written by elman train.")]
LanguageRun = Annotated[Path, typer.Argument(metavar="LM", help="A run folder written by elman pretrain.")]
Texts = Annotated[
    list[str],
    typer.Argument(help="Text, CSV, TSV, JSONL or Parquet files (.gz too), folders of them, or built-in names."),
]
TextColumn = Annotated[
    list[str] | None,
    typer.Option(
        help="Column of the text; may be given again, the texts are then joined. If not given, that of the training, "
        "or guessed when obvious."
    ),
]
LabelColumn = Annotated[
    str | None,
    typer.Option(help="Column of the label; if not given, that of the training, or guessed when obvious."),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="Encoding of text files; if not given, UTF-8, or that of the training where a file is not UTF-8."
    ),
]
Quoting = Annotated[
    str | None,
    typer.Option(
        help="Of CSV and TSV. auto: quotes hold a field together, what may be none is refused; standard: without that "
        "doubt; none: a quote is a character. If not given, that of the training, or auto."
    ),
]
SkipUnlabelled = Annotated[
    bool, typer.Option("--skip-unlabelled", help="Leave rows without a label out, and say how many.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the run folder, or begin.")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Write event files into the run folder.")]
ConfigFile = Annotated[Path | None, typer.Option(help="TOML file with any of the settings below.")]


def folder_of(data: str, name: str) -> Path:
    """Where a run on some data goes if no folder is given."""
    return Path("runs") / f"{Path(data).name.split('.')[0]}-{name}"


def preset_of(given: str | None, config: Path | None, usual: str) -> str:
    """The preset that was given, or else the one that the TOML file names, or else the usual one."""
    return given or str((read_toml(config) if config else {}).get("preset", usual))


def names_in(text: str) -> tuple[str, ...]:
    """Each name once of those that are separated by commas."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
