"""Truncated back-propagation through time on the kernels, by the per-output rule of `elman.ops.reference.time`.

All outputs take their j-th step back together: the elements of all steps become the rows of one step, whose derivative
is one call of the kernels with one matrix product. k + 1 such calls replace T * k small ones.
"""

import torch
from torch import Tensor

from . import ragged
from ._run import KERNELS, Run, WeightGradients
from .gemm import matmul
from .options import Options
from .weights import Weights


def backward(
    cell: str,
    needs: tuple[bool, bool],
    doutput: Tensor | None,
    dstate_n: tuple[Tensor | None, ...],
    data: Tensor,
    batch_sizes: Tensor,
    state_0: tuple[Tensor, ...],
    weights: Weights,
    reserve: tuple[Tensor, Tensor | None, Tensor | None],
    reverse: bool,
    options: Options,
    inside: tuple[Tensor | None, ...],
    record: bool,
) -> tuple[Tensor | None, ...]:
    """Arguments and results as of `elman.ops.kernels.backward`, c with the states and the reserve as one.

    Args:
        reserve: output, gates, inner.
        inside: vectors, mask, zoneout of h and of c.
    """
    assert options.bptt_truncate is not None
    output, gates, inner = reserve
    whole = Run(cell, data, batch_sizes, state_0[0], reverse)
    rows = whole.rows
    later = ragged.later_elements(batch_sizes, reverse)
    last = later < 0
    earlier = ragged.later_elements(batch_sizes, not reverse)
    first = earlier < 0

    # The one step: each element is a row, and its state before is what its row had then.
    elements = torch.tensor([whole.elements], device="cpu")
    before = tuple(
        torch.where(first[:, None], start[rows], kept[earlier])
        for start, kept in zip(state_0, (output, None if inner is None else inner[:, : whole.hidden]), strict=False)
        if kept is not None
    )
    vectors, mask, *zoneout = inside
    step_inside = (vectors, None if mask is None else mask[rows], *zoneout)
    run = Run(cell, data, elements[: len(batch_sizes)], before[0], False)
    panels = run.packed("pack_backward", weights.weight_hh)
    piece = run.whole()

    dstates = tuple(torch.zeros_like(state) for state in before)
    if doutput is not None:
        dstates[0].copy_(doutput)
    dstate_0 = tuple(torch.zeros_like(start) for start in state_0)
    never = int(batch_sizes[0]) if len(batch_sizes) else 0
    for d, d_0, final in zip(dstates, dstate_0, dstate_n, strict=True):
        if final is not None:
            d[last] += final[rows[last]]
            d_0[never:] = final[never:]

    total = data.new_zeros(run.elements, run.stacked)
    total_inner = data.new_zeros(run.elements, run.apart) if run.apart else None
    dvectors = None if vectors is None else vectors.new_zeros(run.elements, *vectors.shape)
    dh_whole = torch.zeros_like(dstates[0]) if record else None
    dgates, dinner = torch.empty_like(total), None if total_inner is None else torch.empty_like(total_inner)
    c_0 = before[1] if len(before) > 1 else None
    for _ in range(min(options.bptt_truncate + 1, len(batch_sizes))):
        if dh_whole is not None:
            dh_whole += dstates[0]
        state = (before[0], c_0, output, gates, inner, None, dgates, dinner, *dstates, *(None,) * (2 - len(dstates)))
        watched = (dvectors, None, None, None)
        run.call("backward", piece, panels, *state, *step_inside, *watched, last=options.clip)
        total += dgates
        if total_inner is not None and dinner is not None:
            total_inner += dinner
        for d, d_0 in zip(dstates, dstate_0, strict=True):
            d_0.index_add_(0, rows[first], d[first])
        dstates = tuple(torch.where(last[:, None], 0.0, d[later]) for d in dstates)

    of_data, of_weights = needs
    norms = data.new_zeros(run.elements, 3) if record else None
    if norms is not None and dh_whole is not None:  # how dL/dc arrives by h differs from cell to cell and is not summed
        norms[:, 0], norms[:, 2] = dh_whole.norm(dim=1), total.norm(dim=1)
    dweights: tuple[Tensor | None, ...] = (None,) * 4
    ddata = matmul(total, weights.weight_ih) if of_data else None
    if of_weights:
        gradients = WeightGradients(run, weights)
        entering = before[0] if mask is None else before[0] * mask[rows]
        reset = gates[:, : run.hidden] if gates is not None and KERNELS[cell].resets else None
        gradients.add(total, total_inner, data, [(slice(None), entering)], reset)
        dweights = gradients.finished()
    dvectors = None if dvectors is None or not of_weights else dvectors.sum(0)
    c_gradient = dstate_0[1] if len(dstate_0) > 1 else None
    return ddata, dstate_0[0], c_gradient, *dweights, dvectors, norms, None
