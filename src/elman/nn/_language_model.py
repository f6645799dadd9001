"""A language model: word vectors, recurrent layers that carry their state along a stream, a softmax over the words."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import ShapeError, UsageError
from ._cells import CELLS
from ._draws import current_generator, dropout
from ._embedding import Embedding
from ._softmax import Softmax
from ._stack import Stack, layers_of
from ._stateful import Stateful
from ._wrapper import Holder, HolderList, admitted, inside


class _Readers(HolderList):
    def _admit(self, name: str, module: torch.nn.Module) -> torch.nn.Module:
        return admitted(module, ("chunk", "starts"), Stateful)


class LanguageModel(Holder):
    """Predicts each word of B streams from the words before it; a bidirectional one from those on both sides.

    Streams come in chunks of T steps; the state goes on from chunk to chunk, and the loss of a chunk reaches back to
    its first step: truncated back-propagation through time. The second direction, which reads from the right, knows
    nothing of the chunk that follows.

    Args:
        vocab_size: V.
        embedding_dim: E.
        hidden_size: H of each layer; the top one of a tied model has E.
        num_layers: L.
        hidden_sizes: a width for each layer, instead of `num_layers` of `hidden_size`.
        cell: a name in `elman.nn.CELLS`.
        tied: the softmax's weights are the word vectors (Press & Wolf 2017; Inan et al. 2017).
        cutoffs: of the adaptive softmax, see `Softmax`.
        bidirectional: predict a word from both sides.
        residual: add a layer's input to its output wherever both are of equal size.
        dropout: on features of the top layer's output, the same along a chunk (Gal & Ghahramani 2016).
        input_dropout: the same on the input of every layer but the first.
        embedding_dropout: the same on the word vectors.
        word_dropout: share of the vocabulary whose vectors are hidden at a step of training (Gal & Ghahramani 2016).
        init: a name in `elman.nn.INITS`; "default" is torch.nn's "uniform".
        forget_bias: start value of the bias of forget gates, where the cell has one; None: as the others.
        overlap: steps before a chunk that are run again so that its loss reaches them, see `Stateful`.
        device, dtype: of the parameters, as in torch.nn.
        options: further arguments of the layers, such as weight_drop.
    Attributes:
        readers: one `Stateful` stack per direction, the second reading the chunk from its end; or a module around it
            that passes (chunk, starts) on.
    Raises:
        UsageError: sizes that do not go together.
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        embedding_dim: int = 200,
        hidden_size: int = 200,
        num_layers: int = 1,
        hidden_sizes: Sequence[int] = (),
        cell: str = "lstm",
        tied: bool = False,
        cutoffs: Sequence[int] = (),
        bidirectional: bool = False,
        residual: bool = False,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        init: str = "default",
        forget_bias: float | None = 1.0,
        overlap: int = 0,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if tied and bidirectional and embedding_dim % 2:
            raise UsageError(
                "tied weights of a model that reads both sides (the objective fill) need an even embedding_dim, half "
                f"of it for each side, got {embedding_dim}"
            )
        sizes = list(hidden_sizes) or [hidden_size] * num_layers
        if tied and not hidden_sizes:
            sizes[-1] = embedding_dim // 2 if bidirectional else embedding_dim
        self.dropout, self.word_dropout, self.tied, self.bidirectional = dropout, word_dropout, tied, bidirectional
        self.embedding = Embedding(vocab_size, embedding_dim, device=device, dtype=dtype)
        self.readers = _Readers()
        if "f" in CELLS[cell].gates and forget_bias is not None:
            options["forget_bias"] = forget_bias
        options |= {"device": device, "dtype": dtype}
        for _ in range(1 + bidirectional):
            stack = Stack(
                embedding_dim, sizes, cell, residual=residual, init="uniform" if init == "default" else init, **options
            )
            for number, layer in enumerate(layers_of(stack)):
                layer.input_dropout = input_dropout if number else embedding_dropout
            self.readers.append(Stateful(stack, overlap))
        width = (1 + bidirectional) * stack.output_size
        if tied and width != embedding_dim:
            raise UsageError(f"a tied softmax needs an output as wide as the embedding's {embedding_dim}, got {width}")
        self.softmax = Softmax(vocab_size, width, cutoffs, device, dtype)
        torch.nn.init.uniform_(self.embedding.weight, -0.1, 0.1, generator=current_generator())
        if tied:
            self.embedding.weight = self.softmax.weight  # one parameter under two names
            # Wider than the softmax's own start, under which Adam stays with the words' frequencies for longer.
            torch.nn.init.normal_(self.embedding.weight, std=0.1, generator=current_generator())

    @property
    def directions(self) -> list[Stateful]:
        """The readers themselves, whatever stands around them."""
        return [inside(reader, Stateful) for reader in self.readers]

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.embedding.num_embeddings

    def reset(self) -> None:
        """Begin all streams anew at the next chunk, whose number may then change."""
        for reader in self.directions:
            reader.reset()

    def forward(
        self, left: Tensor, starts: Tensor | None = None, right: Tensor | None = None, ends: Tensor | None = None
    ) -> Tensor:
        """What is known of each word: the vectors from which `softmax` has its probabilities, after dropout.

        Args:
            left: [T, B] int64, the word before each of the next T words of every stream.
            starts: [T, B] bool, which of those words are the first of a document; see `Stateful.forward`.
            right: [T, B] int64, the word after each of them; only for a bidirectional model.
            ends: [T, B] bool, which of them are the last of a document.
        Returns:
            [T, B, P]
        Raises:
            ShapeError: an id outside the vocabulary, another number of streams than before, a side that is missing.
        """
        return self.dropped(self.states(left, starts, right, ends))

    def states(
        self, left: Tensor, starts: Tensor | None = None, right: Tensor | None = None, ends: Tensor | None = None
    ) -> Tensor:
        """[T, B, P] what `forward` returns, before its dropout."""
        if (right is not None) != self.bidirectional:
            wanted = "words on both sides" if self.bidirectional else "no words on the right"
            raise ShapeError(f"Expected {wanted}, got right={'None' if right is None else tuple(right.shape)}")
        outputs = [self.readers[0](self._word_vectors(left), starts)[0]]
        if right is not None:
            self.directions[1].reset()
            from_end = self._word_vectors(right).flip(0), None if ends is None else ends.flip(0)
            outputs.append(self.readers[1](*from_end)[0].flip(0))
        return torch.cat(outputs, -1)

    def _word_vectors(self, ids: Tensor) -> Tensor:
        """[T, B, E]; a hidden word is hidden wherever it stands."""
        if ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.vocab_size:
            raise ShapeError(
                f"Expected word ids in 0 .. {self.vocab_size - 1}, got {int(ids.min())} .. {int(ids.max())}"
            )
        vectors: Tensor = self.embedding(ids)
        if self.training and self.word_dropout:
            shown = dropout(vectors.new_ones(self.vocab_size), self.word_dropout)
            vectors = vectors * shown[ids][..., None]
        return vectors

    def dropped(self, output: Tensor) -> Tensor:
        """One mask for all steps of a stream's chunk."""
        if not (self.training and self.dropout):
            return output
        return output * dropout(output.new_ones(output.shape[1:]), self.dropout)
