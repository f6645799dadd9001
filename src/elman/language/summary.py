"""The layers of a saved language model: name, output shape, parameters."""

from pathlib import Path

from ..nn import LanguageModel, LayerRow, layers_of, recurrent_rows
from .persistence import load


def summary(run: str | Path) -> list[LayerRow]:
    """The layer table of a run."""
    return layers(load(run).network)


def layers(network: LanguageModel) -> list[LayerRow]:
    """The layer table of a network; a tied weight counts once, as the embedding's."""
    embedding, softmax = network.embedding, network.softmax
    rows = [LayerRow("Embedding", f"(B, T, {embedding.embedding_dim})", embedding.weight.numel())]
    for number, reader in enumerate(network.directions):
        arrow = (" →", " ←")[number] if network.bidirectional else ""
        rows += [row._replace(layer=row.layer + arrow) for row in recurrent_rows(layers_of(reader.layer))]
    own = sum(p.numel() for p in softmax.parameters() if p is not embedding.weight)
    notes = ["tied"] * network.tied + [f"adaptive, classes from {', '.join(map(str, softmax.cutoffs))}"] * bool(
        softmax.cutoffs
    )
    name = "Softmax" + (f" ({'; '.join(notes)})" if notes else "")
    return [*rows, LayerRow(name, f"(B, T, {network.vocab_size})", own)]
