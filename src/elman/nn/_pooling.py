"""From the outputs of every step to one vector per text; only real elements count."""

from typing import Any

import torch
from torch import Tensor

from ..ops import ragged
from ..settings import known
from ._draws import Linear

POOLINGS = ("last", "mean", "max", "mean+max", "last+mean+max", "attention")


class Pooling(torch.nn.Module):
    """Pools elements [N, F] in the ragged layout to [B, F], or [B, 2F] or [B, 3F] where several are put side by side.

    last: the final state of each direction. mean, max: over the text's steps. attention: a softmax over the text's
    steps of a learned score, a feed-forward attention (Raffel & Ellis 2015, eq. 1-3). A text of length 0 pools to 0.
    """

    def __init__(self, kind: str, features: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.kind = known("pooling", kind, POOLINGS)
        self.out_features = len(kind.split("+")) * features
        if kind == "attention":
            self.score = torch.nn.Sequential(
                Linear(features, features, device=device, dtype=dtype),
                torch.nn.Tanh(),
                Linear(features, 1, bias=False, device=device, dtype=dtype),
            )

    def forward(self, output: Tensor, final: Tensor, batch_sizes: Tensor) -> Tensor:
        """
        Args:
            output: [N, F] elements in the ragged layout.
            final: [B, F] final states, rows in the ragged order.
        """
        if self.kind == "last":
            return final
        batch = final.shape[0]
        rows = ragged.rows_and_steps(batch_sizes)[0].to(output.device)
        if self.kind == "attention":
            weights = self._attention(output, rows, batch)
            return output.new_zeros(batch, output.shape[1]).index_add(0, rows, output * weights)
        pooled = [final] if "last" in self.kind else []
        if "mean" in self.kind:
            lengths = ragged.lengths_of(batch_sizes, batch).to(output.device)
            total = output.new_zeros(batch, output.shape[1]).index_add(0, rows, output)
            pooled.append(total / lengths.clamp(min=1)[:, None])
        if "max" in self.kind:
            place = rows[:, None].expand_as(output)
            zeros = output.new_zeros(batch, output.shape[1])
            pooled.append(zeros.scatter_reduce(0, place, output, "amax", include_self=False))
        return torch.cat(pooled, dim=1)

    def _attention(self, output: Tensor, rows: Tensor, batch: int) -> Tensor:
        score = self.score(output)[:, 0]
        # The highest score of each text is taken off before exp; it cancels in the quotient.
        highest = score.new_zeros(batch).scatter_reduce(0, rows, score.detach(), "amax", include_self=False)
        weight = torch.exp(score - highest[rows])
        return (weight / weight.new_zeros(batch).index_add(0, rows, weight)[rows])[:, None]
