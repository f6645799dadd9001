"""The layers of a network as rows of a table."""

from collections.abc import Iterable
from typing import NamedTuple

import torch

from ._base import Recurrent


class LayerRow(NamedTuple):
    """One row of the table; B texts of T tokens go in."""

    layer: str
    output: str
    parameters: int


def recurrent_rows(layers: Iterable[Recurrent]) -> list[LayerRow]:
    """A row for each layer and each learned initial state."""
    rows = []
    for layer in layers:
        kind = f"Bidirectional {type(layer).__name__}" if layer.bidirectional else type(layer).__name__
        for index in range(layer.num_layers):
            suffixes = layer.suffixes(index)
            own = sum(p.numel() for name, p in layer.named_parameters() if name.endswith(suffixes))
            rows.append(LayerRow(kind, f"(B, T, {layer.output_size})", own))
        if states := [p for n, p in layer.named_parameters() if n in ("h_0", "c_0")]:
            shape = ", ".join(map(str, states[0].shape))
            rows.append(LayerRow("Initial state", f"({shape})", sum(map(torch.numel, states))))
    return rows
