"""The cases as jobs of torch; `layers` is torch.nn or elman.nn, everything else is the same for both."""

from collections.abc import Callable
from types import ModuleType

import data
import numpy as np
import torch
from cases import Case
from server import Job, Request
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from tutorial_torch import tutorial

CLASSES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}


def job(request: Request, layers: ModuleType, form: str, dtype: torch.dtype = torch.float32) -> Job:
    """
    Args:
        form: how the layer is told of a batch of texts: padded (not at all), lengths (`lengths=`) or packed.
    """
    case = request.case
    torch.set_num_threads(case.threads or request.threads)
    if case.group == "ceiling":
        return product(case, dtype)
    layer = recurrent(layers, case, data.weights(case, request.perturb), dtype)
    if case.group == "tutorial":
        return tutorial(request, layer, dtype)
    return steps(case, layer) if case.group == "step" else sequence(case, layer, form)


def recurrent(layers: ModuleType, case: Case, weights: data.Arrays, dtype: torch.dtype) -> torch.nn.Module:
    """The layer of a case, batch first, with the given weights."""
    layer = getattr(layers, CLASSES[case.cell])(
        case.inputs, case.hidden, batch_first=True, bidirectional=case.bidirectional, dtype=dtype
    )
    layer.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return layer.train(case.training)


def arrays_of(**tensors: Tensor | tuple[Tensor, ...]) -> data.Arrays:
    """Named arrays; a tuple (h_n, c_n) becomes two."""
    flat = {}
    for name, value in tensors.items():
        parts = value if isinstance(value, tuple) else (value,)
        flat |= {name + "_c" * i: part.detach().numpy() for i, part in enumerate(parts)}
    return flat


def sequence(case: Case, layer: torch.nn.Module, form: str) -> Job:
    """A batch of whole sequences, forward or forward and backward from a given gradient of the output.

    Packing is part of the call, as users pack every batch; unpacking is not, as not all users need it.
    """
    dtype = next(layer.parameters()).dtype
    x = torch.from_numpy(data.inputs(case)).to(dtype)
    lengths = torch.from_numpy(data.lengths(case))
    gradient = torch.from_numpy(data.output_gradient(case)).to(dtype)
    if form == "packed":
        gradient = pack(gradient, lengths).data
    forward = {
        "padded": lambda: layer(x),
        "lengths": lambda: layer(x, lengths=lengths),
        "packed": lambda: layer(pack(x, lengths)),
    }[form]

    def infer() -> tuple[Tensor | PackedSequence, Tensor]:
        with torch.inference_mode():
            return forward()

    def train() -> tuple[Tensor | PackedSequence, Tensor]:
        x.grad = None
        for parameter in layer.parameters():
            parameter.grad = None
        output, final = forward()
        (output[0] if form == "packed" else output).backward(gradient)
        return output, final

    def arrays() -> data.Arrays:
        output, final = call()
        if form == "packed":
            output = pad_packed_sequence(output, batch_first=True, total_length=case.steps)[0]
        result = arrays_of(output=output, final=final)
        if case.training:
            result |= arrays_of(dx=x.grad, **{f"d{name}": p.grad for name, p in layer.named_parameters()})
        return result

    x.requires_grad_(case.training)
    call: Callable = train if case.training else infer
    return Job(call, arrays)


def pack(padded: Tensor, lengths: Tensor) -> PackedSequence:
    return pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)


def steps(case: Case, layer: torch.nn.Module) -> Job:
    """The sequence one step a call, the state carried along; by the layer's `step` where it has one."""
    x = torch.from_numpy(data.inputs(case)).to(next(layer.parameters()).dtype)
    by_step = hasattr(layer, "step")
    step = layer.step if by_step else layer
    pieces = [x[:, t] if by_step else x[:, t : t + 1] for t in range(case.steps)]

    def call() -> tuple[list[Tensor], object]:
        state, outputs = None, []
        with torch.inference_mode():
            for piece in pieces:
                output, state = step(piece, state)
                outputs.append(output)
        return outputs, state

    def arrays() -> data.Arrays:
        outputs, final = call()
        states = tuple(s.view(1, case.batch, case.hidden) for s in (final if isinstance(final, tuple) else (final,)))
        return arrays_of(output=torch.stack(outputs, 1).view(case.batch, case.steps, case.hidden), final=states)

    return Job(call, arrays, {"step": "layer.step" if by_step else "layer of T = 1"})


def product(case: Case, dtype: torch.dtype) -> Job:
    """A product of square matrices, the rate no layer can exceed for long."""
    rng = np.random.default_rng(data.SEED)
    drawn = (rng.standard_normal((case.hidden, case.hidden), np.float32) for _ in range(2))
    a, b = (torch.from_numpy(matrix).to(dtype) for matrix in drawn)
    return Job(lambda: torch.mm(a, b), lambda: {"output": torch.mm(a, b).numpy()})
