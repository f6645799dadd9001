"""The cells in native code: `recurrent` by two torch operators over the kernels.

`elman::recurrent` and `elman::recurrent_backward` run any cell over a whole ragged batch. They are known to autograd,
`torch.compile` and `torch.export`. Second derivatives go through `elman.ops.reference`, and so do whole calls under
`torch.func`'s transforms (see `elman.ops.backend`); under autocast the operands are cast to float32.

`covers` says what runs here: float32 and float64 on the CPU, without projection.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from ..errors import ShapeError, UsageError
from . import kernels, reference
from ._addresses import DTYPES
from ._library import library
from ._run import KERNELS
from .kernels import Result
from .options import NO_SECOND_DERIVATIVE, Options
from .recording import Record, call_of, current_sink
from .watched import is_traced, is_transformed
from .weights import Weights

_INPUTS = (
    "Tensor data, Tensor batch_sizes, Tensor h_0, Tensor? c_0, Tensor weight_ih, Tensor? weight_hh, Tensor? bias_ih, "
    "Tensor? bias_hh, Tensor? vectors, Tensor? norm_gates, Tensor? norm_cell, Tensor? mask, Tensor? zoneout_h, "
    "Tensor? zoneout_c"
)
_FLAGS = "bool reverse, bool keep, int truncate, float clip, float flow"
library.define(
    f"recurrent(str cell, {_INPUTS}, {_FLAGS}) -> (Tensor output, Tensor h_n, Tensor c_n, Tensor gates, Tensor inner)",
    tags=(torch.Tag.pt2_compliant_tag,),
)
library.define(
    f"recurrent_backward(str cell, bool[] needs, Tensor? doutput, Tensor? dh_n, Tensor? dc_n, {_INPUTS}, "
    "Tensor output, Tensor gates, Tensor inner, bool reverse, bool record, int truncate, float clip, float flow) "
    "-> (Tensor ddata, Tensor dh_0, Tensor dc_0, Tensor dweight_ih, Tensor dweight_hh, Tensor dbias_ih, "
    "Tensor dbias_hh, Tensor dvectors, Tensor dnorm_gates, Tensor dnorm_cell, Tensor norms, Tensor omega)",
    tags=(torch.Tag.pt2_compliant_tag,),
)


def covers(data: Tensor, weights: Weights, cell: str) -> bool:
    """Whether the kernels compute this: float32 or float64 (autocast casts to it) on the CPU, no projection."""
    return (
        cell in KERNELS
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
        or is_transformed()
        or is_traced()
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
    options = options or Options()
    if options.zoneout is not None and not KERNELS[cell].reserve:
        # The same network as a leaky cell without leak, which keeps what zoneout hides from the output.
        cell = cell.replace("rnn", "leaky")
        weights = weights._replace(vectors=weights.weight_ih.new_ones(1, state_0[0].shape[1]))
    h_0, c_0 = state_0[0], state_0[1] if len(state_0) > 1 else None
    result: tuple[Tensor, ...]
    if is_direct(data):
        result = kernels.forward(cell, data, batch_sizes, h_0, c_0, weights, reverse, keep=False, options=options)
    else:
        # A trace is compared with a second one, made without gradients; what it does not keep is computed again.
        keep = torch.is_grad_enabled() and not is_traced()
        result = torch.ops.elman.recurrent.default(
            cell, data, batch_sizes, h_0, c_0, *_tensors(weights, options), reverse, keep, *_numbers(options)
        )
    return result[0], result[1 : 1 + len(state_0)]


def _tensors(weights: Weights, options: Options) -> tuple[Tensor | None, ...]:
    """What the operators take of both: matrices, biases, vectors, gains, mask, zoneout of h and of c."""
    zoneout: tuple[Tensor | None, ...] = options.zoneout or ()
    return *weights[:4], *weights[5:8], options.mask, *zoneout, *(None,) * (2 - len(zoneout))


def _numbers(options: Options) -> tuple[int, float, float]:
    """bptt_truncate (-1 for none), clip, flow."""
    return -1 if options.bptt_truncate is None else options.bptt_truncate, options.clip, options.flow


def _from_operator(tensors: Sequence[Any], numbers: Sequence[Any]) -> tuple[Weights, Options]:
    """Back from `_tensors` and `_numbers`."""
    w_ih, w_hh, b_ih, b_hh, vectors, norm_gates, norm_cell, mask, zoneout_h, zoneout_c = tensors
    truncate, clip, flow = numbers
    zoneout = None if zoneout_h is None else (zoneout_h,) if zoneout_c is None else (zoneout_h, zoneout_c)
    weights = Weights(w_ih, w_hh, b_ih, b_hh, vectors=vectors, norm_gates=norm_gates, norm_cell=norm_cell)
    return weights, Options(None if truncate < 0 else truncate, mask, zoneout, clip, flow)


# --- the operators ----------------------------------------------------------------------------------------------------

_SIZE = 10  # tensors of `_tensors`


def _forward(cell, data, batch_sizes, h_0, c_0, *others):  # type: ignore[no-untyped-def]
    tensors, (reverse, keep, *numbers) = others[:_SIZE], others[_SIZE:]
    weights, options = _from_operator(tensors, numbers)
    return kernels.forward(cell, data, batch_sizes, h_0, c_0, weights, reverse, keep, options)


def _backward(cell, needs, doutput, dh_n, dc_n, data, batch_sizes, h_0, c_0, *others):  # type: ignore[no-untyped-def]
    tensors, (output, gates, inner, reverse, record, *numbers) = others[:_SIZE], others[_SIZE:]
    weights, options = _from_operator(tensors, numbers)
    result = Result(output, h_0, h_0, gates, inner)
    upstream = (doutput, dh_n, dc_n)
    return kernels.backward(
        cell, tuple(needs), *upstream, data, batch_sizes, h_0, c_0, weights, result, reverse, options, record
    )


library.impl("recurrent", _forward, "CPU")
library.impl("recurrent_backward", _backward, "CPU")


@torch.library.register_fake("elman::recurrent", lib=library)
def _forward_fake(cell, data, batch_sizes, h_0, c_0, *others):  # type: ignore[no-untyped-def]
    keep = others[_SIZE + 1] and KERNELS[cell].reserve
    sizes = (data.shape[0], h_0.shape[1])
    return Result(
        data.new_empty(sizes),
        h_0.new_empty(h_0.shape),
        h_0.new_empty(0 if c_0 is None else c_0.shape),
        data.new_empty((sizes[0], others[0].shape[0]) if keep else 0),
        data.new_empty((sizes[0], kernels.inner_width(cell, sizes[1])) if keep and KERNELS[cell].inner else 0),
    )


@torch.library.register_fake("elman::recurrent_backward", lib=library)
def _backward_fake(cell, needs, doutput, dh_n, dc_n, data, batch_sizes, h_0, c_0, *others):  # type: ignore[no-untyped-def]
    tensors, (_, _, _, _, record, *numbers) = others[:_SIZE], others[_SIZE:]
    of_input, of_weights = needs
    sizes = [0 if tensor is None or not of_weights else tensor.shape for tensor in tensors[:7]]
    return kernels.Gradients(
        data.new_empty(data.shape if of_input else 0),
        h_0.new_empty(h_0.shape),
        h_0.new_empty(0 if c_0 is None else c_0.shape),
        *map(data.new_empty, (*sizes, (data.shape[0], 3) if record else 0, () if numbers[2] else 0)),
    )


# --- autograd ---------------------------------------------------------------------------------------------------------


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.cell, *tensors = inputs[: 5 + _SIZE]
    ctx.reverse, ctx.kept, *ctx.numbers = inputs[5 + _SIZE :]
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(output[3], output[4])
    saved = (*tensors, output[0], output[3], output[4])
    ctx.save_for_backward(*saved)
    ctx.call = call_of(output[0])
    ctx.forms = _forms(saved) if type(output[0]) is Tensor else None  # a compiler's tensors come back as they are


def _gradients(ctx: Any, doutput: Tensor | None, dh_n: Tensor | None, dc_n: Tensor | None, *_: None) -> tuple[Any, ...]:
    *inputs, output, gates, inner = ctx.saved_tensors
    if ctx.forms is not None:
        _check_saved((*inputs, output, gates, inner), ctx.forms)
    needs = ctx.needs_input_grad[1 : 5 + _SIZE]
    dc_n = None if inputs[3] is None else dc_n
    flags = (None,) * 5
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return None, *_differentiable(ctx, (doutput, dh_n, dc_n), inputs, needs), *flags
    if KERNELS[ctx.cell].reserve and not ctx.kept:
        _, _, _, gates, inner = torch.ops.elman.recurrent.default(ctx.cell, *inputs, ctx.reverse, True, *ctx.numbers)
    sink = current_sink() if type(output) is Tensor else None  # a compiler's have no numbers
    ddata, *others, norms, omega = torch.ops.elman.recurrent_backward.default(
        ctx.cell, (needs[0], any(needs[4:11])), doutput, dh_n, dc_n, *inputs, output, gates, inner, ctx.reverse,
        sink is not None, *ctx.numbers,
    )  # fmt: skip
    if sink is not None:
        sink(_record(ctx, inputs, output, gates, norms, omega))
    found = (ddata, None, *others, None, None, None)
    return None, *(d if need else None for d, need in zip(found, needs, strict=True)), *flags


def _forms(tensors: Sequence[Tensor | None]) -> list[Any]:
    return [None if tensor is None else (tuple(tensor.shape), tensor.dtype, tensor.device) for tensor in tensors]


def _check_saved(saved: Sequence[Tensor | None], forms: list[Any]) -> None:
    """Raises ShapeError where hooks hand back another size, type or device; the kernels see addresses only."""
    for form, expected in zip(_forms(saved), forms, strict=True):
        if form != expected:
            raise ShapeError(
                f"Expected what was saved for the backward pass to come back as it was, {_described(expected)}; "
                f"got {_described(form)}"
            )


def _described(form: Any) -> str:
    return "none" if form is None else "size {}, {} on {}".format(*form)


def _record(ctx: Any, inputs: list[Any], output: Tensor, gates: Tensor, norms: Tensor, omega: Tensor) -> Record:
    _, batch_sizes, h_0, c_0, *others = inputs
    weights, _ = _from_operator(others, ctx.numbers)
    state_0 = (h_0,) if c_0 is None else (h_0, c_0)
    of_dh, of_dc, of_gates = norms.double().unbind(1)
    truncate, _, _ = ctx.numbers
    of_dc = of_dc if c_0 is not None and truncate < 0 else of_dc[:0]
    value = float(omega) if omega.numel() else 0.0
    norms_of = (of_dh, of_dc, of_gates)
    return Record(ctx.call, ctx.cell, ctx.reverse, weights, batch_sizes, state_0, output, gates, *norms_of, value)


def _differentiable(
    ctx: Any, outer: tuple[Tensor | None, ...], inputs: list[Any], needs: tuple[bool, ...]
) -> list[Tensor | None]:
    """Gradients that can be differentiated again, by the reference."""
    # Views of this call alone: an input that depends on another one is not to be differentiated through.
    inputs = [t.view_as(t) if need else t for t, need in zip(inputs, needs, strict=True)]
    data, batch_sizes, h_0, c_0, *others = inputs
    weights, options = _from_operator(others, ctx.numbers)
    if options.by_hand:
        raise UsageError(NO_SECOND_DERIVATIVE)
    states = (h_0,) if c_0 is None else (h_0, c_0)
    output, state_n = reference.recurrent(
        ctx.cell, data, batch_sizes, states, weights, reverse=ctx.reverse, options=options
    )
    wanted = [tensor for tensor, need in zip(inputs, needs, strict=True) if need]
    known = [(result, d) for result, d in zip((output, *state_n), outer, strict=False) if d is not None]
    found = iter(
        torch.autograd.grad([r for r, _ in known], wanted, [d for _, d in known], create_graph=True, allow_unused=True)
    )
    return [next(found) if need else None for need in needs]


torch.library.register_autograd("elman::recurrent", _gradients, setup_context=_setup_context, lib=library)
torch.library.register_autocast("elman::recurrent", "cpu", torch.float32, lib=library)
