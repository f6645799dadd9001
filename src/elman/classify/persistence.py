"""The saved model: a folder with config.json, model.safetensors and tokenizer.json. Nothing in it is executed.

config.json is written last, so a folder that has one is whole.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .. import __version__
from ..errors import ElmanError, ModelFolderError, RunFolderError
from ..text import TextTokenizer
from ..training import write_tensors, write_text
from .config import resolve
from .model import Classifier, build_network
from .ngrams import NGrams

CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
_FORMAT = 1
_KIND = "text-classifier"


def save(classifier: Classifier, folder: str | Path) -> None:
    """Write the model into a folder, made if need be. Raises RunFolderError if that fails."""
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).unlink(missing_ok=True)
    except OSError as error:
        raise RunFolderError(f"{folder}: cannot be written ({error.strerror})") from None
    tensors = {f"network.{name}": tensor for name, tensor in classifier.network.state_dict().items()}
    if (ngrams := classifier.ngrams) is not None:
        arrays = {"keys": ngrams.keys.view(np.int64), "ratio": ngrams.ratio, "weight": ngrams.weight}
        tensors |= {f"ngrams.{name}": torch.from_numpy(a) for name, a in {**arrays, "bias": ngrams.bias}.items()}
    write_tensors(folder / WEIGHTS, tensors, {"elman": __version__})
    write_text(folder / TOKENIZER, classifier.tokenizer.to_json())
    description = {
        "format": _FORMAT,
        "kind": _KIND,
        "elman": __version__,
        "classes": classifier.classes.tolist(),
        "tokenizer": classifier.tokenizer.kind,
        "scales": list(classifier.scales),
        "config": asdict(classifier.config),
    }
    write_text(folder / CONFIG, json.dumps(description, indent=2, ensure_ascii=False) + "\n")


def load(folder: str | Path) -> Classifier:
    """Read a model folder.

    Raises:
        ModelFolderError: missing, incomplete, damaged, of another kind, or written by a newer version.
    """
    folder = Path(folder)
    description = _description(folder)
    try:
        classifier = _build(folder, description)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, ElmanError) and not isinstance(error, ValueError):
            raise
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFolderError(f"{folder}: the model is damaged ({reason})") from None
    return classifier


def _description(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise ModelFolderError(f"{folder}: no such model folder")
    missing = [name for name in (CONFIG, WEIGHTS, TOKENIZER) if not (folder / name).is_file()]
    if missing:
        raise ModelFolderError(f"{folder}: not a complete model; missing {', '.join(missing)}")
    try:
        description = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        found, kind = description["format"], description["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFolderError(f"{folder / CONFIG}: damaged ({error})") from None
    if kind != _KIND:
        raise ModelFolderError(f"{folder}: expected a {_KIND}, got a {kind}")
    if not isinstance(found, int) or found > _FORMAT:
        raise ModelFolderError(
            f"{folder}: the model has format {found}, written by Elman {description.get('elman')}; this is Elman "
            f"{__version__}, which reads up to format {_FORMAT}: upgrade to open it"
        )
    return dict(description)


def _build(folder: Path, description: dict[str, Any]) -> Classifier:
    config = resolve(**description["config"])
    tokenizer = TextTokenizer.load(folder / TOKENIZER, description["tokenizer"])
    tensors = load_file(folder / WEIGHTS)
    classes = np.array(description["classes"])
    network = build_network(config, tensors["network.embedding.weight"].shape[0], len(classes))
    if tokenizer.vocab_size != network.embedding.num_embeddings:
        raise ModelFolderError(
            f"the tokenizer has {tokenizer.vocab_size} entries and the network {network.embedding.num_embeddings}"
        )
    network.load_state_dict(_group(tensors, "network."))
    network.eval()
    scales = [float(scale) for scale in description["scales"]]
    return Classifier(config, classes, tokenizer, network, _ngrams(config.ngrams, tensors), (scales[0], scales[1]))


def _ngrams(longest: int, tensors: dict[str, Tensor]) -> NGrams | None:
    arrays = {name: tensor.numpy() for name, tensor in _group(tensors, "ngrams.").items()}
    if not longest or not arrays:
        return None
    return NGrams(longest, arrays["keys"].view(np.uint64), arrays["ratio"], arrays["weight"], arrays["bias"])


def _group(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
