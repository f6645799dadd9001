"""Start values of the recurrence, each by its name in `INITS` or as a function of a layer."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .. import ops
from ..errors import UsageError
from ..settings import known
from ._draws import current_generator

if TYPE_CHECKING:
    from ._base import Recurrent


def identity(layer: "Recurrent", scale: float = 1.0, input_std: float = 1e-3) -> None:
    """W_hh = scale * I, biases 0, W_ih ~ N(0, input_std): with relu the IRNN (Le, Jaitly & Hinton 2015).

    Raises:
        UsageError: a cell with gates or without a recurrent matrix.
    """
    check(layer, "identity")
    with torch.no_grad():
        for weight in layer.parameters_named("weight_hh"):
            torch.nn.init.eye_(weight).mul_(scale)
        for weight in layer.parameters_named("weight_ih"):
            torch.nn.init.normal_(weight, std=input_std, generator=current_generator())
        for bias in (*layer.parameters_named("bias_ih"), *layer.parameters_named("bias_hh")):
            torch.nn.init.zeros_(bias)


def orthogonal(layer: "Recurrent", gain: float = 1.0) -> None:
    """W_hh of each gate orthogonal, times gain (Saxe, McClelland & Ganguli 2014, section 3).

    Raises:
        UsageError: a cell without a recurrent matrix.
    """
    check(layer, "orthogonal")
    for weight in layer.parameters_named("weight_hh"):
        for gate in weight.detach().split(weight.shape[0] // ops.CELLS[layer.cell].gates):
            torch.nn.init.orthogonal_(gate, gain, generator=current_generator())


def forget_bias(layer: "Recurrent", value: float = 1.0) -> None:
    """The bias of the gate that keeps the state is `value`, both biases together (Gers, Schmidhuber & Cummins 2000;
    Jozefowicz, Zaremba & Sutskever 2015). A cell that has a gate for writing alone gets -value there.

    Raises:
        UsageError: a cell without such a gate, or a layer without biases.
    """
    check(layer, "forget_bias")
    letters = layer.keep_gates or layer.write_gates
    for biases in _biases(layer):
        _set_gates(layer, biases, letters, value if layer.keep_gates else -value)


def chrono(layer: "Recurrent", longest: int) -> None:
    """Biases for time constants spread over 1 to `longest` steps (Tallec & Ollivier 2018, section 3).

    log u, u ~ U(1, longest - 1), at the gate that keeps the state and -log u at the one that writes; for learned leaks
    the share that is written is 1 / (1 + u).

    Raises:
        UsageError: longest below 3; a cell without such gates, or a layer without biases.
    """
    check(layer, "chrono")
    if longest < 3:
        raise UsageError(f"chrono needs a memory of at least 3 steps, got {longest}")
    leaks = layer.parameters_named("leak_logit")
    with torch.no_grad():
        for leak in leaks:
            leak.copy_(-_log_steps(leak, longest))
    for biases in () if leaks else _biases(layer):
        log_steps = _log_steps(biases[0][: layer.hidden_size], longest)
        _set_gates(layer, biases, layer.keep_gates, log_steps)
        _set_gates(layer, biases, layer.write_gates, -log_steps)


def recurrent_range(layer: "Recurrent", steps: int, gain: float = 2.0) -> None:
    """IndRNN's recurrent weights so that over `steps` steps a state grows to at most `gain` times itself.

    U(0, gain^(1/steps)); in the top layer, whose newest state is read, from gain^(-1/steps) on, so that it has not
    died away (Li et al. 2018, section 3.2, and the authors' code).

    Raises:
        UsageError: steps below 1, or another cell.
    """
    check(layer, "recurrent_range")
    if steps < 1:
        raise UsageError(f"recurrent_range needs a memory of at least 1 step, got {steps}")
    high = gain ** (1 / steps)
    for index, weight in enumerate(layer.parameters_named("recurrent")):
        is_top = layer.is_top and index >= (layer.num_layers - 1) * len(layer._directions)
        torch.nn.init.uniform_(weight.detach(), 1 / high if is_top else 0.0, high, generator=current_generator())


def _has_one_matrix(layer: "Recurrent") -> bool:
    return ops.CELLS[layer.cell].product and ops.CELLS[layer.cell].gates == 1


def _has_gate(layer: "Recurrent") -> bool:
    return bool(layer.keep_gates or layer.write_gates) and layer.bias


def _has_time_constant(layer: "Recurrent") -> bool:
    return _has_gate(layer) or bool(layer.parameters_named("leak_logit"))


def _own_forget_bias(layer: "Recurrent") -> None:
    forget_bias(layer, 1.0 if layer.forget_bias is None else layer.forget_bias)


class Start(NamedTuple):
    """Start values, and what they are for, as a test and in words."""

    apply: Callable[["Recurrent"], None]
    fits: Callable[["Recurrent"], bool]
    wanted: str


INITS = {
    "uniform": Start(lambda layer: None, lambda layer: True, "all"),  # torch.nn's
    "identity": Start(identity, _has_one_matrix, "cells with one recurrent matrix and no gates"),
    "orthogonal": Start(orthogonal, lambda layer: ops.CELLS[layer.cell].product, "cells with a recurrent matrix"),
    "forget_bias": Start(
        _own_forget_bias, _has_gate, "cells with a gate that keeps or writes the state, and with biases"
    ),
    "chrono": Start(
        lambda layer: chrono(layer, layer.memory), _has_time_constant, "cells with gates and biases, and learned leaks"
    ),
    "recurrent_range": Start(
        lambda layer: recurrent_range(layer, layer.memory),
        lambda layer: bool(layer.parameters_named("recurrent")),
        "the cell indrnn",
    ),
}


def check(layer: "Recurrent", name: str) -> None:
    """Raises UsageError unless these start values exist and are for this layer."""
    if not INITS[known("init", name, INITS)].fits(layer):
        raise UsageError(f"init {name} is for {INITS[name].wanted}, got {layer}")


def start(layer: "Recurrent") -> None:
    """Applies the layer's `forget_bias` and `init`."""
    check(layer, layer.init)
    if layer.forget_bias is not None:
        forget_bias(layer, layer.forget_bias)
    INITS[layer.init].apply(layer)


def _biases(layer: "Recurrent") -> list[tuple[Tensor, ...]]:
    """For each layer and direction its one or two biases."""
    both = (layer.parameters_named("bias_ih"), layer.parameters_named("bias_hh"))
    return list(zip(*(biases for biases in both if biases), strict=True))


@torch.no_grad()
def _set_gates(layer: "Recurrent", biases: tuple[Tensor, ...], letters: str, value: Tensor | float) -> None:
    for letter in letters:
        place = layer.gates.index(letter) * layer.hidden_size
        for number, bias in enumerate(biases):
            bias[place : place + layer.hidden_size] = 0.0 if number else value


def _log_steps(like: Tensor, longest: int) -> Tensor:
    return torch.empty_like(like).uniform_(1, longest - 1, generator=current_generator()).log_()
