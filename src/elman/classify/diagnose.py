"""Where the gradient of a classifier's loss goes, how far it remembers, and what to change."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import __version__, diagnostics
from ..errors import DataError, UsageError
from ..nn import ARCHITECTURE, TextRNN
from ..report import chance_sentence, diagnosis_figures, write_diagnosis
from ..settings import to_dict
from ..text import ColumnNames, RaggedIds, ReadOptions, Say, column_names, warn
from ..training import Epoch, TensorBoard, best_epoch, model_folder, read_history, run_folder, write_json
from . import persistence
from .batches import Encoded
from .config import ClassifierConfig
from .evaluate import labelled_split
from .model import Classifier
from .split import Split

SAMPLE = 128
_BATCH = 64
_HEATED, _EXAMPLES = 32, 3


def diagnose(
    run: str | Path,
    data: str | Path,
    *,
    out: str | Path | None = None,
    sample: int = SAMPLE,
    exact: bool = False,
    text_column: ColumnNames = None,
    label_column: str | None = None,
    encoding: str | None = None,
    skip_unlabelled: bool = False,
    quoting: str | None = None,
    tensorboard: bool = False,
    stage: Callable[[str], None] = lambda name: None,
    say: Say = warn,
) -> dict[str, Any]:
    """Measure a trained model's memory on labelled data; write diagnosis.json and diagnosis.html.

    Args:
        run: a folder of `train`.
        out: folder of the two files; None for the run's own.
        sample: texts looked at, drawn from those that have a token.
        exact: Jacobian norms from every unit vector instead of random probes.
        tensorboard: also write scalars and plots as event files into `tensorboard` there.
        text_column, label_column, encoding, skip_unlabelled, quoting, say: as of `evaluate`.
        stage: is told what is being done.
    Returns:
        what diagnosis.json holds: `verdict`, `memory`, `remedies`, `layers` (see `diagnostics.diagnose_layer`),
        `examples`, `training`.
    Raises:
        ModelFolderError, LabelError, DataError.
    """
    stage("reading")
    classifier = persistence.load(run)
    check_recorded(classifier.config)
    run_folder.make(Path(out or run))
    options = ReadOptions(column_names(text_column), label_column, None, encoding, skip_unlabelled, quoting, say=say)
    split = labelled_split(classifier, data, options)
    epochs = read_history(Path(run) / run_folder.HISTORY)
    with model_folder.named_errors(Path(run) / run_folder.METRICS):
        chance = chance_of(classifier.config, epochs, run_folder.read_metrics(Path(run)))
    found = diagnose_split(
        classifier,
        split,
        run=Path(run).resolve().name,
        source=str(data),
        epochs=epochs,
        chance=chance,
        sample=sample,
        exact=exact,
        stage=stage,
    )
    write(found, Path(out or run), tensorboard=tensorboard)
    return found


def chance_of(config: ClassifierConfig, epochs: list[Epoch], metrics: dict[str, Any]) -> str:
    """That a run has learned nothing, see `report.chance_sentence`; "" if it has or that is not known."""
    history = [asdict(epoch) for epoch in epochs]
    return chance_sentence(history, metrics.get("validation"), weighted=config.class_weight != "none")


def check_recorded(config: ClassifierConfig) -> None:
    """Raises UsageError for a network whose gradients are not recorded."""
    if config.cell == "scrn":
        raise UsageError("the cell scrn is not recorded, so there is nothing to diagnose; choose another cell")


def diagnose_split(
    classifier: Classifier,
    split: Split,
    *,
    run: str,
    source: str,
    epochs: list[Epoch],
    chance: str = "",
    checks: list[dict[str, Any]] | None = None,
    updates: dict[str, float] | None = None,
    sample: int = SAMPLE,
    exact: bool = False,
    stage: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """As `diagnose`, of a classifier and labelled texts in memory.

    Args:
        epochs: the history, empty if unknown.
        chance: what `chance_of` says of the run.
        checks, updates: what `GradientWatch` saw during training.
    """
    stage("recording gradients")
    encoded = classifier.encode(split.texts)
    rows = draw(encoded.ids.lengths, sample)
    flow = watch(classifier.network, encoded, split.numbers, rows)
    stage("following states back")
    norm = epochs[-1].gradient_norm if epochs else None
    config = to_dict(classifier.config)
    settings = config | {"init": "orthogonal" if config["init"] == "default" else config["init"]}
    probes = None if exact else diagnostics.PROBES
    found = diagnostics.diagnose(flow, texts=sample, probes=probes, gradient_norm=norm, settings=settings)
    begins = classifier.network.begin_id is not None
    for layer, traces in zip(found["layers"], flow.traces.values(), strict=True):
        layer["heat"] = _heat(traces, begins)
    if begins:
        for remedy in found["remedies"]:
            if not remedy["settings"].keys().isdisjoint(ARCHITECTURE):
                remedy["why"] += "; set it in elman pretrain, the language model brings its layers"
    chosen = [(split.texts[row], str(classifier.classes[split.numbers[row]])) for row in rows[:_EXAMPLES]]
    described: dict[str, Any] = diagnostics.plain(
        {
            "elman": __version__,
            "run": run,
            "source": source,
            "pooling": classifier.network.pooling.kind,
            "bptt": classifier.config.bptt,
            "chance": chance,
            **found,
            "training": _training(classifier.config, epochs, checks or [], updates or {}),
            "examples": [{"label": label, "tokens": _tokens(classifier, text)} for text, label in chosen],
        }
    )
    return described


def write(found: dict[str, Any], folder: Path, *, tensorboard: bool) -> Path:
    """diagnosis.json, diagnosis.html and, if asked, event files; returns the page's path."""
    run_folder.make(folder)
    write_json(folder / run_folder.DIAGNOSIS, found, indent=None)
    if tensorboard:
        board = TensorBoard(folder / "tensorboard")
        for check in found["training"]["checks"] if found["training"] else []:
            board.add(check["epoch"], scalars(check["layers"]))
        kept = found["training"]["kept"] if found["training"] else None
        board.add(kept or 0, scalars(found["layers"]), diagnosis_figures(found))
    return write_diagnosis(found, folder)


def scalars(layers: list[dict[str, Any]]) -> dict[str, float]:
    """Each layer's single numbers under "diagnosis/LAYER/NAME"."""
    found: dict[str, float] = {}
    for layer in layers:
        values = {"memory": layer["memory"]["steps"], "lyapunov": layer["lyapunov"]}
        values |= {f"spectral_radius_{gate['gate']}": gate["radius"] for gate in layer["matrix"]}
        found |= {f"diagnosis/{layer['name']}/{k}": float(v) for k, v in values.items() if v is not None}
    return found


def draw(lengths: NDArray[np.int64], sample: int) -> NDArray[np.int64]:
    """Rows of a sample of the texts that are not empty, longest first, the same at every call."""
    filled = np.flatnonzero(lengths)
    if sample < 1 or not len(filled):
        raise DataError(f"expected at least one text with a token to look at, got {min(sample, len(filled))}")
    rows = np.sort(np.random.default_rng(0).permutation(filled)[:sample])
    return rows[np.argsort(-lengths[rows], kind="stable")]


def watch(network: TextRNN, texts: Encoded, numbers: NDArray[np.int64], rows: NDArray[np.int64]) -> diagnostics.Flow:
    """Record the gradient of each text's own loss, in evaluation mode; the network's own gradients stay as they are.

    All of a text is read at once and every layer is watched, also where training cuts texts into chunks of `bptt` steps
    or keeps layers frozen.
    """
    with torch.enable_grad(), _whole(network), diagnostics.record(network, rows=_BATCH) as flow:
        parameters = list(network.parameters())
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            ids, features = texts.batch(batch)
            logits = network(ids, features=features if network.feature_dim else None)
            target = torch.from_numpy(numbers[batch])
            loss = torch.nn.functional.cross_entropy(logits, target, reduction="sum")
            torch.autograd.grad(loss, parameters, allow_unused=True)
    return flow


@contextmanager
def _whole(network: TextRNN) -> Iterator[None]:
    """In evaluation mode inside, nothing frozen, texts in one piece; all is put back."""
    readers = [module for module in network.modules() if isinstance(module, TextRNN)]
    was_training, steps = network.training, [reader.bptt for reader in readers]
    frozen = [parameter for parameter in network.parameters() if not parameter.requires_grad]
    network.eval()
    for reader in readers:
        reader.bptt = 0
    for parameter in frozen:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        network.train(was_training)
        for reader, bptt in zip(readers, steps, strict=True):
            reader.bptt = bptt
        for parameter in frozen:
            parameter.requires_grad_(False)


def _heat(traces: list[diagnostics.Trace], begins: bool) -> list[list[float]]:
    """|dL/dh_t| by position of the first texts; none of layers whose rows are parts of texts.

    Args:
        begins: a token that is not the text's is read before each.
    """
    if traces[0].skip > 1:
        return []
    columns: list[list[float]] = []
    for trace in traces:
        positions = diagnostics.by_position(trace.dh_norm, trace)
        first = int(begins and not trace.reverse)
        last = int(begins and trace.reverse)
        columns.extend(positions[first : n - last, row].tolist() for row, n in enumerate(trace.lengths.tolist()))
    return columns[:_HEATED]


def _tokens(classifier: Classifier, text: str) -> list[str]:
    """The tokens that the network reads, as strings."""
    tokens = classifier.tokenizer.tokens(text)
    places = RaggedIds(np.arange(len(tokens), dtype=np.int32), np.array([0, len(tokens)]))
    return [tokens[place] for place in places.cut(classifier.config.max_length, classifier.config.keep).ids]


def _training(
    config: ClassifierConfig, epochs: list[Epoch], checks: list[dict[str, Any]], updates: dict[str, float]
) -> dict[str, Any] | None:
    """What was seen by epoch, and `kept`, the one whose weights the network has, `averaged` if they are a mean."""
    if not epochs and not checks:
        return None
    memory = {check["epoch"]: [layer["memory"] for layer in check["layers"]] for check in checks}
    numbers = sorted({*memory, *(epoch.epoch for epoch in epochs)})
    known = {epoch.epoch: epoch for epoch in epochs}
    rows = [
        {
            "epoch": number,
            "memory": memory.get(number),
            "gradient_norm": known[number].gradient_norm if number in known else None,
            "clipped": known[number].clipped if number in known else None,
        }
        for number in numbers
    ]
    kept = epochs[best_epoch(epochs)].epoch if epochs else None
    averaged = bool(config.average or config.average_on_plateau)
    return {"epochs": rows, "checks": checks, "updates": updates, "kept": kept, "averaged": averaged}
