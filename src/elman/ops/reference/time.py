"""A cell over a ragged batch in plain loops: forward, and back-propagation through time, full and truncated.

Letters (docs/notation.md): T steps, B rows, H hidden size, N elements. Layout of `data` and `batch_sizes`:
`elman.ops.ragged`. `d` before a name is its gradient.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..options import Options
from ..weights import Weights
from .cell import Cell, Saved, State

# Below, a gradient's direction is rounding: the regulariser passes it by.
SMALLEST_FLOW = 1e-20


class Gradients(NamedTuple):
    """What back-propagation through time returns; shapes are those of the forward arguments."""

    dx: Tensor  # [N, I]
    dstate_0: State
    dweights: Weights


class Trace(NamedTuple):
    """The gradient on its way: of every element's state, by all ways together."""

    dstate: State  # [N, H] each; of h, and of c on the ways that do not pass this step's own h
    omega: float  # value of the regulariser, before its weight


def _walk(batch_sizes: Tensor, reverse: bool) -> list[slice]:
    """The elements of `data` that each step takes, in the order of processing."""
    ends = batch_sizes.cumsum(0).tolist()
    slices = [slice(end - size, end) for end, size in zip(ends, batch_sizes.tolist(), strict=True)]
    return slices[::-1] if reverse else slices


def _size(elements: slice) -> int:
    return int(elements.stop - elements.start)


def _zoned(new: State, old: State, zoneout: tuple[Tensor, ...] | None, elements: slice) -> State:
    if zoneout is None:
        return new
    kept = (z[elements] for z in zoneout)
    return tuple(torch.where(z == 1, o, n + z * (o - n)) for n, o, z in zip(new, old, kept, strict=True))


def run(
    cell: Cell,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    reverse: bool = False,
    options: Options | None = None,
) -> tuple[Tensor, State, list[Saved]]:
    """Output [N, H], final state, and what each step saved. A row's state rests outside its own steps."""
    options = options or Options()
    state, saved = state_0, []
    walk = _walk(batch_sizes, reverse)
    outputs = []
    for elements in walk:
        n = _size(elements)
        old = tuple(s[:n] for s in state)
        new, kept = cell.step(data[elements], old, weights, None if options.mask is None else options.mask[:n])
        new = _zoned(new, old, options.zoneout, elements)
        state = tuple(torch.cat([new_s, s[n:]]) for new_s, s in zip(new, state, strict=True))
        outputs.append(new[0])
        saved.append(kept)
    if not walk:  # a step of no rows: what comes of it has a gradient, if of nothing
        outputs.append(cell.step(data[:0], tuple(s[:0] for s in state_0), weights, None)[0][0])
    output = torch.cat(outputs[::-1] if reverse else outputs)
    return output, state, saved


@torch.no_grad()
def back_propagate(
    cell: Cell,
    doutput: Tensor,
    dstate_n: State,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    reverse: bool = False,
    options: Options | None = None,
) -> tuple[Gradients, Trace]:
    """Back-propagation through time (Werbos 1990), full or truncated.

    Full: one sweep from the last step to the first; the gradient that arrives at a state joins the one from its own
    output. Truncated: for the output of step t alone, the sweep visits the weights' use at steps t, t-1, ..., t-k
    (k = bptt_truncate) and stops; the sweeps of all outputs are added up. The loss on a row's final state starts at
    the row's last step. With k >= T - 1 both are equal.

    The regulariser (Pascanu, Mikolov & Bengio 2013, eq. 9-10): Omega is the mean of (|J' d| / |d| - 1)^2 over the
    elements that have a step before, d being the gradient of the state (of h and c together), J' d what of it arrives
    one step before; elements with |d| or |J' d| below `SMALLEST_FLOW` do not count. Only its immediate derivative to
    weight_hh is taken, with states and d held constant.
    """
    options = options or Options()
    truncate, zoneout = options.bptt_truncate, options.zoneout
    _, _, saved = run(cell, data, batch_sizes, state_0, weights, reverse, options)
    walk = _walk(batch_sizes, reverse)
    sizes = [_size(elements) for elements in walk]
    dx = torch.zeros_like(data)
    dstate_0 = tuple(torch.zeros_like(s) for s in state_0)
    dweights = Weights(*(None if w is None else torch.zeros_like(w) for w in weights))  # type: ignore[arg-type]
    trace = tuple(doutput.new_zeros(len(data), s.shape[1]) for s in state_0)
    flow = _Flow(weights)

    def starting_at(p: int) -> State:
        """Gradient that enters at processed step p: from its output, and from final states of rows that end there."""
        n = sizes[p]
        first_final = min(n, sizes[p + 1] if p + 1 < len(sizes) else 0)
        dstate = tuple(torch.zeros_like(s[:n]) for s in state_0)
        dstate[0].add_(doutput[walk[p]])
        for d, final in zip(dstate, dstate_n, strict=True):
            d[first_final:].add_(final[first_final:n])
        return dstate

    def through(p: int, dstate: State, weights: Weights) -> tuple[Tensor, State, Weights]:
        """The derivative of processed step p for the first rows."""
        n = dstate[0].shape[0]
        kept = () if zoneout is None else tuple(z[walk[p]][:n] for z in zoneout)
        dnew = tuple(d * (1 - z) for d, z in zip(dstate, kept, strict=True)) if kept else dstate
        mask = None if options.mask is None else options.mask[:n]
        dx_p, dprevious, dweights_p = cell.step_backward(dnew, tuple(s[:n] for s in saved[p]), weights, mask)
        if kept:
            dprevious = tuple(d + z * old for d, z, old in zip(dprevious, kept, dstate, strict=True))
        return dx_p, dprevious, dweights_p

    def step_back(p: int, dstate: State) -> State:
        """Through processed step p for the first rows; returns the gradient of rows that had a step p - 1."""
        n = dstate[0].shape[0]
        for whole, d in zip(trace, dstate, strict=True):
            whole[walk[p]][:n].add_(d)
        dx_p, dprevious, dweights_p = through(p, dstate, weights)
        dx[walk[p]][:n].add_(dx_p)
        _add(dweights, dweights_p)
        n_previous = min(n, sizes[p - 1] if p > 0 else 0)
        if options.flow and n_previous:
            flow.add(dstate, lambda w: through(p, dstate, w)[1], n_previous)
        if options.clip:
            dprevious = (dprevious[0].clamp(-options.clip, options.clip), *dprevious[1:])
        for total, d in zip(dstate_0, dprevious, strict=True):
            total[n_previous:n].add_(d[n_previous:])
        return tuple(d[:n_previous] for d in dprevious)

    if truncate is None:
        carried: State = tuple(s[:0] for s in state_0)
        for p in reversed(range(len(walk))):
            dstate = starting_at(p)
            for d, c in zip(dstate, carried, strict=True):
                d[: c.shape[0]].add_(c)
            carried = step_back(p, dstate)
    else:
        for t in range(len(walk)):
            dstate = starting_at(t)
            for p in reversed(range(max(0, t - truncate), t + 1)):
                dstate = step_back(p, dstate)

    never_stepped = max(sizes, default=0)
    for total, final in zip(dstate_0, dstate_n, strict=True):
        total[never_stepped:].add_(final[never_stepped:])
    if options.flow and dweights.weight_hh is not None:
        dweights.weight_hh.add_(flow.dweight_hh(), alpha=options.flow)
    return Gradients(dx, dstate_0, dweights), Trace(trace, flow.value())


def _add(total: Weights, part: Weights) -> None:
    for whole, piece in zip(total, part, strict=True):
        if whole is not None and piece is not None:
            whole.add_(piece)


class _Flow:
    """Omega and its immediate derivative, summed step by step."""

    def __init__(self, weights: Weights) -> None:
        self._weights, self._total, self._count = weights, 0.0, 0
        self._dweight_hh: Tensor | float = 0.0

    def add(self, dstate: State, previous: Callable[[Weights], State], rows: int) -> None:
        """One step: gradient of its state, and of the state before as a function of the weights; of the first rows."""
        with torch.enable_grad():
            weight_hh = None if self._weights.weight_hh is None else self._weights.weight_hh.detach().requires_grad_()
            after = torch.linalg.vector_norm(torch.cat(previous(self._weights._replace(weight_hh=weight_hh)), 1), dim=1)
            before = torch.linalg.vector_norm(torch.cat(dstate, 1), dim=1)
            counted = (after[:rows] > SMALLEST_FLOW) & (before[:rows] > SMALLEST_FLOW)
            terms = (after[:rows][counted] / before[:rows][counted] - 1) ** 2
            if weight_hh is not None:
                self._dweight_hh = self._dweight_hh + torch.autograd.grad(terms.sum(), weight_hh)[0]
        self._total += float(terms.sum())
        self._count += len(terms)

    def value(self) -> float:
        return self._total / max(1, self._count)

    def dweight_hh(self) -> Tensor:
        assert self._weights.weight_hh is not None
        return torch.zeros_like(self._weights.weight_hh) + self._dweight_hh / max(1, self._count)
