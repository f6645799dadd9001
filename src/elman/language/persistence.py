"""The language model as a model folder; see `training.model_folder`."""

from pathlib import Path
from typing import Any

import torch

from ..errors import ModelFolderError
from ..nn import drawing_from
from ..settings import to_dict
from ..text import Provenance, TextTokenizer
from ..training import model_folder, weights
from .config import resolve
from .model import TrainedLanguageModel, network_of

KIND = "language-model"


def save(model: TrainedLanguageModel, folder: str | Path) -> None:
    """Write the model into a folder, made if need be. Raises RunFolderError if that fails."""
    network = model.network
    tensors = {name: tensor.detach() for name, tensor in network.named_parameters()}  # each once: tied ones are one
    description = {
        "tokenizer": model.tokenizer.kind,
        "normalization": model.tokenizer.normalization,
        "cutoffs": network.softmax.cutoffs,
        "config": to_dict(model.config),
        "provenance": None if model.provenance is None else model.provenance.to_json(),
    }
    model_folder.write(Path(folder), KIND, tensors, model.tokenizer.to_json(), description)


def load(folder: str | Path) -> TrainedLanguageModel:
    """Read a model folder.

    Raises:
        ModelFolderError: missing, incomplete, damaged, of another kind, or written by a newer version.
    """
    folder = model_folder.located(Path(folder))
    description = model_folder.read(folder, KIND)
    with model_folder.named_errors(folder), drawing_from(torch.Generator()):
        return _build(folder, description)


def _build(folder: Path, description: dict[str, Any]) -> TrainedLanguageModel:
    with model_folder.named_errors(folder / model_folder.WEIGHTS):
        entries = weights.entries(model_folder.path_of(folder, model_folder.WEIGHTS))
        weights.check_sizes(description["config"], entries)
    config = resolve(**description["config"])
    tokenizer = TextTokenizer.load(model_folder.path_of(folder, model_folder.TOKENIZER), description["tokenizer"])
    if tokenizer.end_id is None:
        raise ModelFolderError("the tokenizer has no token for the end of a line")
    weights.check_vocabulary("embedding.weight", tokenizer.vocab_size, entries)
    cutoffs = description["cutoffs"]
    without_memory = network_of(config, tokenizer.vocab_size, cutoffs, device="meta")
    expected = weights.entries_of(dict(without_memory.named_parameters()))
    with model_folder.named_errors(folder / model_folder.WEIGHTS):
        weights.check_entries(expected, entries)
    network = network_of(config, tokenizer.vocab_size, cutoffs)
    network.load_state_dict(model_folder.tensors(folder, description), strict=False)  # a tied weight has a second name
    network.eval()
    described = description.get("provenance")
    provenance = None if described is None else Provenance.of_json(described)
    return TrainedLanguageModel(config, tokenizer, network, provenance)
