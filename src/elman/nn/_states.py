"""What is called: layers whose state is one tensor, h, and layers whose state is two, h and c."""

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ._base import Recurrent
from ._border import Lengths


class SingleState(Recurrent):
    """What the layers share whose state is one tensor, as that of `RNN` and `GRU`."""

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """
        Args:
            input: [T, B, I], [B, T, I] with batch_first, [T, I] unbatched, a PackedSequence, or a jagged nested tensor
                [B, *, I].
            hx: [L * D, B, H] initial state (unbatched [L * D, H]); zeros, or the learned state, if not given.
            lengths: [B] real length of each row of a padded tensor, any order, zeros allowed.
        Returns:
            output in the form of the input, [.., D * H], zero beyond a row's length; h_n as hx.
        Raises:
            ShapeError: sizes that do not fit.
            UsageError: an attribute was set to what the layer cannot have, see `Regularised`.
        """
        output, (h_n,) = self._call(input, None if hx is None else (hx,), lengths)
        return output, h_n

    def step(self, x_t: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One step of a stream, without the costs of a call over a sequence.

        Args:
            x_t: [B, I], the next element of each of B streams.
            hx: [L, B, H] state; zeros, or the learned state, if not given.
        Returns:
            output [B, H] and the new state, which the next step takes.
        Raises:
            UsageError: the layer is bidirectional, or counts its steps anew at every call.
        """
        output, (h_n,) = self._step(x_t, None if hx is None else (hx,))
        return output, h_n


class DoubleState(Recurrent):
    """What the layers share whose state is h and c, as that of `LSTM`."""

    def forward(
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """As `RNN.forward`, with hx = (h_0 [L * D, B, P], c_0 [L * D, B, H]) and (h_n, c_n) returned."""
        output, (h_n, c_n) = self._call(input, hx, lengths)
        return output, (h_n, c_n)

    def step(self, x_t: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One step of a stream, without the costs of a call over a sequence.

        Args:
            x_t: [B, I], the next element of each of B streams.
            hx: (h [L, B, H], c [L, B, H]) state; zeros, or the learned state, if not given.
        Returns:
            output [B, H] and the new state, which the next step takes.
        Raises:
            UsageError: the layer is bidirectional.
        """
        output, (h_n, c_n) = self._step(x_t, hx)
        return output, (h_n, c_n)
