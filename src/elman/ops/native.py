"""The cells in native code: `recurrent` by two torch operators over the kernels.

`elman::recurrent` and `elman::recurrent_backward` run any cell over a whole ragged batch. They are known to autograd,
`torch.compile` and `torch.export`. Second derivatives go through `elman.ops.reference`, and so do whole calls under
`torch.func`'s transforms (see `elman.ops.backend`); under autocast the operands are cast to float32.

`covers` says what runs here: float32 and float64 on the CPU, without projection.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from . import kernels, reference
from ._run import DTYPES, GATES
from .kernels import Result
from .options import Options
from .recording import current_sink
from .weights import Weights

_library = torch.library.Library("elman", "DEF")
_library.define(
    "recurrent(str cell, Tensor data, Tensor batch_sizes, Tensor h_0, Tensor? c_0, Tensor weight_ih, "
    "Tensor weight_hh, Tensor? bias_ih, Tensor? bias_hh, bool reverse, bool keep) "
    "-> (Tensor output, Tensor h_n, Tensor c_n, Tensor gates, Tensor inner)",
    tags=(torch.Tag.pt2_compliant_tag,),
)
_library.define(
    "recurrent_backward(str cell, bool[] needs, Tensor? doutput, Tensor? dh_n, Tensor? dc_n, Tensor data, "
    "Tensor batch_sizes, Tensor h_0, Tensor? c_0, Tensor weight_ih, Tensor weight_hh, Tensor? bias_ih, "
    "Tensor? bias_hh, Tensor output, Tensor gates, Tensor inner, bool reverse) "
    "-> (Tensor ddata, Tensor dh_0, Tensor dc_0, Tensor dweight_ih, Tensor dweight_hh, Tensor dbias_ih, "
    "Tensor dbias_hh)",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def covers(data: Tensor, weights: Weights, cell: str, options: Options) -> bool:
    """Whether the kernels compute this: float32 or float64 (autocast casts to it) on the CPU, no projection."""
    return (
        cell in GATES
        and options.plain
        and current_sink() is None
        and data.device.type in ("cpu", "meta")
        and weights.weight_hr is None
        and (data.dtype in DTYPES or torch.is_autocast_enabled("cpu"))
    )


def is_direct(x: Tensor) -> bool:
    """Whether a call on x may go around torch's dispatcher: a plain tensor, no gradient, nothing that watches."""
    return not (
        torch.compiler.is_compiling()
        or torch.is_grad_enabled()
        or type(x) is not Tensor
        or x.dtype not in DTYPES
        or not x.is_cpu
        or torch._C._are_functorch_transforms_active()
        or torch.is_autocast_enabled("cpu")
        or is_in_torch_dispatch_mode()
    )


def recurrent(
    cell: str,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: tuple[Tensor, ...],
    weights: Weights,
    *,
    reverse: bool = False,
    options: Options | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """See `elman.ops.reference.recurrent`."""
    h_0, c_0 = state_0[0], state_0[1] if len(state_0) > 1 else None
    if is_direct(data):
        result: tuple[Tensor, ...] = kernels.forward(cell, data, batch_sizes, h_0, c_0, weights, reverse, keep=False)
    else:
        result = torch.ops.elman.recurrent.default(
            cell, data, batch_sizes, h_0, c_0, *weights[:4], reverse, torch.is_grad_enabled()
        )
    return result[0], result[1 : 1 + len(state_0)]


# --- the operators ----------------------------------------------------------------------------------------------------


def _forward(cell, data, batch_sizes, h_0, c_0, weight_ih, weight_hh, bias_ih, bias_hh, reverse, keep):  # type: ignore[no-untyped-def]
    weights = Weights(weight_ih, weight_hh, bias_ih, bias_hh)
    return kernels.forward(cell, data, batch_sizes, h_0, c_0, weights, reverse, keep)


def _backward(  # type: ignore[no-untyped-def]
    cell, needs, doutput, dh_n, dc_n, data, batch_sizes, h_0, c_0,
    weight_ih, weight_hh, bias_ih, bias_hh, output, gates, inner, reverse,
):  # fmt: skip
    weights = Weights(weight_ih, weight_hh, bias_ih, bias_hh)
    result = Result(output, h_0, h_0, gates, inner)
    return kernels.backward(
        cell, tuple(needs), doutput, dh_n, dc_n, data, batch_sizes, h_0, c_0, weights, result, reverse
    )


_library.impl("recurrent", _forward, "CPU")
_library.impl("recurrent_backward", _backward, "CPU")


@torch.library.register_fake("elman::recurrent", lib=_library)
def _forward_fake(cell, data, batch_sizes, h_0, c_0, weight_ih, weight_hh, bias_ih, bias_hh, reverse, keep):  # type: ignore[no-untyped-def]
    keep = keep and kernels.has_reserve(cell)
    return Result(
        data.new_empty(data.shape[0], h_0.shape[1]),
        h_0.new_empty(h_0.shape),
        h_0.new_empty(0 if c_0 is None else c_0.shape),
        data.new_empty((data.shape[0], weight_hh.shape[0]) if keep else 0),
        data.new_empty((data.shape[0], h_0.shape[1]) if keep else 0),
    )


@torch.library.register_fake("elman::recurrent_backward", lib=_library)
def _backward_fake(  # type: ignore[no-untyped-def]
    cell, needs, doutput, dh_n, dc_n, data, batch_sizes, h_0, c_0,
    weight_ih, weight_hh, bias_ih, bias_hh, output, gates, inner, reverse,
):  # fmt: skip
    of_input, of_weights = needs
    bias = of_weights and bias_ih is not None
    return kernels.Gradients(
        data.new_empty(data.shape if of_input else 0),
        h_0.new_empty(h_0.shape),
        h_0.new_empty(0 if c_0 is None else c_0.shape),
        data.new_empty(weight_ih.shape if of_weights else 0),
        data.new_empty(weight_hh.shape if of_weights else 0),
        data.new_empty(bias_ih.shape if bias else 0),
        data.new_empty(bias_hh.shape if bias else 0),
    )


# --- autograd ---------------------------------------------------------------------------------------------------------


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.cell, *tensors, ctx.reverse, ctx.kept = inputs
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[3], output[4])
    ctx.save_for_backward(*tensors, output[0], output[3], output[4])


def _gradients(ctx: Any, doutput: Tensor | None, dh_n: Tensor | None, dc_n: Tensor | None, *_: None) -> tuple[Any, ...]:
    *inputs, output, gates, inner = ctx.saved_tensors
    needs = ctx.needs_input_grad[1:9]
    dc_n = None if inputs[3] is None else dc_n
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return None, *_differentiable(ctx.cell, ctx.reverse, (doutput, dh_n, dc_n), inputs, needs), None, None
    if kernels.has_reserve(ctx.cell) and not ctx.kept:
        _, _, _, gates, inner = torch.ops.elman.recurrent.default(ctx.cell, *inputs, ctx.reverse, True)
    ddata, *others = torch.ops.elman.recurrent_backward.default(
        ctx.cell, (needs[0], any(needs[4:])), doutput, dh_n, dc_n, *inputs, output, gates, inner, ctx.reverse
    )
    found = (ddata, None, *others)
    return None, *(d if need else None for d, need in zip(found, needs, strict=True)), None, None


def _differentiable(
    cell: str, reverse: bool, outer: tuple[Tensor | None, ...], inputs: list[Any], needs: tuple[bool, ...]
) -> list[Tensor | None]:
    """Gradients that can be differentiated again, by the reference."""
    data, batch_sizes, h_0, c_0, *parameters = inputs
    states = (h_0,) if c_0 is None else (h_0, c_0)
    output, state_n = reference.recurrent(cell, data, batch_sizes, states, Weights(*parameters), reverse=reverse)
    results = (output, *state_n)
    wanted = [tensor for tensor, need in zip(inputs, needs, strict=True) if need]
    known = [(result, d) for result, d in zip(results, outer, strict=False) if d is not None]
    found = iter(
        torch.autograd.grad([r for r, _ in known], wanted, [d for _, d in known], create_graph=True, allow_unused=True)
    )
    return [next(found) if need else None for need in needs]


torch.library.register_autograd("elman::recurrent", _gradients, setup_context=_setup_context, lib=_library)
torch.library.register_autocast("elman::recurrent", "cpu", torch.float32, lib=_library)
