"""The reference with its own backward pass: where the gradient is not the derivative of the output, and for records."""

from typing import Any

import torch
from torch import Tensor

from ..errors import UsageError
from . import reference
from .options import NO_SECOND_DERIVATIVE, Options
from .recording import Record, call_of, current_sink
from .reference.cell import State
from .reference.time import back_propagate, run
from .weights import Weights


def recurrent(
    cell: str,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    *,
    reverse: bool = False,
    options: Options | None = None,
) -> tuple[Tensor, State]:
    """As `elman.ops.reference.recurrent`, with all options; the gradient is `reference.recurrent_backward`'s."""
    call = (cell, reverse, options or Options(), batch_sizes, len(state_0))
    output, *state_n = _ByHand.apply(call, data, *state_0, *weights)
    return output, tuple(state_n)


class _ByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, call: Any, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        cell, reverse, options, batch_sizes, states = call
        data, state_0, weights = tensors[0], tensors[1 : 1 + states], Weights(*tensors[1 + states :])  # type: ignore[arg-type]
        assert data is not None
        output, state_n, _ = run(reference.CELLS[cell], data, batch_sizes, state_0, weights, reverse, options)  # type: ignore[arg-type]
        ctx.call = call
        ctx.save_for_backward(*tensors, output)
        ctx.own_call = call_of(output)
        return output, *state_n

    @staticmethod
    def backward(ctx: Any, doutput: Tensor, *dstate_n: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise UsageError(NO_SECOND_DERIVATIVE)
        cell, reverse, options, batch_sizes, states = ctx.call
        *tensors, output = ctx.saved_tensors
        data, state_0, weights = tensors[0], tuple(tensors[1 : 1 + states]), Weights(*tensors[1 + states :])
        specification = reference.CELLS[cell]
        found, trace = back_propagate(
            specification, doutput, dstate_n, data, batch_sizes, state_0, weights, reverse, options
        )
        sink = current_sink()
        if sink is not None:
            none = output.new_empty(0)
            dh_norm = trace.dstate[0].double().norm(dim=1)
            flow = (dh_norm, none, none, trace.omega)
            sink(Record(ctx.own_call, cell, reverse, weights, batch_sizes, state_0, output, none, *flow))
        return None, found.dx, *found.dstate_0, *found.dweights
