"""elman train: labelled data in, a run folder out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import classify, language
from ..settings import with_explicit
from ..training import run_folder
from . import _options as options
from ._settings import with_training_options
from ._show import TrainingProgress, err, metrics_table, out
from .diagnose import show


@with_training_options
def train(
    data: options.Data,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Run folder; runs/<data>-<preset> if not given.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"One of {', '.join(classify.PRESETS)}; {classify.DEFAULT_PRESET} if not given, and "
            f"{classify.FINE_TUNED} from a language model."
        ),
    ] = None,
    config: options.ConfigFile = None,
    resume: options.Resume = False,
    tensorboard: options.TensorBoard = False,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Watch the gradient through time and write diagnosis.html.")
    ] = False,
    start: Annotated[
        list[Path] | None,
        typer.Option("--from", help="A language model of elman pretrain to begin from; a backward one may be added."),
    ] = None,
    unlabelled: Annotated[
        list[str] | None, typer.Option(help="File of further text; a language model is trained on it first.")
    ] = None,
    language_config: Annotated[
        Path | None, typer.Option(help="TOML file with settings of that language model.")
    ] = None,
    teacher: Annotated[
        list[Path] | None, typer.Option(help="A run folder whose classifier labels the texts of --taught; their mean.")
    ] = None,
    taught: Annotated[
        list[str] | None,
        typer.Option(help="File of texts without labels, to learn from what the teachers say of them."),
    ] = None,
    *,
    reading: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Train a classifier on labelled text and write a run folder with model, figures and report."""
    usual = classify.FINE_TUNED if start or unlabelled else classify.DEFAULT_PRESET
    preset = options.preset_of(preset, config, usual)
    folder = out_folder or options.folder_of(data, preset)
    own = run_folder.settings_of(folder) if resume and config is None else None
    resolved = classify.resolve(preset, own or config, **settings)
    if own is not None:
        resolved = with_explicit(resolved, (name for name, value in settings.items() if value is not None))
    progress = TrainingProgress()
    try:
        run = classify.train(
            data,
            folder,
            resolved,
            resume=resume,
            tensorboard=tensorboard,
            diagnose=diagnose,
            start=[language.load(model) for model in start or ()],
            unlabelled=unlabelled or (),
            language_config=None if language_config is None else language.resolve(file=language_config),
            teachers=teacher or (),
            taught=taught or (),
            events=progress,
            **reading,
        )
    finally:
        progress.close()
    err.print(f"text cut into {run.fitted.classifier.tokenizer.unit}")
    if run.metrics:
        out.print(metrics_table(run.metrics))
        for note in run.contamination:
            out.print(note)
    else:
        out.print("no validation or test data, so nothing was measured")
    out.print(run.learning.sentence)
    out.print(run.clipping)
    out.print(f"{run.seconds['training']:.0f} s of training, {run.seconds['total']:.0f} s in all")
    if run.diagnosis is not None:
        show(run.diagnosis)
        out.print(f"diagnosis: {folder / 'diagnosis.html'}")
    out.print(f"report: {folder / 'report.html'}")
