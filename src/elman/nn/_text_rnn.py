"""Text-RNN: embedding, recurrent layers, one vector per text, class scores."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import ShapeError, UsageError
from ..ops import ragged
from ..settings import known
from . import _initial
from ._base import Recurrent
from ._border import Border, Lengths, read_once
from ._draws import Linear, current_generator, dropout
from ._embedding import Embedding
from ._layout import RaggedLayout
from ._merge import MERGES, merged, merged_size
from ._pooling import Pooling
from ._regularised import dropout_by_row
from ._stack import Stack, layers_of, recurrent_network
from ._wrapper import CALL, Holder, admitted, inside, run, state_of

_READERS = (Recurrent, Stack)
_GLOROT = ("weight_ih", "weight_hr", "weight_ic", "weight_ch")


class TextRNN(Holder):
    """Classifies token ids (Liu, Qiu & Huang 2016, "Recurrent Neural Network for Text Classification").

    Args:
        vocab_size: V, number of token ids.
        num_classes: C.
        embedding_dim: E, width of the word vectors.
        hidden_size: H, width of the state in each direction.
        num_layers: L.
        cell: a name in `elman.nn.CELLS`.
        nonlinearity: "tanh" or "relu"; only the cells without gates use it.
        hidden_sizes: a width for each layer, instead of `num_layers` of `hidden_size`.
        residual: add a layer's input to its output wherever both are of equal size.
        bidirectional: read from both ends.
        merge_layers: merge the two directions after every layer, not after the top one alone.
        merge: how the two directions of the top layer become one vector: concat, sum, mean or product.
        pooling: how the steps become one vector: last, mean, max, mean+max, last+mean+max or attention.
        backward: read texts from their end, in a network of one direction.
        begin_id: a token that is read before each text; its features are 0.
        bptt: steps that are read at a time; the gradient does not go from such a chunk to the one before. 0: all.
        dropout: on the pooled vector and between layers.
        embedding_dropout: on whole features of the word vectors, the same for all steps of a text (Gal & Ghahramani
            2016).
        word_dropout: share of tokens replaced by `unk_id` in training (Iyyer et al. 2015 drop them).
        feature_dim: width of further features that each token has beside its word vector; 0 for none.
        feature_dropout: share of tokens whose features are hidden in training.
        init: "default" (see `reset_parameters`) or a name in `elman.nn.INITS`, applied over it; "uniform" leaves the
            recurrent layers as torch.nn fills them.
        forget_bias: start value of the bias of forget gates, where a cell has one.
        device, dtype: of the parameters, as in torch.nn.
        options: further arguments of the recurrent layers, such as zoneout; see `elman.nn.Recurrent` and the cell.
    Attributes:
        recurrent: a layer or a `Stack`, or a module around it that passes (input, hx, lengths) on.
        disturb: called with the word vectors [N, E] and `batch_sizes`; what it returns is read in their place. None:
            they are read as they are.
    """

    disturb: Callable[[Tensor, Tensor], Tensor] | None = None

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        *,
        embedding_dim: int = 64,
        hidden_size: int = 64,
        num_layers: int = 1,
        cell: str = "lstm",
        nonlinearity: str = "tanh",
        bidirectional: bool = True,
        merge: str = "concat",
        pooling: str = "mean",
        backward: bool = False,
        bptt: int = 0,
        begin_id: int | None = None,
        dropout: float = 0.5,
        embedding_dropout: float = 0.0,
        word_dropout: float = 0.0,
        feature_dim: int = 0,
        feature_dropout: float = 0.0,
        unk_id: int = 1,
        hidden_sizes: Sequence[int] = (),
        residual: bool = False,
        merge_layers: bool = False,
        init: str = "default",
        forget_bias: float = 1.0,
        device: Any = None,
        dtype: Any = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.merge = known("merge", merge, MERGES)
        if bidirectional and (backward or bptt):
            raise UsageError("backward and bptt are for networks of one direction, got a bidirectional one")
        self.backward, self.bptt, self.begin_id = backward, bptt, begin_id
        self.init, self.forget_bias = init, forget_bias
        self.dropout = dropout
        self.embedding_dropout = embedding_dropout
        self.word_dropout = word_dropout
        self.feature_dim = feature_dim
        self.feature_dropout = feature_dropout
        self.unk_id = unk_id
        self.embedding = Embedding(vocab_size, embedding_dim, device=device, dtype=dtype)
        self.recurrent = recurrent_network(
            embedding_dim + feature_dim,
            cell=cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            hidden_sizes=hidden_sizes,
            nonlinearity=nonlinearity,
            bidirectional=bidirectional,
            merge=merge if merge_layers else None,
            residual=residual,
            dropout=dropout,
            init=init,
            device=device,
            dtype=dtype,
            **options,
        )
        self._merges_top = bidirectional and not merge_layers
        features = self.recurrent.output_size
        features = merged_size(features, merge) if self._merges_top else features
        self.pooling = Pooling(pooling, features, device, dtype)
        self.output = Linear(self.pooling.out_features, num_classes, device=device, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Word vectors N(0, 0.1); Glorot input weights, orthogonal recurrent ones, zero biases, forget-gate bias 1.

        The recurrent start is Keras's; the forget bias is from Jozefowicz, Zaremba & Sutskever (2015).
        """
        torch.nn.init.normal_(self.embedding.weight, std=0.1, generator=current_generator())
        for layer in self.recurrent_layers:
            if self.init != "uniform":
                self._start(layer)
            if self.init == "forget_bias":
                _initial.forget_bias(layer, self.forget_bias)
            elif self.init != "default":
                _initial.INITS[self.init].apply(layer)

    def _start(self, layer: Recurrent) -> None:
        hidden = layer.hidden_size
        for name, parameter in layer.named_parameters():
            if name.startswith("bias"):
                torch.nn.init.zeros_(parameter)
            elif name.startswith(("weight_hh", *_GLOROT)):
                start = torch.nn.init.orthogonal_ if name.startswith("weight_hh") else torch.nn.init.xavier_uniform_
                for gate in parameter.detach().split(hidden):
                    start(gate, generator=current_generator())
        if "f" in layer.gates and layer.bias:
            _initial.forget_bias(layer, self.forget_bias)

    @property
    def recurrent_layers(self) -> list[Recurrent]:
        """The recurrent layers, lowest first; one of `num_layers` counts once."""
        return layers_of(self.recurrent)

    def forward(self, ids: Tensor | PackedSequence, lengths: Lengths = None, features: Tensor | None = None) -> Tensor:
        """
        Args:
            ids: [B, T] int64 token ids with `lengths` [B], or a PackedSequence of ids.
            features: [B, T, feature_dim], or [N, feature_dim] in the order of a PackedSequence.
        Returns:
            logits [B, C], rows in the caller's order.
        Raises:
            ShapeError: an id outside the vocabulary, or sizes that do not fit.
        """
        return self.opinions(ids, lengths, features).mean(0)

    def opinions(self, ids: Tensor | PackedSequence, lengths: Lengths = None, features: Tensor | None = None) -> Tensor:
        """As `forward`, the logits of each network whose mean it returns [M, B, C]; here there is one."""
        return self._scores(ids, lengths, features)[None]

    def _scores(self, ids: Tensor | PackedSequence, lengths: Lengths, features: Tensor | None) -> Tensor:
        """[B, C]"""
        lengths = read_once(lengths)
        border = Border(ids, lengths, batch_first=True, batched_dims=2)
        if features is not None and not isinstance(ids, PackedSequence):
            features = Border(features, lengths, batch_first=True, batched_dims=3).data
        self._check(border.data, features)
        border.data, features = self._in_order(border, features)
        vectors = self._word_vectors(border)
        border.data = vectors if features is None else torch.cat([vectors, self._hide_some(features)], dim=1)
        if self.bptt:
            output, final = self._by_chunks(border)
        else:
            output, finals = run(self.recurrent, _READERS, border.data, None, border.layout)
            final = self._reader.last(finals)
        if self._merges_top:
            output, final = merged(output, self.merge), merged(final, self.merge)
        pooled = self.pooling(output, final, border.batch_sizes)
        return border.unsort(self.output(dropout(pooled, self.dropout, self.training)), 0)

    def _by_chunks(self, border: Border) -> tuple[Tensor, Tensor]:
        """As the whole sequence, the states detached from chunk to chunk: output [N, F] and final h [B, F]."""
        reader, sizes = self._reader, border.batch_sizes
        offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]).tolist()
        outputs, ended = [border.data.new_zeros(0, reader.output_size)], []
        state: Any = None
        final = border.data.new_zeros(0, reader.output_size)
        for start in range(0, len(sizes), self.bptt):
            end = min(start + self.bptt, len(sizes))
            rows = int(sizes[start])
            if state is not None:
                ended.append(final[rows:])  # texts that ended in the chunk before
                state = state_of(state, lambda part: part[:, :rows].detach())  # noqa: B023 (used at once)
            chunk = border.data[offsets[start] : offsets[end]]
            layout = RaggedLayout(sizes[start:end], rows, clock=start)
            output, state = run(self.recurrent, _READERS, chunk, state, layout)
            final = reader.last(state)
            outputs.append(output)
        empty = final.new_zeros(border.batch - (int(sizes[0]) if len(sizes) else 0), reader.output_size)
        return torch.cat(outputs), torch.cat([final, *reversed(ended), empty])

    @property
    def _reader(self) -> Any:
        """The layer or `Stack` itself."""
        return inside(self.recurrent, *_READERS)

    def _admit(self, name: str, module: torch.nn.Module) -> torch.nn.Module:
        return admitted(module, CALL, *_READERS) if name == "recurrent" else module

    def _in_order(self, border: Border, features: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Ids, some hidden in training, and features as they are read; the border grows by the id before each text."""
        tokens = border.data
        if self.training and self.word_dropout:
            drawn = _uniform(tokens.shape, tokens)
            tokens = tokens.masked_fill(drawn < self.word_dropout, self.unk_id)
        if self.backward:
            places = ragged.from_end(border.batch_sizes).to(tokens.device)
            tokens, features = tokens[places], None if features is None else features[places]
        if self.begin_id is not None and border.batch:
            # Time-major, so that one step more before all texts is one piece more before all elements.
            tokens = torch.cat([tokens.new_full((border.batch,), self.begin_id), tokens])
            if features is not None:
                features = torch.cat([features.new_zeros(border.batch, self.feature_dim), features])
            border.batch_sizes = torch.cat([border.batch_sizes.new_full((1,), border.batch), border.batch_sizes])
        return tokens, features

    def _word_vectors(self, border: Border) -> Tensor:
        """[N, E], with features of the vectors dropped in training."""
        vectors: Tensor = self.embedding(border.data)
        if self.disturb is not None:
            vectors = self.disturb(vectors, border.batch_sizes)
        if self.training and self.embedding_dropout:
            vectors = dropout_by_row(vectors, border.batch_sizes, border.batch, self.embedding_dropout)
        return vectors

    def _hide_some(self, features: Tensor) -> Tensor:
        if not (self.training and self.feature_dropout):
            return features
        drawn = _uniform((features.shape[0], 1), features)
        return features * (drawn >= self.feature_dropout)

    def _check(self, ids: Tensor, features: Tensor | None) -> None:
        in_graph = torch.compiler.is_compiling()  # there the embedding checks them, when the graph runs
        if not in_graph and ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < self.embedding.num_embeddings:
            raise ShapeError(
                f"Expected token ids in 0 .. {self.embedding.num_embeddings - 1}, "
                f"got {int(ids.min())} .. {int(ids.max())}"
            )
        width = 0 if features is None else features.shape[-1]
        if width != self.feature_dim or (features is not None and features.shape[0] != ids.shape[0]):
            given = "none" if features is None else f"{tuple(features.shape)}"
            raise ShapeError(f"Expected features ({ids.shape[0]}, {self.feature_dim}), got {given}")


def _uniform(size: Sequence[int], like: Tensor) -> Tensor:
    """Numbers of U(0, 1) on the device of a tensor, of float32 whatever torch's default is."""
    return torch.rand(size, dtype=torch.float32, device=like.device, generator=current_generator())
