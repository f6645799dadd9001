"""What every test of a cell needs: its functions, and random arguments that would betray a swap.

States differ from each other and from zero, gates have distinct random weights, lengths are ragged with zeros.
"""

from dataclasses import dataclass

import torch

from elman.ops import Weights, ragged


@dataclass(frozen=True)
class CellCase:
    name: str  # as in elman.ops
    gates: int
    states: int
    options: tuple[tuple[str, object], ...] = ()
    projected: bool = False

    def __str__(self) -> str:
        return "-".join([self.name, *(str(v) for _, v in self.options), *(["projected"] if self.projected else [])])


CELLS = [
    CellCase("rnn", 1, 1, (("nonlinearity", "tanh"),)),
    CellCase("rnn", 1, 1, (("nonlinearity", "relu"),)),
    CellCase("lstm", 4, 2),
    CellCase("lstm", 4, 2, projected=True),
    CellCase("gru", 3, 1),
]

NATIVE = [case for case in CELLS if not case.projected]  # what the kernels cover
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
        return (self.data, self.batch_sizes, *self.state_0, self.weights)


def arguments(case, lengths, input_size=3, hidden_size=4, bias=True, dtype=torch.float64, seed=0) -> Arguments:
    generator = torch.Generator().manual_seed(seed)

    def random(*size, scale=1.0):
        return torch.randn(*size, generator=generator, dtype=dtype).mul_(scale).requires_grad_()

    lengths = torch.tensor(sorted(lengths, reverse=True), dtype=torch.int64)
    stacked = case.gates * hidden_size
    projection = hidden_size // 2 if case.projected else hidden_size
    contraction = hidden_size**-0.5  # keeps the recurrence from chaos, where rounding errors grow with every step
    widths = (projection, hidden_size)[: case.states]
    weights = Weights(
        random(stacked, input_size),
        random(stacked, projection, scale=contraction),
        random(stacked) if bias else None,
        random(stacked) if bias else None,
        random(projection, hidden_size, scale=contraction) if case.projected else None,
    )
    return Arguments(
        random(int(lengths.sum()), input_size),
        ragged.batch_sizes_of(lengths),
        tuple(random(len(lengths), width) for width in widths),
        weights,
    )


def random_like(tensors, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(t.shape, generator=generator, dtype=t.dtype) for t in tensors]
