"""The language model as a model folder; see `training.model_folder`."""

from pathlib import Path

import torch

from ..errors import ModelFolderError
from ..nn import LanguageModel
from ..settings import to_dict
from ..text import TextTokenizer
from ..training import model_folder
from .config import resolve
from .model import TrainedLanguageModel

KIND = "language-model"


def save(model: TrainedLanguageModel, folder: str | Path) -> None:
    """Write the model into a folder, made if need be. Raises RunFolderError if that fails."""
    network = model.network
    tensors = {name: tensor.detach() for name, tensor in network.named_parameters()}  # each once: tied ones are one
    description = {
        "tokenizer": model.tokenizer.kind,
        "cutoffs": network.softmax.cutoffs,
        "config": to_dict(model.config),
    }
    model_folder.write(Path(folder), KIND, tensors, model.tokenizer.to_json(), description)


def load(folder: str | Path) -> TrainedLanguageModel:
    """Read a model folder.

    Raises:
        ModelFolderError: missing, incomplete, damaged, of another kind, or written by a newer version.
    """
    folder = model_folder.located(Path(folder))
    description = model_folder.read(folder, KIND)
    with model_folder.named_errors(folder), torch.random.fork_rng(devices=[]):
        tensors = model_folder.tensors(folder)
        model_folder.check_depth(description["config"], tensors)
        config = resolve(**description["config"])
        tokenizer = TextTokenizer.load(model_folder.path_of(folder, model_folder.TOKENIZER), description["tokenizer"])
        if tokenizer.end_id is None:
            raise ModelFolderError("the tokenizer has no token for the end of a line")
        vocab_size = tensors["embedding.weight"].shape[0]
        if tokenizer.vocab_size != vocab_size:
            raise ModelFolderError(f"the tokenizer has {tokenizer.vocab_size} entries and the network {vocab_size}")
        network = LanguageModel(vocab_size, cutoffs=description["cutoffs"], **config.network)
        wanted = {name for name, _ in network.named_parameters()}
        if wanted != set(tensors):
            raise ModelFolderError(f"expected the weights {sorted(wanted)}, got {sorted(tensors)}")
        network.load_state_dict(tensors, strict=False)  # a tied weight has a second name
        network.eval()
    return TrainedLanguageModel(config, tokenizer, network)
