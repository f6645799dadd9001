"""What was recorded of one layer in one direction over one backward pass, and how it is laid out by lag."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..ops import Options, Weights, ragged


@dataclass(frozen=True)
class Trace:
    """A sample of the rows of one `ops.Record`, rows without a step left out; n elements, b rows, S states.

    Attributes:
        name: the layer's place in the model, such as "recurrent.l0" or "recurrent.l0_reverse".
        skip: elements of a text from one step of the layer to the next; above 1 for dilated layers, whose rows are
            then parts of texts.
        cell: a name in `ops.CELLS`.
        batch_sizes: [T] int64, of the sample; longest row first.
        state_0: [b, H] each, the initial state.
        data: [n, I] input.
        output: [n, H], h after each step.
        gates: [n, G*H] after their nonlinearity; empty where the layer ran on a path that keeps none.
        dh_norm: [n] float64, the norm of dL/dh_t, by all ways together.
        dc_norm: [n] float64, the norm of dL/dc_t of the LSTM kinds, by all ways together; empty where there is
            none, or where the gradient is truncated.
        dgates_norm: [n] float64, the norm of dL/da_t, a being the pre-activations, of a normalised cell W_hh h; empty
            where it was not kept.
        omega: value of the information-flow regulariser, before its weight; 0 if it was off.
    """

    name: str
    skip: int
    cell: str
    reverse: bool
    weights: Weights
    options: Options
    batch_sizes: Tensor
    state_0: tuple[Tensor, ...]
    data: Tensor
    output: Tensor
    gates: Tensor
    dh_norm: Tensor
    dc_norm: Tensor
    dgates_norm: Tensor
    omega: float

    @property
    def kind(self) -> str:
        """`cell`, but rnn_tanh or rnn_relu for leaky units without leak, as which those run with zoneout."""
        leak = self.weights.vectors
        plain = self.cell.startswith("leaky") and leak is not None and bool(leak.eq(1).all())
        return self.cell.replace("leaky", "rnn") if plain else self.cell

    @property
    def rows(self) -> int:
        return len(self.state_0[0])

    @property
    def lengths(self) -> Tensor:
        """[b] steps of each row."""
        return ragged.lengths_of(self.batch_sizes, self.rows)

    def turned(self) -> "Trace":
        """Of a layer that was given its texts from their end: the same with the texts as they are written."""
        places = ragged.from_end(self.batch_sizes)

        def turn(values: Tensor) -> Tensor:
            return values[places] if len(values) else values

        zoneout = self.options.zoneout
        return replace(
            self,
            reverse=not self.reverse,
            options=self.options if zoneout is None else self.options._replace(zoneout=tuple(map(turn, zoneout))),
            data=turn(self.data),
            output=turn(self.output),
            gates=turn(self.gates),
            dh_norm=turn(self.dh_norm),
            dc_norm=turn(self.dc_norm),
            dgates_norm=turn(self.dgates_norm),
        )

    def before(self) -> Tensor:
        """[n, H], h before each step."""
        index, padding = ragged.padded_index(self.batch_sizes, self.rows, reverse=not self.reverse)
        has_earlier = ~torch.cat([padding[1:], padding.new_ones(1, self.rows)])
        result = torch.empty_like(self.output)
        result[index[has_earlier]] = self.output[index[1:][has_earlier[:-1]]]
        first = ~padding & ~has_earlier
        result[index[first]] = self.state_0[0][first.nonzero()[:, 1]]
        return result


def by_lag(values: Tensor, trace: Trace) -> Tensor:
    """[T, b] with NaN where a row has no such step; lag 0 is the last step a row was read to, in the layer's direction.

    Args:
        values: [n], one number per element.
    """
    return _padded(values, trace, not trace.reverse)


def by_position(values: Tensor, trace: Trace) -> Tensor:
    """[T, b] with NaN where a row has no such step; position 0 is the first element of the text in either direction."""
    return _padded(values, trace, False)


def side_by_side(parts: list[Tensor]) -> Tensor:
    """[T, b] of several traces as one, as tall as the tallest."""
    height = max(len(part) for part in parts)
    return torch.cat([torch.cat([p, p.new_full((height - len(p), p.shape[1]), torch.nan)]) for p in parts], 1)


def _padded(values: Tensor, trace: Trace, from_end: bool) -> Tensor:
    index, padding = ragged.padded_index(trace.batch_sizes, trace.rows, from_end)
    return values.double()[index].masked_fill(padding, torch.nan)
