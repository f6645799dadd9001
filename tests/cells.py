"""What every test of a cell needs: its functions, and random arguments that would betray a swap.

States differ from each other and from zero, gates have distinct random weights, lengths are ragged with zeros.
"""

from dataclasses import dataclass

import torch

from elman.ops import CELLS as SPECIFICATIONS
from elman.ops import Weights, ragged
from elman.ops._run import KERNELS


@dataclass(frozen=True)
class CellCase:
    name: str  # as in elman.ops.CELLS
    projected: bool = False

    def __str__(self) -> str:
        return self.name + "-projected" * self.projected

    @property
    def cell(self):
        return SPECIFICATIONS[self.name]

    @property
    def states(self) -> int:
        return self.cell.states


CLASSICAL = [CellCase("rnn_tanh"), CellCase("rnn_relu"), CellCase("lstm"), CellCase("lstm", True), CellCase("gru")]
FAMILY = [CellCase(name) for name in SPECIFICATIONS]
NATIVE = [case for case in FAMILY if case.name in KERNELS]  # what the kernels cover
SIZES = [1, 7, 8, 9, 15, 16, 17, 33]  # around the widths of the vectors


@dataclass
class Arguments:
    data: torch.Tensor
    batch_sizes: torch.Tensor
    state_0: tuple[torch.Tensor, ...]
    weights: Weights

    def leaves(self) -> list[torch.Tensor]:
        return [self.data, *self.state_0, *(w for w in self.weights if w is not None)]

    def double(self) -> "Arguments":
        """The same numbers in float64, for an oracle."""

        def convert(tensor):
            return None if tensor is None else tensor.detach().double().requires_grad_()

        weights = Weights(*map(convert, self.weights))
        return Arguments(convert(self.data), self.batch_sizes, tuple(map(convert, self.state_0)), weights)

    def positional(self) -> tuple:
        return (self.data, self.batch_sizes, self.state_0, self.weights)

    def replaced(self, leaves) -> "Arguments":
        """The same call with other leaves."""
        leaves = iter(leaves)
        data, state_0 = next(leaves), tuple(next(leaves) for _ in self.state_0)
        weights = Weights(*(None if w is None else next(leaves) for w in self.weights))
        return Arguments(data, self.batch_sizes, state_0, weights)


def run(module, case, args, **options) -> tuple:
    """output and the final states by a module that has the function `recurrent`."""
    output, state_n = module.recurrent(case.name, *args.positional(), **options)
    return output, *state_n


def arguments(case, lengths, input_size=3, hidden_size=4, bias=True, dtype=torch.float64, seed=0) -> Arguments:
    generator = torch.Generator().manual_seed(seed)

    def random(*size, scale=1.0):
        return torch.randn(*size, generator=generator, dtype=dtype).mul_(scale).requires_grad_()

    lengths = torch.tensor(sorted(lengths, reverse=True), dtype=torch.int64)
    cell, size = case.cell, hidden_size
    stacked = cell.gates * size
    projection = size // 2 if case.projected else size
    contraction = size**-0.5  # keeps the recurrence from chaos, where rounding errors grow with every step
    widths = (projection, size)[: cell.states]
    weights = Weights(
        random(stacked, input_size),
        random(stacked, projection, scale=contraction) if cell.product else None,
        random(stacked) if bias else None,
        random(stacked) if bias and cell.product else None,
        random(projection, size, scale=contraction) if case.projected else None,
        _vectors(case, random(cell.vectors, size)) if cell.vectors else None,
        random(2, stacked) if cell.normalised else None,
        random(2, size) if cell.normalised and cell.states == 2 else None,
    )
    return Arguments(
        random(int(lengths.sum()), input_size),
        ragged.batch_sizes_of(lengths),
        tuple(random(len(lengths), width) for width in widths),
        weights,
    )


def _vectors(case, values):
    """A leak lies in (0, 1); an IndRNN with weights above 1 explodes."""
    if case.name.startswith(("leaky", "indrnn")):
        values = values.detach().sigmoid().requires_grad_()
    return values


def random_like(tensors, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(t.shape, generator=generator, dtype=t.dtype) for t in tensors]
