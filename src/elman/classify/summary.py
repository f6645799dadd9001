"""The layers of a saved model: name, output shape, parameters."""

from pathlib import Path
from typing import NamedTuple

from . import persistence
from .model import Classifier


class Layer(NamedTuple):
    """One row of the table; B texts of T tokens go in."""

    layer: str
    output: str
    parameters: int


def summary(run: str | Path) -> list[Layer]:
    """The layer table of a run."""
    return layers(persistence.load(run))


def layers(classifier: Classifier) -> list[Layer]:
    """The layer table of a classifier."""
    network = classifier.network
    recurrent = network.recurrent
    kind = type(recurrent).__name__
    directions = 2 if recurrent.bidirectional else 1
    rows = [Layer("Embedding", f"(B, T, {network.embedding.embedding_dim})", _count(network.embedding))]
    for index in range(recurrent.num_layers):
        own = sum(p.numel() for n, p in recurrent.named_parameters() if n.split("_l")[1].split("_")[0] == str(index))
        name = f"Bidirectional {kind}" if directions == 2 else kind
        rows.append(Layer(name, f"(B, T, {directions * recurrent.hidden_size})", own))
    pooling = network.pooling
    merge = f", {network.merge}" if directions == 2 and network.merge != "concat" else ""
    rows.append(Layer(f"Pooling ({pooling.kind}{merge})", f"(B, {pooling.out_features})", _count(pooling)))
    rows.append(Layer("Output (softmax)", f"(B, {len(classifier.classes)})", _count(network.output)))
    if (ngrams := classifier.ngrams) is not None:
        name = f"Wide branch (1 to {ngrams.longest}-grams)"
        rows.append(Layer(name, f"(B, {len(classifier.classes)})", ngrams.weight.size + ngrams.bias.size))
    return rows


def _count(module: object) -> int:
    return sum(p.numel() for p in module.parameters())  # type: ignore[attr-defined]
