"""The layers of a saved model: name, output shape, parameters."""

from pathlib import Path

from ..nn import BothWays, LayerRow, TextRNN, recurrent_rows
from . import persistence
from .model import Classifier


def summary(run: str | Path) -> list[LayerRow]:
    """The layer table of a run."""
    return layers(persistence.load(run))


def layers(classifier: Classifier) -> list[LayerRow]:
    """The layer table of a classifier."""
    rows = _rows(classifier.network)
    if isinstance(classifier.network, BothWays):
        rows += [row._replace(layer=f"{row.layer}, backward") for row in _rows(classifier.network.other)]
    if (ngrams := classifier.ngrams) is not None:
        name = f"Wide branch (1 to {ngrams.longest}-grams)"
        rows.append(LayerRow(name, f"(B, {len(classifier.classes)})", ngrams.weight.size + ngrams.bias.size))
    return rows


def _rows(network: TextRNN) -> list[LayerRow]:
    embedding = network.embedding
    name = "Embedding" if embedding.weight.requires_grad else "Embedding (frozen)"
    rows = [LayerRow(name, f"(B, T, {embedding.embedding_dim})", _count(embedding))]
    rows += recurrent_rows(network.recurrent_layers)
    pooling = network.pooling
    merge = f", {network.merge}" if network.recurrent.bidirectional and network.merge != "concat" else ""
    rows.append(LayerRow(f"Pooling ({pooling.kind}{merge})", f"(B, {pooling.out_features})", _count(pooling)))
    rows.append(LayerRow("Output (softmax)", f"(B, {network.output.out_features})", _count(network.output)))
    return rows


def _count(module: object) -> int:
    return sum(p.numel() for p in module.parameters())  # type: ignore[attr-defined]
