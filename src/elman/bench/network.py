"""The network of every run: one recurrent layer and a linear read-out."""

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..nn import Linear, Recurrent


class SequenceNetwork(torch.nn.Module):
    """
    Args:
        layer: a recurrent layer, steps first.
        output_size: O, width of an answer.
        every_step: an answer at every step, or at the last one only.
    """

    def __init__(self, layer: Recurrent, output_size: int, every_step: bool) -> None:
        super().__init__()
        self.layer = layer
        self.readout = Linear(layer.output_size, output_size)
        self.every_step = every_step

    def forward(self, inputs: Tensor | PackedSequence) -> Tensor:
        """Scores [T, B, O] for inputs [T, B, I], [N, O] for packed ones; [B, O] with one answer a sequence."""
        output = self.layer(inputs)[0]
        if isinstance(output, PackedSequence):
            output = output.data
        scores: Tensor = self.readout(output if self.every_step else output[-1])
        return scores
