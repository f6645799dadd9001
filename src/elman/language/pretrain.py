"""The main job: raw text in, a run folder with a language model out."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import DivergedError, UsageError
from ..report import Judgement, perplexity_verdict, write_language_report
from ..settings import to_dict, to_toml
from ..text import ColumnNames, Documents, Line, Provenance, RaggedIds, corpus, once, shown
from ..training import SILENT, FitEvents, TensorBoard, gradient_summary, run_folder, stop_requests
from . import persistence
from .config import LanguageConfig, resolve
from .fit import Fitted, adopt, fit
from .generate import Sampling, generate
from .model import TrainedLanguageModel
from .perplexity import perplexity_of
from .summary import layers
from .surprise import surprises

_SAMPLES, _SAMPLE_TOKENS = 3, 60


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        metrics: by split ("validation"): `perplexity`, its `measure` (see `TrainedLanguageModel`), `loss` in nats a
            token and `tokens`.
        seconds: of training, and all together.
    """

    folder: Path
    fitted: Fitted
    metrics: dict[str, dict[str, Any]]
    seconds: dict[str, float]

    @property
    def learning(self) -> Judgement:
        """What the perplexities by epoch say: whether anything was learned, and whether too much by heart."""
        history = [asdict(epoch) for epoch in self.fitted.history]
        guess = self.fitted.summary.get("validation", {}).get("guess")
        return perplexity_verdict(history, self.fitted.model.measure, guess)


def pretrain(
    texts: Sequence[str | Path],
    out: str | Path,
    config: LanguageConfig | None = None,
    *,
    validation: Sequence[str | Path] = (),
    leave_out: Sequence[str | Path] = (),
    at_hand: Sequence[str] = (),
    leave_out_texts: Sequence[str] = (),
    start: TrainedLanguageModel | None = None,
    text_column: ColumnNames = None,
    encoding: str | None = None,
    quoting: str | None = None,
    trained_on: Provenance | None = None,
    overwrite: bool = False,
    resume: bool = False,
    tensorboard: bool = False,
    events: FitEvents = SILENT,
) -> Run:
    """Train a language model on raw text and write the run folder with the model, figures and report.

    Args:
        texts: files, folders or built-in names; see `text.Documents`.
        config: the settings; None for the default preset.
        validation: files to watch instead of what `corpus.hold_out` holds out.
        leave_out: files whose texts are never learned from, such as a test set that may be among the texts.
        at_hand, leave_out_texts: the same of texts that are no file.
        start: a model to go on from; only the settings of the training are those given.
        text_column: one column of the tables or several, whose texts are joined; None to guess. What is read is kept in
            the model.
        trained_on: what is read of tables that have it, if no column is given; None for what `start` learned from.
        resume: go on from the checkpoint in `out`, with the same data and settings; begin if there is none yet.
    Raises:
        DataError, RunFolderError, CheckpointError, DivergedError, UsageError.
        Interrupted: Ctrl-C or SIGTERM; the checkpoint is written.
    """
    started = time.monotonic()
    out, config = Path(out), config or resolve()
    if start is not None:
        config = adopt(start, config)
    if not texts and not at_hand:
        raise UsageError("expected at least one file to learn from, got none")
    run_folder.check(out, overwrite=overwrite, resume=resume)
    events.stage("reading")
    if trained_on is None and start is not None:
        trained_on = start.provenance

    def documents(sources: Sequence[str | Path], **further: Any) -> Documents:
        return Documents(
            sources,
            config.documents,
            text_column,
            encoding,
            quoting=quoting,
            trained_on=trained_on,
            say=once(events.found),
            **further,
        )

    documents(texts).check_columns(documents(validation), documents(leave_out))
    provenance = documents(texts).provenance
    if provenance.text_columns:
        trained_on = provenance
        events.found(f"{', '.join(map(str, texts))}: {provenance}")
    left_out = documents(leave_out, at_hand=leave_out_texts).as_left_out()
    train: Iterable[Line] = documents(texts, leave_out=left_out, at_hand=at_hand)
    held: Iterable[Line] | None = documents(validation) if validation else None
    if not validation and config.validation_split:
        train, held = corpus.hold_out(train, config.validation_split, config.seed)
    work = out / run_folder.WORK
    with run_folder.begun(out, to_toml(config), resume=resume, overwrite=overwrite) as goes_on:
        try:
            with stop_requests() as stop:
                fitted = fit(
                    train,
                    held,
                    config,
                    work,
                    checkpoint_path=out / run_folder.CHECKPOINT,
                    start=start,
                    events=events,
                    listeners=[TensorBoard(out / "tensorboard")] if tensorboard else [],
                    resume=goes_on,
                    stop=stop,
                )
        except DivergedError as error:
            error.fitted.model.provenance = provenance
            persistence.save(error.fitted.model, out)
            run_folder.finish(out)
            raise
        fitted.model.provenance = provenance
        seconds = {"training": sum(epoch.seconds for epoch in fitted.history), "total": time.monotonic() - started}
        run = Run(out, fitted, _metrics(fitted), seconds)
        events.stage("writing")
        held_out = corpus.opened(work / "validation") if held is not None else None
        _write(run, [*map(shown, texts), *([f"{len(at_hand):,} texts"] if at_hand else [])], held_out)
    return run


def _metrics(fitted: Fitted) -> dict[str, dict[str, Any]]:
    """Of the epoch that was kept."""
    losses = [epoch.validation_loss for epoch in fitted.history if epoch.validation_loss is not None]
    if not losses:
        return {}
    figures = {"measure": fitted.model.measure, "perplexity": perplexity_of(min(losses)), "loss": min(losses)}
    return {"validation": {**figures, "tokens": fitted.summary["validation"]["tokens"]}}


def _samples(model: TrainedLanguageModel) -> list[str]:
    """A few texts of its own; none of a model that fills words in, or whose weights are too large to write."""
    if model.network.bidirectional:
        return []
    sampling = Sampling(temperature=0.8, max_tokens=_SAMPLE_TOKENS)
    try:
        return [generate(model, "", sampling, number) for number in range(_SAMPLES)]
    except DivergedError:
        return []


def _write(run: Run, sources: list[str], held_out: RaggedIds | None) -> None:
    """Everything in the folder."""
    persistence.save(run.fitted.model, run.folder)
    gradient = gradient_summary(run.fitted.history, run.fitted.model.config.clip_norm)
    data = {
        "elman": __version__,
        "sources": sources,
        "config": to_dict(run.fitted.model.config),
        "tokenizer": run.fitted.model.tokenizer.unit,
        "vocabulary": run.fitted.model.tokenizer.vocab_size,
        "layers": [row._asdict() for row in layers(run.fitted.model.network)],
        "parameters": sum(parameter.numel() for parameter in run.fitted.model.network.parameters()),
        "data": run.fitted.summary,
        "history": [asdict(epoch) for epoch in run.fitted.history],
        "measure": run.fitted.model.measure,
        "metrics": run.metrics,
        "gradient": gradient,
        "seconds": run.seconds,
        "surprises": None if held_out is None else surprises(run.fitted.model, held_out),
        "samples": _samples(run.fitted.model),
    }
    run_folder.write_results(run.folder, {**run.metrics, "gradient": gradient}, run.fitted.history, data)
    write_language_report(data, run.folder)
