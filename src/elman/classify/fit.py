"""From labelled strings to a trained classifier: tokenizer, network, n-gram branch, calibration."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import DivergedError
from ..language import TrainedLanguageModel
from ..nn import drawing_from
from ..report import coverage_sentence
from ..text import UNKNOWN_ID, RaggedIds, TextTokenizer, cache
from ..training import SILENT, Epoch, FitEvents, Listener, StopRequest, Trainer, check_watched, continued, products_in
from .batches import Encoded
from .config import ClassifierConfig
from .fine_tune import GradualUnfreezing, rate_of, start_from
from .gradient_watch import GradientWatch
from .model import Classifier, build_network, fit_scales
from .ngrams import NGrams
from .split import Split
from .task import ClassificationTask, Labelled
from .vectors import StartVectors, with_width
from .weights import Weights

_BINS = 40


@dataclass(frozen=True)
class Prepared:
    """What training starts from.

    Attributes:
        vectors: of the words that have one in the file that the settings name, or None.
        summary: per split, what `data_summary` says of its texts.
    """

    tokenizer: TextTokenizer
    ngrams: NGrams | None
    train: Labelled
    validation: Labelled | None
    summary: dict[str, dict[str, Any]]
    weights: Weights
    vectors: StartVectors | None = None


@dataclass(frozen=True)
class Fitted:
    """A classifier and how it came about.

    Attributes:
        vectors: what `StartVectors.coverage` says, or None without word vectors from a file.
    """

    classifier: Classifier
    history: list[Epoch]
    summary: dict[str, dict[str, Any]]
    vectors: dict[str, Any] | None = None
    gradients: GradientWatch | None = None


def fit(
    train: Split,
    validation: Split | None,
    classes: NDArray[Any],
    config: ClassifierConfig,
    *,
    events: FitEvents = SILENT,
    listeners: Sequence[Listener] = (),
    checkpoint_path: Path | None = None,
    resume: bool = False,
    use_cache: bool = False,
    stop: StopRequest | None = None,
    watch_gradients: bool = False,
    start: Sequence[TrainedLanguageModel] = (),
) -> Fitted:
    """Train a classifier. Its draws are its own: torch's global generator is neither read nor changed.

    Of `config.vectors` the classifier's own settings keep the file's name, without its folder.

    Args:
        start: a language model, or a forward and a backward one, whose tokenizer, word vectors and layers the network
            starts with; `config` is one that `fine_tune.adopt` made of them.
    Raises:
        DivergedError, with the classifier of the last good weights as its attribute `fitted`.
        Interrupted: a stop was asked for; the checkpoint is written.
    """
    config = with_width(config.for_rows(len(train.texts)))
    tokenizer = start[0].tokenizer if start else None
    check_watched(config, validation is not None)
    prepared = prepare(train, validation, classes, config, events=events, use_cache=use_cache, tokenizer=tokenizer)
    tokenizer = prepared.tokenizer
    config = replace(config, vectors=Path(config.vectors).name)
    coverage = None if prepared.vectors is None else prepared.vectors.coverage
    if coverage is not None:
        events.found(coverage_sentence(coverage))
    generator = torch.Generator().manual_seed(config.seed)
    with drawing_from(generator), torch.inference_mode(False), torch.enable_grad():  # whatever mode the caller is in
        network = build_network(config, tokenizer.vocab_size, len(classes), tokenizer.end_id)
        if prepared.vectors is not None:
            prepared.vectors.fill(network)
        start_from(network, start)
        classifier = Classifier(config, classes, prepared.tokenizer, network, prepared.ngrams)
        unfreezing = GradualUnfreezing(network) if config.unfreeze else None
        gradients = GradientWatch(network, prepared.validation or prepared.train) if watch_gradients else None
        trainer = Trainer(
            network,
            ClassificationTask(prepared.train, prepared.validation, len(classes), config, prepared.weights),
            config.training,
            rate_of=rate_of(network, config.layer_decay),
            generator=generator,
            checkpoint_path=checkpoint_path,
            fingerprint=_fingerprint(config, prepared),
            listeners=[*listeners, *(each for each in (unfreezing, gradients) if each is not None), events],
            stop=stop,
        )
        if resume:
            trainer.resume()
        fitted = Fitted(classifier, trainer.history, prepared.summary, coverage, gradients)
        events.stage("training")
        try:
            trainer.fit()
        except DivergedError as error:
            error.fitted = fitted
            raise
    network.eval()
    held_out = prepared.validation
    if held_out is not None and config.calibrate:
        with torch.inference_mode(False), torch.enable_grad(), continued(trainer.machine), products_in("float32"):
            classifier.scales = fit_scales(*classifier.parts(held_out.texts), held_out.numbers, held_out.weights)
    return fitted


def prepare(
    train: Split,
    validation: Split | None,
    classes: NDArray[Any],
    config: ClassifierConfig,
    *,
    events: FitEvents,
    use_cache: bool,
    tokenizer: TextTokenizer | None = None,
) -> Prepared:
    """Tokenizer and n-grams learned from the training texts, both splits encoded by them, and the words' vectors.

    Raises:
        UsageError: a `class_weight` of other classes.
    """
    weights = Weights.of(config.class_weight, classes.tolist(), train.weights)
    events.stage("tokenizing")
    learn = cache.fit if use_cache else TextTokenizer.fit
    if tokenizer is None:
        tokenizer = learn(
            train.texts,
            kind=config.tokenizer,
            vocab_size=config.vocab_size,
            min_count=config.min_count,
            normalization=config.normalization,
        )
    summary: dict[str, dict[str, Any]] = {}

    def encoded(name: str, part: Split) -> RaggedIds:
        ids = cache.encode(tokenizer, part.texts) if use_cache else tokenizer.encode(part.texts)
        summary[name] = data_summary(ids, part.texts, config.max_length)
        return ids.cut(config.max_length, config.keep)

    ids = encoded("train", train)
    vectors = None
    if config.vectors:
        events.stage("reading word vectors")
        vectors = StartVectors.read(
            config, tokenizer, ids, lambda done, total: events.stage(f"{done / 1e9:.1f} of {total / 1e9:.1f} GB")
        )
    ngrams, evidence = None, None
    if config.ngrams:
        events.stage("counting n-grams")
        ngrams, evidence = NGrams.fit(
            ids, train.numbers, len(classes), config.ngrams, weights=weights, seed=config.seed
        )
        evidence = evidence if ngrams.feature_dim() else None
    train_set = Labelled(Encoded(ids, evidence), train.numbers, train.probabilities, train.weights)
    validation_set = None
    if validation is not None:
        ids = encoded("validation", validation)
        evidence = None if ngrams is None else ngrams.evidence(ids)
        validation_set = Labelled(Encoded(ids, evidence), validation.numbers, weights=validation.weights)
    return Prepared(tokenizer, ngrams, train_set, validation_set, summary, weights, vectors)


def data_summary(ids: RaggedIds, texts: list[str], max_length: int) -> dict[str, Any]:
    """Rows, lengths in tokens, how many texts are cut, empty or repeated, and the share of known tokens."""
    lengths = ids.lengths
    quantiles = np.quantile(lengths, [0, 0.25, 0.5, 0.75, 0.95, 1]) if len(lengths) else np.zeros(6)
    return {
        "rows": len(texts),
        "tokens": int(lengths.sum()),
        "length_quantiles": [int(q) for q in quantiles],
        "length_histogram": length_histogram(lengths),
        "cut": int((lengths > max_length).sum()) if max_length else 0,
        "empty": int((lengths == 0).sum()),
        "repeated": len(texts) - len(set(texts)),
        "coverage": float((ids.ids != UNKNOWN_ID).mean()) if len(ids.ids) else 1.0,
    }


def length_histogram(lengths: NDArray[np.int64]) -> list[list[int]]:
    """Counts and edges of at most 40 bins of equal width, a whole number; a bin is without its upper edge."""
    low, high = (int(lengths.min()), int(lengths.max())) if len(lengths) else (0, 0)
    width = -(-(high - low + 1) // _BINS)
    edges = np.arange(low, high + 1 + width, width)
    counts = np.bincount((lengths - low) // width, minlength=len(edges) - 1)
    return [counts.tolist(), edges.tolist()]


def _fingerprint(config: ClassifierConfig, prepared: Prepared) -> str:
    digest = hashlib.sha256(repr(config).encode())
    arrays: list[NDArray[Any]] = []
    for part in (prepared.train, prepared.validation):
        if part is not None:
            arrays += [part.texts.ids.ids, part.texts.ids.offsets, part.numbers]
            arrays += [] if part.weights is None else [part.weights]
    if prepared.train.probabilities is not None:
        arrays.append(prepared.train.probabilities)
    if prepared.vectors is not None:
        arrays += [prepared.vectors.ids, prepared.vectors.values]
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
