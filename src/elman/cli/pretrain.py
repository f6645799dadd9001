"""elman pretrain: raw text in, a language model out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import language
from ..training import run_folder
from . import _options as options
from ._settings import with_settings
from ._show import TrainingProgress, err, out


@with_settings(language.LanguageConfig)
def pretrain(
    texts: options.Texts,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Run folder; runs/<first text>-<preset> if not given.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(language.PRESETS)}; {language.DEFAULT_PRESET} if not given."),
    ] = None,
    config: options.ConfigFile = None,
    start: Annotated[
        Path | None, typer.Option("--from", help="A language model to go on from, with its tokenizer and network.")
    ] = None,
    validation: Annotated[
        list[str] | None, typer.Option(help="File to watch, instead of held-out documents; may be given again.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="File whose texts are never learned from, such as a test set.")
    ] = None,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    quoting: options.Quoting = None,
    overwrite: options.Overwrite = False,
    resume: options.Resume = False,
    tensorboard: options.TensorBoard = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Train a language model on raw text and write a run folder with model, figures and report."""
    preset = options.preset_of(preset, config, language.DEFAULT_PRESET)
    folder = out_folder or options.folder_of(texts[0], preset)
    if resume and config is None:
        config = run_folder.settings_of(folder)
    progress = TrainingProgress()
    try:
        run = language.pretrain(
            texts,
            folder,
            language.resolve(preset, config, **settings),
            start=None if start is None else language.load(start),
            validation=validation or (),
            leave_out=leave_out or (),
            text_column=text_column,
            encoding=encoding,
            quoting=quoting,
            overwrite=overwrite,
            resume=resume,
            tensorboard=tensorboard,
            events=progress,
        )
    finally:
        progress.close()
    err.print(f"text cut into {run.fitted.model.tokenizer.unit}")
    for split, figures in run.metrics.items():
        out.print(f"{split} {figures['measure']} {figures['perplexity']:.2f} on {figures['tokens']:,} tokens")
    out.print(run.learning.sentence)
    out.print(f"{run.seconds['training']:.0f} s of training, {run.seconds['total']:.0f} s in all")
    out.print(f"report: {folder / 'report.html'}")
    out.print(f"model: {folder}")
