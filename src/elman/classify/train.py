"""The main job: labelled data in, a run folder out."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..errors import DivergedError, UsageError
from ..language import LanguageConfig, TrainedLanguageModel
from ..report import Judgement, clipping_verdict, learning_verdict, write_report
from ..settings import to_dict, to_toml
from ..text import ColumnNames, ReadOptions, check_columns, column_names
from ..training import SILENT, FitEvents, TensorBoard, gradient_summary, run_folder, stop_requests
from . import contamination, persistence
from .config import DEFAULT_PRESET, FINE_TUNED, ClassifierConfig, resolve
from .diagnose import chance_of, check_recorded, diagnose_split
from .diagnose import write as write_diagnosis
from .evaluate import evaluate_split
from .fine_tune import adopt, refuse_vectors
from .fit import Fitted, fit
from .reading import Data, read_data
from .split import Split
from .summary import layers
from .teach import check_taught, taught_split
from .unlabelled import as_begun, pretrained
from .vectors import with_width
from .weights import check_class_weight


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        metrics: by split ("validation", "test"), see `metrics.measure`.
        seconds: of the stages: reading, training, and all together.
        diagnosis: what diagnosis.json holds, or None if it was not asked for.
    """

    folder: Path
    fitted: Fitted
    metrics: dict[str, dict[str, Any]]
    seconds: dict[str, float]
    diagnosis: dict[str, Any] | None = None

    @property
    def gradient(self) -> dict[str, float]:
        """Norms of the gradient and the clip_norm they propose; see `training.gradient_summary`."""
        return gradient_summary(self.fitted.history, self.fitted.classifier.config.clip_norm)

    @property
    def contamination(self) -> list[str]:
        """A sentence on each split that has training texts in it."""
        return contamination.sentences(self.metrics)

    @property
    def learning(self) -> Judgement:
        """What the curves say: whether anything was learned, and whether too much by heart."""
        weighted = self.fitted.classifier.config.class_weight != "none"
        history = [asdict(epoch) for epoch in self.fitted.history]
        return learning_verdict(history, self.metrics.get("validation"), weighted=weighted)

    @property
    def clipping(self) -> str:
        """What the norms say of clip_norm, in one sentence."""
        return clipping_verdict(self.gradient)


def train(
    data: str | Path,
    out: str | Path,
    config: ClassifierConfig | None = None,
    *,
    validation: str | Path | None = None,
    test: str | Path | None = None,
    text_column: ColumnNames = None,
    label_column: str | None = None,
    group_column: str | None = None,
    encoding: str | None = None,
    skip_unlabelled: bool = False,
    quoting: str | None = None,
    overwrite: bool = False,
    resume: bool = False,
    tensorboard: bool = False,
    diagnose: bool = False,
    start: Sequence[TrainedLanguageModel] = (),
    unlabelled: Sequence[str | Path] = (),
    language_config: LanguageConfig | None = None,
    teachers: Sequence[str | Path] = (),
    taught: Sequence[str | Path] = (),
    events: FitEvents = SILENT,
) -> Run:
    """Train a classifier on a data set and write the run folder with its model, figures and report.

    Args:
        data: a built-in name, a file or a folder; see `text.read_labelled`.
        config: the settings; None for the default preset.
        validation: a labelled file to watch instead of held-out training rows.
        test: a labelled file measured once, at the end.
        text_column: one column of the tables or several, whose texts are joined by a line break; None to guess. What is
            read is kept in the model and read again by the other commands.
        encoding: of text files; None for UTF-8.
        skip_unlabelled: leave rows without a label out.
        quoting: what a quote is in CSV and TSV, see `text.read_labelled`; kept in the model too.
        group_column: rows that are equal in it, such as reviews of one film, are on one side of the split.
        resume: go on from the checkpoint in `out`, with the same data and settings; begin if there is none yet.
        diagnose: watch the gradient through time and write diagnosis.json and diagnosis.html; see `classify.diagnose`.
        start: a language model to begin from, or a forward and a backward one; `config` is then one of the preset
            "fine-tuned" unless given.
        unlabelled: files of further text; a language model is first trained on it and on the training texts, from
            `start` if there is one, with the settings `language_config`; two for the direction "both". Texts of the
            validation and the test data are left out wherever they appear.
        teachers: run folders of trained classifiers, whose mean probabilities are the labels of `taught`.
        taught: files of texts to learn from beside the labelled ones; see `classify.teach`.
    Raises:
        DataError, LabelError, SplitError, UsageError, RunFolderError, CheckpointError, DivergedError.
        Interrupted: Ctrl-C or SIGTERM; the checkpoint is written.
    """
    started = time.monotonic()
    out = Path(out)
    config = config or resolve(FINE_TUNED if start or unlabelled else DEFAULT_PRESET)
    _check_asked(config, start, unlabelled, language_config, teachers, taught, diagnose)
    run_folder.check(out, overwrite=overwrite, resume=resume)
    config = with_width(config)

    events.stage("reading")
    options = ReadOptions(
        column_names(text_column),
        label_column,
        group_column,
        encoding,
        skip_unlabelled,
        quoting,
        trained_on=start[0].provenance if start else None,
    )
    sources = [source for source in (data, validation, test, *taught, *unlabelled) if source is not None]
    check_columns(options.columns, sources, folders=bool(unlabelled))
    read = read_data(data, validation, test, options, share=config.validation_split, seed=config.seed)
    options = replace(options, trained_on=read.provenance)
    check_class_weight(config.class_weight, read.classes.tolist())
    for note in read.notes:
        events.found(note)
    if start:
        config = adopt(start, config)
    further = None
    if taught:
        further = taught_split(teachers, taught, read, options, events=events)
    train_split = read.train if further is None else read.train.with_taught(further)
    training = contamination.marks_of(train_split.texts)
    for name, split in read.held_out.items():
        if number := contamination.count(split.texts, training):
            events.found(contamination.sentence(name, number, len(split.texts)))
    read_seconds = time.monotonic() - started

    with run_folder.begun(out, to_toml(config), resume=resume, overwrite=overwrite) as goes_on:
        with stop_requests() as stop, as_begun(out, bool(unlabelled) and goes_on, events):
            if unlabelled:
                start = pretrained(
                    out,
                    unlabelled,
                    read,
                    direction=config.direction,
                    normalization=config.normalization,
                    start=start,
                    config=language_config,
                    options=options,
                    resume=goes_on,
                    events=events,
                )
                config = adopt(start, config)
                run_folder.write_settings(out, to_toml(config))
                goes_on = (out / run_folder.CHECKPOINT).exists()
            fitted = _fitted(
                out,
                train_split,
                read,
                config,
                events=events,
                listeners=[TensorBoard(out / "tensorboard")] if tensorboard else [],
                resume=goes_on,
                stop=stop,
                watch_gradients=diagnose,
                start=start,
            )
        if further is not None:
            fitted.summary["train"]["taught"] = len(further.texts)

        events.stage("evaluating")
        held_out = sorted(read.held_out.items(), reverse=True)
        measured = {name: evaluate_split(fitted.classifier, split, training) for name, split in held_out}
        training_seconds = sum(epoch.seconds for epoch in fitted.history)
        seconds = {"reading": read_seconds, "training": training_seconds, "total": time.monotonic() - started}
        metrics = {name: figures for name, (figures, _) in measured.items()}
        found = _diagnosis(out, fitted, train_split, read, metrics, events) if diagnose else None
        run = Run(out, fitted, metrics, seconds, found)

        events.stage("writing")
        mistakes = {name: wrong for name, (_, wrong) in measured.items()}
        splits = {"train": train_split, **read.held_out}
        data_of_report = report_data(run, read.source, splits, mistakes, notes=[*read.notes, *run.contamination])
        _write(run, data_of_report, training, tensorboard=tensorboard)
    return run


def _check_asked(
    config: ClassifierConfig,
    start: Sequence[TrainedLanguageModel],
    unlabelled: Sequence[str | Path],
    language_config: LanguageConfig | None,
    teachers: Sequence[str | Path],
    taught: Sequence[str | Path],
    diagnose: bool,
) -> None:
    """Raises UsageError for arguments that do not go together."""
    if start or unlabelled:
        refuse_vectors(config)
    check_taught(teachers, taught)
    if diagnose:
        check_recorded(config)
    if language_config is not None and not unlabelled:
        raise UsageError("settings of a language model are for the one that unlabelled text is for, got no such text")


def _fitted(out: Path, train_split: Split, read: Data, config: ClassifierConfig, **how: Any) -> Fitted:
    """What `fit` makes, with a checkpoint in the folder; of a run that diverges the last good model stays there."""
    checkpoint = out / run_folder.CHECKPOINT
    watched = read.held_out.get("validation")
    try:
        fitted = fit(train_split, watched, read.classes, config, checkpoint_path=checkpoint, use_cache=True, **how)
    except DivergedError as error:
        error.fitted.classifier.provenance = read.provenance
        persistence.save(error.fitted.classifier, out)
        run_folder.finish(out)
        raise
    fitted.classifier.provenance = read.provenance
    return fitted


def _diagnosis(
    out: Path, fitted: Fitted, train_split: Split, read: Data, metrics: dict[str, dict[str, Any]], events: FitEvents
) -> dict[str, Any]:
    """Of the validation texts if there are any, with what was seen in training."""
    assert fitted.gradients is not None
    return diagnose_split(
        fitted.classifier,
        read.held_out.get("validation", train_split),
        run=out.resolve().name,
        source=read.source,
        epochs=fitted.history,
        chance=chance_of(fitted.classifier.config, fitted.history, metrics),
        checks=fitted.gradients.checks,
        updates=fitted.gradients.updates,
        stage=events.stage,
    )


def _write(run: Run, data: dict[str, Any], training: contamination.Marks, *, tensorboard: bool) -> None:
    """Everything in the folder."""
    persistence.save(run.fitted.classifier, run.folder)
    contamination.write(run.folder / run_folder.TRAINING_TEXTS, training)
    vectors = {} if run.fitted.vectors is None else {"vectors": run.fitted.vectors}
    metrics = {**run.metrics, "gradient": run.gradient, **vectors}
    run_folder.write_results(run.folder, metrics, run.fitted.history, data)
    write_report(data, run.folder)
    if run.diagnosis is not None:
        write_diagnosis(run.diagnosis, run.folder, tensorboard=tensorboard)


def report_data(
    run: Run,
    source: str,
    splits: dict[str, Split],
    mistakes: dict[str, list[dict[str, Any]]],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """The plain data that `elman.report` shows.

    Args:
        notes: sentences on the data.
    """
    classifier = run.fitted.classifier
    return {
        "elman": __version__,
        "source": source,
        "classes": [str(c) for c in classifier.classes.tolist()],
        "config": to_dict(classifier.config),
        "tokenizer": classifier.tokenizer.unit,
        "scales": list(classifier.scales),
        "seconds": run.seconds,
        "layers": [layer._asdict() for layer in layers(classifier)],
        "history": [asdict(epoch) for epoch in run.fitted.history],
        "metrics": run.metrics,
        "gradient": run.gradient,
        "vectors": run.fitted.vectors,
        "mistakes": mistakes,
        "notes": list(notes),
        "data": {
            "splits": run.fitted.summary,
            "class_rows": {
                name: np.bincount(split.numbers, minlength=len(classifier.classes)).tolist()
                for name, split in splits.items()
            },
            "vocabulary": classifier.tokenizer.vocab_size,
        },
    }
