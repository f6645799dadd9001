"""The classifier as a model folder; see `training.model_folder`."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelFolderError
from ..nn import drawing_from
from ..settings import to_dict
from ..text import Provenance, TextTokenizer
from ..training import model_folder, run_folder, weights
from .config import resolve
from .model import Classifier, build_network
from .ngrams import NGrams

_KIND = "text-classifier"


def save(classifier: Classifier, folder: str | Path) -> None:
    """Write the model into a folder, made if need be. Raises RunFolderError if that fails."""
    tensors = {f"network.{name}": tensor for name, tensor in classifier.network.state_dict().items()}
    if (ngrams := classifier.ngrams) is not None:
        arrays = {"keys": ngrams.keys.view(np.int64), "ratio": ngrams.ratio, "weight": ngrams.weight}
        tensors |= {f"ngrams.{name}": torch.from_numpy(a) for name, a in {**arrays, "bias": ngrams.bias}.items()}
    description = {
        "classes": classifier.classes.tolist(),
        "tokenizer": classifier.tokenizer.kind,
        "normalization": classifier.tokenizer.normalization,
        "scales": list(classifier.scales),
        "provenance": None if classifier.provenance is None else classifier.provenance.to_json(),
        "config": to_dict(classifier.config),
    }
    model_folder.write(Path(folder), _KIND, tensors, classifier.tokenizer.to_json(), description)
    (Path(folder) / run_folder.TRAINING_TEXTS).unlink(missing_ok=True)  # of a model that was there before


def load(folder: str | Path) -> Classifier:
    """Read a model folder.

    Raises:
        ModelFolderError: missing, incomplete, damaged, of another kind, or written by a newer version.
    """
    folder = model_folder.located(Path(folder))
    description = model_folder.read(folder, _KIND)
    with model_folder.named_errors(folder), drawing_from(torch.Generator()):
        return _build(folder, description)


def _build(folder: Path, description: dict[str, Any]) -> Classifier:
    with model_folder.named_errors(folder / model_folder.WEIGHTS):
        entries = weights.entries(model_folder.path_of(folder, model_folder.WEIGHTS))
        weights.check_sizes(description["config"], entries)
    config = resolve(**description["config"])
    tokenizer = TextTokenizer.load(model_folder.path_of(folder, model_folder.TOKENIZER), description["tokenizer"])
    classes = np.array(description["classes"])
    sizes = config, tokenizer.vocab_size, len(classes), tokenizer.end_id
    weights.check_vocabulary("network.embedding.weight", tokenizer.vocab_size, entries)
    without_memory = build_network(*sizes, device="meta")
    expected = weights.entries_of(without_memory.state_dict(), "network.")
    if config.ngrams:
        expected |= _ngram_entries(len(classes), entries)
    with model_folder.named_errors(folder / model_folder.WEIGHTS):
        weights.check_entries(expected, entries)
    tensors = model_folder.tensors(folder, description)
    network = build_network(*sizes)
    network.load_state_dict(model_folder.group(tensors, "network."))
    network.eval()
    scales = [float(scale) for scale in description["scales"]]
    if len(scales) != 2 or not np.isfinite(scales).all():
        raise ModelFolderError(f"expected the weights of two scores, got {scales}")
    ngrams = _ngrams(config.ngrams, model_folder.group(tensors, "ngrams.")) if config.ngrams else None
    described = description.get("provenance")
    provenance = None if described is None else Provenance.of_json(described)
    return Classifier(config, classes, tokenizer, network, ngrams, (scales[0], scales[1]), provenance)


def _ngram_entries(num_classes: int, entries: Mapping[str, weights.Entry]) -> dict[str, weights.Entry]:
    """What the n-grams' tensors are, of as many n-grams as the file has keys."""
    columns = 1 if num_classes == 2 else num_classes
    count = math.prod(entries["ngrams.keys"].shape) if "ngrams.keys" in entries else 1
    table = weights.Entry("F32", (count, columns))
    parts = {
        "keys": weights.Entry("I64", (count,)),
        "ratio": table,
        "weight": table,
        "bias": weights.Entry("F32", (columns,)),
    }
    return {f"ngrams.{name}": entry for name, entry in parts.items()}


def _ngrams(longest: int, tensors: dict[str, Tensor]) -> NGrams:
    keys = tensors["keys"].numpy().view(np.uint64)
    if not len(keys) or not (keys[:-1] < keys[1:]).all():
        raise ModelFolderError("expected n-grams in their order, got others")
    ratio, weight, bias = (tensors[name].numpy() for name in ("ratio", "weight", "bias"))
    return NGrams(longest, keys, ratio, weight, bias)
