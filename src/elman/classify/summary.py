"""The layers of a saved model: name, output shape, parameters."""

import re
from pathlib import Path
from typing import NamedTuple

import torch

from ..nn import BothWays, TextRNN
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
    rows = _rows(classifier.network)
    if isinstance(classifier.network, BothWays):
        rows += [row._replace(layer=f"{row.layer}, backward") for row in _rows(classifier.network.other)]
    if (ngrams := classifier.ngrams) is not None:
        name = f"Wide branch (1 to {ngrams.longest}-grams)"
        rows.append(Layer(name, f"(B, {len(classifier.classes)})", ngrams.weight.size + ngrams.bias.size))
    return rows


def _rows(network: TextRNN) -> list[Layer]:
    embedding = network.embedding
    name = "Embedding" if embedding.weight.requires_grad else "Embedding (frozen)"
    rows = [Layer(name, f"(B, T, {embedding.embedding_dim})", _count(embedding))]
    for layer in network.recurrent_layers:
        kind = f"Bidirectional {type(layer).__name__}" if layer.bidirectional else type(layer).__name__
        for index in range(layer.num_layers):
            own = sum(p.numel() for n, p in layer.named_parameters() if re.search(rf"_l{index}(_reverse)?$", n))
            rows.append(Layer(kind, f"(B, T, {layer.output_size})", own))
        if states := [p for n, p in layer.named_parameters() if n in ("h_0", "c_0")]:
            rows.append(
                Layer("Initial state", f"({', '.join(map(str, states[0].shape))})", sum(map(torch.numel, states)))
            )
    pooling = network.pooling
    merge = f", {network.merge}" if network.recurrent.bidirectional and network.merge != "concat" else ""
    rows.append(Layer(f"Pooling ({pooling.kind}{merge})", f"(B, {pooling.out_features})", _count(pooling)))
    rows.append(Layer("Output (softmax)", f"(B, {network.output.out_features})", _count(network.output)))
    return rows


def _count(module: object) -> int:
    return sum(p.numel() for p in module.parameters())  # type: ignore[attr-defined]
