"""Layers upon layers: a size for each, residual connections, directions merged after each."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import ShapeError, UsageError
from ..settings import known
from ._base import Recurrent, State
from ._border import Border, Lengths
from ._cells import CELLS
from ._draws import dropout as drop
from ._initial import INITS, check, start
from ._layout import RaggedLayout
from ._merge import MERGES, merged, merged_size
from ._wrapper import CALL, Holder, HolderList, admitted, inside, run

STARTS = ("default", *INITS)


class _Layers(HolderList):
    def _admit(self, name: str, module: torch.nn.Module) -> torch.nn.Module:
        return admitted(module, CALL, Recurrent)


class Stack(Holder):
    """Recurrent layers of one cell, each as wide as wanted.

    Args:
        input_size: I.
        hidden_sizes: H of each layer.
        cell: a name in `elman.nn.CELLS`.
        bidirectional: read from both ends.
        merge: how both directions become the output of a layer: concat, sum, mean or product.
        residual: add a layer's input to its output wherever both are of equal size (He et al. 2016; in recurrent
            stacks Wu et al. 2016, section 3.1).
        dropout: on the output of each layer but the last.
        batch_first: padded tensors are [B, T, ..].
        options: every further argument of the layers.
    Attributes:
        layers: the layers, `elman.nn.Recurrent` each, or a module around one that passes (input, hx, lengths) on.
        output_size: width of the output.
    Raises:
        UsageError: no layer, an unknown cell or merge, or residual connections where no two sizes are equal.
    """

    def __init__(
        self,
        input_size: int,
        hidden_sizes: Sequence[int],
        cell: str = "lstm",
        *,
        bidirectional: bool = False,
        merge: str = "concat",
        residual: bool = False,
        dropout: float = 0.0,
        batch_first: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        if not hidden_sizes:
            raise UsageError("a stack needs at least one layer, got no hidden size")
        known("cell", cell, CELLS)
        if not 0 <= dropout < 1:
            raise UsageError(f"dropout must be at least 0 and below 1, got {dropout:g}")
        self.input_size, self.bidirectional = input_size, bidirectional
        self.merge, self.residual, self.dropout = known("merge", merge, MERGES), residual, dropout
        self.batch_first = batch_first
        self.layers = _Layers()
        widths = [input_size]
        lowest = options.get("dilation", 1)
        for number, hidden_size in enumerate(hidden_sizes):
            if "dilation" in CELLS[cell].own_options:
                options["dilation"] = lowest * 2**number
            layer = CELLS[cell](widths[-1], hidden_size, bidirectional=bidirectional, **options)
            self.layers.append(layer)
            widths.append(merged_size(layer.output_size, merge) if bidirectional else layer.output_size)
        for layer in layers_of(self)[:-1]:
            layer.is_top = False
            if layer.init == "recurrent_range":  # which asks for it, and has been drawn
                start(layer)
        if residual and all(a != b for a, b in pairwise(widths)):
            raise UsageError(f"residual connections need a layer as wide as its input, got the widths {widths}")
        self.output_size = widths[-1]

    def forward(
        self, input: Tensor | PackedSequence, hx: Sequence[State] | None = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, list[State]]:
        """
        Args:
            input, lengths: as `RNN.forward`.
            hx: for each layer its states, (h_0 [D, B, P],) or (h_0, c_0); zeros or learned if not given.
        Returns:
            output in the form of the input, [.., output_size], and the final states as hx.
        Raises:
            ShapeError, UsageError: as `RNN.forward`.
        """
        if hx is not None and (not isinstance(hx, list | tuple) or len(hx) != len(self.layers)):
            given = len(hx) if isinstance(hx, list | tuple) else type(hx).__name__
            raise ShapeError(f"Expected states of {len(self.layers)} layers, got {given}")
        if self._is_padded(input, lengths):
            turns = self.batch_first and input.dim() == 3
            output, finals = self._through(input.transpose(0, 1) if turns else input, hx, None)
            return output.transpose(0, 1) if turns else output, finals
        border = Border(input, lengths, self.batch_first, batched_dims=3)
        output, finals = self._through(border.data, self._sorted(border, hx), border.layout)
        return border.leave(output), [tuple(border.unsort(part, 1) for part in final) for final in finals]

    def last(self, finals: list[State]) -> Tensor:
        """[B, output_size] from final states: the merged h after the last step of the top layer."""
        newest = inside(self.layers[-1], Recurrent).last(finals[-1])
        return merged(newest, self.merge) if self.bidirectional else newest

    def _is_padded(self, input: Tensor | PackedSequence, lengths: Lengths) -> TypeGuard[Tensor]:
        """Whether the layers may have a tensor of equally long rows as it is."""
        is_dense = lengths is None and isinstance(input, Tensor) and not input.is_nested
        return is_dense and not any(layer.batch_first for layer in layers_of(self))

    def _sorted(self, border: Border, hx: Sequence[State] | None) -> Sequence[State] | None:
        """States with their rows in the ragged order."""
        if hx is None:
            return None
        for layer, state in zip(layers_of(self), hx, strict=True):
            layer._check_state(state, border.batch)
        return [tuple(border.sort(part, 1) for part in state) for state in hx]

    def _through(
        self, x: Tensor, hx: Sequence[State] | None, layout: RaggedLayout | None
    ) -> tuple[Tensor, list[State]]:
        """Output and each layer's final states: of [N, I] in a layout, or of [T, B, I] or [T, I]."""
        if x.shape[-1] != self.input_size:
            raise ShapeError(f"Expected input of size {self.input_size}, got {x.shape[-1]}")
        finals: list[State] = []
        for number, layer in enumerate(self.layers):
            state: Any = None if hx is None else hx[number]
            if isinstance(state, tuple | list) and len(state) == 1:
                state = state[0]
            output, final = run(layer, (Recurrent,), x, state, layout)
            finals.append(final if isinstance(final, tuple) else (final,))
            output = merged(output, self.merge) if self.bidirectional else output
            if number + 1 < len(self.layers):
                output = drop(output, self.dropout, self.training)
            x = output + x if self.residual and output.shape == x.shape else output
        return x, finals

    @property
    def counts_steps(self) -> bool:
        """Whether a step of some layer depends on how many came before."""
        return any(layer.counts_steps for layer in layers_of(self))

    @property
    def _state_form(self) -> list[State]:
        """As that of a layer."""
        return [(None,) * len(layer._state_sizes()) for layer in layers_of(self)]  # type: ignore[misc]

    def _admit(self, name: str, module: torch.nn.Module) -> torch.nn.Module:
        if name != "layers" or isinstance(module, _Layers):
            return module
        if not isinstance(module, torch.nn.ModuleList):
            raise UsageError(f"expected a ModuleList of layers, got {type(module).__name__}")
        return _Layers(module)

    def extra_repr(self) -> str:
        return f"merge={self.merge!r}, residual={self.residual}, dropout={self.dropout:g}"


def recurrent_network(
    input_size: int,
    *,
    cell: str,
    hidden_size: int,
    num_layers: int = 1,
    hidden_sizes: Sequence[int] = (),
    nonlinearity: str = "tanh",
    bidirectional: bool = False,
    merge: str | None = None,
    residual: bool = False,
    dropout: float = 0.0,
    init: str = "default",
    **options: Any,
) -> Recurrent | Stack:
    """What `TextRNN` reads its word vectors with, filled as torch.nn does: a layer, or a stack where that is needed.

    Args:
        merge: of the directions after every layer; None: side by side.
        init: is only checked here.
        others: as `TextRNN`.
    Raises:
        UsageError: a name or size that cannot be meant, or settings that do not go together.
    """
    known("cell", cell, CELLS)
    known("init", init, STARTS)
    if hidden_sizes and num_layers not in (1, len(hidden_sizes)):
        raise UsageError(f"hidden_sizes names {len(hidden_sizes)} layers, but num_layers is {num_layers}")
    if "nonlinearity" in CELLS[cell].own_options:
        options["nonlinearity"] = nonlinearity
    sizes = hidden_sizes or [hidden_size] * num_layers
    options |= {"bidirectional": bidirectional, "dropout": dropout if len(sizes) > 1 else 0.0}
    network: Recurrent | Stack
    if hidden_sizes or residual or merge is not None:
        network = Stack(input_size, sizes, cell, merge=merge or "concat", residual=residual, **options)
    else:
        network = CELLS[cell](input_size, hidden_size, num_layers, **options)
    for layer in layers_of(network) if init != "default" else []:
        check(layer, init)
    return network


def layers_of(network: torch.nn.Module) -> list[Recurrent]:
    """The recurrent layers of a layer, of a `Stack`, or of either inside other modules, lowest first."""
    inner = inside(network, Recurrent, Stack)
    layers = inner.layers if isinstance(inner, Stack) else [inner]
    return [inside(layer, Recurrent) for layer in layers]
