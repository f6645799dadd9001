"""From documents to a trained language model: tokenizer, encoded text, network, training."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import CheckpointError, DivergedError, RunFolderError
from ..nn import ARCHITECTURE, drawing_from
from ..settings import inherit
from ..text import UNKNOWN_ID, Line, RaggedIds, TextSettings, TextTokenizer, corpus
from ..training import SILENT, Epoch, FitEvents, Interrupted, Listener, StopRequest, Trainer, check_watched, write_text
from .config import LanguageConfig, resolve
from .model import TrainedLanguageModel, build_network, network_of
from .task import LanguageTask

_BLOCK = 1 << 24


@dataclass(frozen=True)
class Fitted:
    """A language model and how it came about; `summary` says of each split how much text it is."""

    model: TrainedLanguageModel
    history: list[Epoch]
    summary: dict[str, dict[str, Any]]


def fit(
    train: Iterable[Line],
    validation: Iterable[Line] | None,
    config: LanguageConfig,
    folder: Path,
    *,
    checkpoint_path: Path | None = None,
    start: TrainedLanguageModel | None = None,
    events: FitEvents = SILENT,
    listeners: Sequence[Listener] = (),
    resume: bool = False,
    stop: StopRequest | None = None,
) -> Fitted:
    """Train a language model. Its draws are its own: torch's global generator is neither read nor changed.

    Args:
        train, validation: lines and where their documents end; can be read several times.
        folder: for the encoded text, which stays there.
        start: a model to go on from, with its tokenizer; `config` is one that `adopt` made of it.
    Raises:
        DivergedError, with the model of the last good weights as its attribute `fitted`.
        Interrupted: a stop was asked for; the checkpoint is written if training has begun.
    """
    check_watched(config, validation is not None)
    parts = {"train": _Stoppable(train, stop)}
    if validation is not None:
        parts["validation"] = _Stoppable(validation, stop)
    tokenizer = start.tokenizer if start is not None else _tokenizer(parts["train"], config, events)
    encoded: dict[str, RaggedIds] = {}
    for name, lines in parts.items():
        events.stage(f"encoding {name} text")
        encoded[name] = _encoded(lines, tokenizer, folder / name, resume, events)
    generator = torch.Generator().manual_seed(config.seed)
    with drawing_from(generator), torch.inference_mode(False), torch.enable_grad():  # whatever mode the caller is in
        if start is not None:
            network = network_of(config, tokenizer.vocab_size, start.network.softmax.cutoffs)
            network.load_state_dict(dict(start.network.named_parameters(remove_duplicate=False)))
        else:
            network = build_network(config, tokenizer.vocab_size, count(encoded["train"].ids, tokenizer.vocab_size))
        trainer = Trainer(
            network,
            LanguageTask(encoded["train"], encoded.get("validation"), config),
            config.training,
            generator=generator,
            checkpoint_path=checkpoint_path,
            fingerprint=_fingerprint(config, tokenizer, encoded),
            listeners=[*listeners, events],
            stop=stop,
        )
        if resume:
            trainer.resume()
        summary = _summaries(encoded, tokenizer)
        fitted = Fitted(TrainedLanguageModel(config, tokenizer, network), trainer.history, summary)
        events.stage("training")
        try:
            trainer.fit()
        except DivergedError as error:
            error.fitted = fitted
            raise
        finally:
            network.reset()
    network.eval()
    return fitted


@dataclass(frozen=True)
class _Stoppable:
    """Lines until a stop is asked for."""

    lines: Iterable[Line]
    stop: StopRequest | None

    def __iter__(self) -> Iterator[Line]:
        for line in self.lines:
            if self.stop is not None and self.stop.signal:
                raise Interrupted(self.stop.signal, in_training=False)
            yield line


def _encoded(lines: Iterable[Line], tokenizer: TextTokenizer, path: Path, resume: bool, events: FitEvents) -> RaggedIds:
    """Encoded anew unless the run goes on and what it wrote of this text is there."""
    source, seen = path.with_name(f"{path.name}.sha256"), corpus.Digest()
    if resume and source.exists():
        for _ in seen.watched(lines):
            pass
        if source.read_text(encoding="utf-8") != str(seen):
            raise CheckpointError(
                f"{path.parent.parent}: the run was begun with other text to learn from or to watch, "
                "which seed and validation_split choose too"
            )
        with suppress(RunFolderError):
            return corpus.opened(path)
    seen = corpus.Digest()
    ids = corpus.encode(seen.watched(lines), tokenizer, path, events.reached)
    write_text(source, str(seen))
    return ids


def adopt(start: TrainedLanguageModel, config: LanguageConfig) -> LanguageConfig:
    """The settings with the text and the network of a model that is gone on from; rates of dropout are theirs.

    Raises:
        UsageError: a setting that is neither the model's nor the default, with both.
    """
    names = sorted({*ARCHITECTURE, *(f.name for f in fields(TextSettings)), *_OF_NETWORK})
    brought = {name: getattr(start.config, name) for name in names}
    tokenizer = start.tokenizer
    real = {
        "tokenizer": tokenizer.kind,
        "vocab_size": tokenizer.vocab_size,
        "normalization": tokenizer.normalization,
    }
    # "auto" has meant "fold" in models of earlier versions.
    brought["normalization"] = tokenizer.normalization
    return inherit(config, resolve(), brought, real)


_OF_NETWORK = ("objective", "direction", "embedding_dim", "tied", "softmax", "cutoffs")


def _tokenizer(lines: Iterable[Line], config: LanguageConfig, events: FitEvents) -> TextTokenizer:
    events.stage("learning the vocabulary")
    return TextTokenizer.fit(
        _Texts(lines),
        kind=config.tokenizer,
        vocab_size=config.vocab_size,
        min_count=config.min_count,
        normalization=config.normalization,
        generative=True,
    )


@dataclass(frozen=True)
class _Texts:
    """The lines without their ends, as often as wanted."""

    lines: Iterable[Line]

    def __iter__(self) -> Any:
        return (text for text, _ in self.lines)


def count(ids: NDArray[np.int32], vocab_size: int) -> NDArray[np.int64]:
    """[V] how often each id occurs."""
    counts = np.zeros(vocab_size, np.int64)
    for start in range(0, len(ids), _BLOCK):
        counts += np.bincount(ids[start : start + _BLOCK], minlength=vocab_size)
    return counts


def _summaries(parts: dict[str, RaggedIds], tokenizer: TextTokenizer) -> dict[str, dict[str, Any]]:
    """Documents, tokens, and the share of tokens that are known.

    Also `guess`, the loss in nats a token of a model that knows only how often each token occurs in training, where
    each is counted once more.
    """
    counts = {name: count(ids.ids, tokenizer.vocab_size) for name, ids in parts.items()}
    shares = (counts["train"] + 1) / (counts["train"] + 1).sum()
    return {
        name: {
            "documents": len(ids),
            "tokens": len(ids.ids),
            "coverage": float(1 - counts[name][UNKNOWN_ID] / max(1, len(ids.ids))),
            "guess": float(-(counts[name] @ np.log(shares)) / max(1, len(ids.ids))),
        }
        for name, ids in parts.items()
    }


def _fingerprint(config: LanguageConfig, tokenizer: TextTokenizer, parts: dict[str, RaggedIds]) -> str:
    digest = hashlib.sha256((repr(config) + tokenizer.to_json()).encode())
    for part in parts.values():
        for start in range(0, len(part.ids), _BLOCK):
            digest.update(part.ids[start : start + _BLOCK].tobytes())
        digest.update(part.offsets.tobytes())
    return digest.hexdigest()
