"""The classifier as a model folder; see `training.model_folder`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelFolderError
from ..settings import to_dict
from ..text import TextTokenizer
from ..training import model_folder
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
        "scales": list(classifier.scales),
        "config": to_dict(classifier.config),
    }
    model_folder.write(Path(folder), _KIND, tensors, classifier.tokenizer.to_json(), description)


def load(folder: str | Path) -> Classifier:
    """Read a model folder.

    Raises:
        ModelFolderError: missing, incomplete, damaged, of another kind, or written by a newer version.
    """
    folder = model_folder.located(Path(folder))
    description = model_folder.read(folder, _KIND)
    with model_folder.named_errors(folder), torch.random.fork_rng(devices=[]):
        return _build(folder, description)


def _build(folder: Path, description: dict[str, Any]) -> Classifier:
    tensors = model_folder.tensors(folder)
    model_folder.check_depth(description["config"], tensors)
    config = resolve(**description["config"])
    tokenizer = TextTokenizer.load(model_folder.path_of(folder, model_folder.TOKENIZER), description["tokenizer"])
    classes = np.array(description["classes"])
    network = build_network(config, tensors["network.embedding.weight"].shape[0], len(classes), tokenizer.end_id)
    if tokenizer.vocab_size != network.embedding.num_embeddings:
        raise ModelFolderError(
            f"the tokenizer has {tokenizer.vocab_size} entries and the network {network.embedding.num_embeddings}"
        )
    network.load_state_dict(model_folder.group(tensors, "network."))
    network.eval()
    scales = [float(scale) for scale in description["scales"]]
    if len(scales) != 2 or not np.isfinite(scales).all():
        raise ModelFolderError(f"expected the weights of two scores, got {scales}")
    ngrams = _ngrams(config.ngrams, len(classes), tensors) if config.ngrams else None
    return Classifier(config, classes, tokenizer, network, ngrams, (scales[0], scales[1]))


def _ngrams(longest: int, num_classes: int, tensors: dict[str, Tensor]) -> NGrams:
    arrays = {name: tensor.numpy() for name, tensor in model_folder.group(tensors, "ngrams.").items()}
    count, columns = len(arrays.get("keys", ())), 1 if num_classes == 2 else num_classes
    table = "float32", (count, columns)
    wanted = {"keys": ("int64", (count,)), "ratio": table, "weight": table, "bias": ("float32", (columns,))}
    found = {name: (str(array.dtype), array.shape) for name, array in arrays.items()}
    if found != wanted:
        raise ModelFolderError(f"expected the n-grams' {wanted}, got {found}")
    keys = arrays["keys"].view(np.uint64)
    if not count or not (keys[:-1] < keys[1:]).all():
        raise ModelFolderError("expected n-grams in their order, got others")
    return NGrams(longest, keys, arrays["ratio"], arrays["weight"], arrays["bias"])
