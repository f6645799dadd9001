"""Word vectors whose gradient is summed faster."""

import torch
from torch import Tensor

from ._draws import current_generator


class Embedding(torch.nn.Embedding):
    """`torch.nn.Embedding`, read by `index_select`: the same numbers to the bit, and half the time backward on the CPU.

    torch's own gradient of an embedding (dense, on the CPU) looks at every token once for each thread.
    """

    def reset_parameters(self) -> None:
        torch.nn.init.normal_(self.weight, generator=current_generator())
        self._fill_padding_idx_with_zero()

    def forward(self, input: Tensor) -> Tensor:
        if self.max_norm is not None or self.sparse or self.scale_grad_by_freq or self.padding_idx is not None:
            return super().forward(input)
        return self.weight.index_select(0, input.flatten()).view(*input.shape, self.embedding_dim)
