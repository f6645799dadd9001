"""The state-to-state Jacobian product: what is left of a state after so many steps, whatever the loss."""

import torch
from torch import Tensor

from .. import ops
from ..errors import UsageError
from ..ops import Weights
from ._trace import Trace, side_by_side

TEXTS, PROBES = 128, 8


def jacobian_norms(
    traces: list[Trace], *, texts: int = TEXTS, probes: int | None = PROBES, generator: torch.Generator | None = None
) -> Tensor:
    """Logarithm of the root mean square gain of the state over each lag.

    J_k = ds_T / ds_(T-k) with T a text's last step and s the whole state, h or (h, c) of S numbers. The gain is
    |J_k|_F / sqrt(S): 1 at lag 0, 1 for a rotation, |w|^k for J = w I. It is swept back from the last step alone, so
    the long way is not hidden behind the short ways of later losses (Pascanu, Mikolov & Bengio 2013, section 2.1), one
    step at a time in float64, renormalised at each, so that 1e-400 is a number like others.

    Args:
        traces: of one layer and direction.
        texts: how many are swept, the longest ones.
        probes: random vectors v per text, for the mean of |J'v|^2 is |J|_F^2 (Hutchinson 1990; the relative error of
            one text's norm is about 1 / sqrt(2 * probes) at most); None: all S unit vectors, exact.
        generator: of the probes; None for one seeded with 0.
    Returns:
        [T, b'] natural logarithms, NaN beyond a text's first step, -inf where nothing is left.
    Raises:
        UsageError: texts or probes below 1.
    """
    for name, value in (("texts", texts), ("probes", probes)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1, got {value}")
    generator = generator or torch.Generator().manual_seed(0)
    lengths = torch.cat([trace.lengths for trace in traces])
    shortest = lengths.sort(descending=True).values[min(texts, len(lengths)) - 1]
    parts, left = [], texts - int((lengths > shortest).sum())  # for those of the shortest length that is swept
    for trace in traces:
        longer, equal = int((trace.lengths > shortest).sum()), min(left, int((trace.lengths == shortest).sum()))
        left -= equal
        if longer + equal:
            parts.append(_sweep(trace, longer + equal, probes, generator))
    return side_by_side(parts)


def _sweep(trace: Trace, rows: int, probes: int | None, generator: torch.Generator) -> Tensor:
    """Of the first rows, which are the longest: [T, rows]."""
    index, padding = ops.ragged.padded_index(trace.batch_sizes, trace.rows, not trace.reverse)
    alive = [int(n) for n in (~padding[:, :rows]).sum(1)]
    index = index[:, :rows]
    weights = Weights(*(None if w is None else w.double() for w in trace.weights))  # type: ignore[arg-type]

    def step(lag: int, old: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The step at this lag of the rows that have it."""
        elements, options = index[lag, : alive[lag]], trace.options
        mask = None if options.mask is None else options.mask[: alive[lag]].double()
        new, _ = ops.reference.CELLS[trace.cell].step(trace.data[elements].double(), old, weights, mask)
        if options.zoneout is None:
            return new
        kept = (z[elements].double() for z in options.zoneout)
        return tuple(n + z * (o - n) for n, o, z in zip(new, old, kept, strict=True))

    state = tuple(s[:rows].double() for s in trace.state_0)
    widths = [s.shape[1] for s in state]
    before: list[tuple[Tensor, ...]] = []
    with torch.no_grad():
        for lag in reversed(range(len(index))):
            n = alive[lag]
            before.append(tuple(s[:n] for s in state))
            state = tuple(torch.cat([new, s[n:]]) for new, s in zip(step(lag, before[-1]), state, strict=True))
    if probes is None:
        vectors = torch.eye(sum(widths), dtype=torch.float64)[:, None].repeat(1, rows, 1)
    else:
        vectors = torch.randn(probes, rows, sum(widths), dtype=torch.float64, generator=generator)
    vectors /= _norm(vectors)[:, None]
    found = torch.full(index.shape, torch.nan, dtype=torch.float64)
    log_gain = torch.zeros(rows, dtype=torch.float64)
    for lag, n in enumerate(alive):
        found[lag, :n] = log_gain[:n]
        with torch.enable_grad():
            old = tuple(s.requires_grad_() for s in before.pop())
            new = step(lag, old)
        pulled = torch.autograd.grad(
            new,
            old,
            vectors[:, :n].split(widths, dim=2),
            is_grads_batched=True,
            allow_unused=True,
            materialize_grads=True,
        )
        vectors = torch.cat(pulled, dim=2)
        norm = _norm(vectors)
        log_gain = log_gain[:n] + norm.log()
        vectors = vectors / torch.where(norm > 0, norm, 1.0)[:, None]
    return found


def _norm(vectors: Tensor) -> Tensor:
    """[rows] Frobenius norm over probes and states."""
    norm: Tensor = torch.linalg.vector_norm(vectors, dim=(0, 2))
    return norm
