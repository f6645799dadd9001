"""Layers inside others, each in whatever module stands around it: activation checkpointing's, torch.compile's, any."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import Module

from ..errors import UsageError

M = TypeVar("M", bound=Module)
CALL = ("input", "hx", "lengths")  # of a recurrent layer


class Holder(Module):
    """Checks each module where it is set as a part of this one, by `_admit`."""

    def _admit(self, name: str, module: Module) -> Module:
        """The module to be set under this name. Raises UsageError."""
        return module

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, self._admit(name, value) if isinstance(value, Module) else value)

    def add_module(self, name: str, module: Module | None) -> None:
        super().add_module(name, module if module is None else self._admit(name, module))


class HolderList(Holder, torch.nn.ModuleList):
    """A ModuleList that checks its modules."""

    def insert(self, index: int, module: Module) -> None:
        super().insert(index, self._admit(str(index), module))


def inside(module: Module, *kinds: type[M]) -> M:
    """The one module of these kinds that this is, or is around.

    Raises:
        UsageError: there is none, or more than one.
    """
    if isinstance(module, kinds):
        return module
    parts = list(_outermost(module, kinds))
    if len(parts) == 1:
        return parts[0]
    first = kinds[0].__name__
    expected = "a layer of elman.nn" if first == "Recurrent" else f"elman.nn.{first}"
    name = f"{type(module).__module__.split('.modules')[0]}.{type(module).__qualname__}"
    if isinstance(module, torch.nn.RNNBase) and name.startswith("torch."):
        raise UsageError(f"expected {expected}, got {name}: accelerate it first")
    raise UsageError(f"expected {expected} or a module around one, got {name} around {len(parts) or 'none'}")


def admitted(module: Module, arguments: tuple[str, ...], *kinds: type[Module]) -> Module:
    """The module, if it is of one of these kinds, or stands around one and takes the arguments of its call.

    Raises:
        UsageError: it does not.
    """
    if isinstance(module, kinds):
        return module
    inside(module, *kinds)
    signature = inspect.signature(module.forward)
    try:
        signature.bind(*arguments)
    except TypeError:
        raise UsageError(
            f"a module around this layer takes ({', '.join(arguments)}) and passes them on, but the forward of "
            f"{type(module).__name__} takes {signature}"
        ) from None
    if isinstance(module, torch.nn.DataParallel) and len(module.device_ids) > 1:
        raise UsageError("DataParallel cuts the first dimension, which is time inside a model: put it around the model")
    return module


def run(layer: Module, kinds: tuple[type[Module], ...], *arguments: Any) -> tuple[Tensor, Any]:
    """Output and final state of a layer of these kinds, or of what stands around it.

    Reentrant checkpointing gives no gradient to tensors inside a tuple. Here one that arrives is an error.
    """
    output, final = layer(*arguments)
    if not isinstance(layer, kinds) and output.requires_grad:
        final = state_of(final, lambda state: state if state.requires_grad else _NoGradient.apply(state, output))
    return output, final


def state_of(state: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A state of a layer, or of the layers of a stack, with every tensor changed."""
    if isinstance(state, Tensor):
        return change(state)
    return type(state)(state_of(part, change) for part in state)


class _NoGradient(torch.autograd.Function):
    """A state as it is, which the gradient must not reach."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, output: Tensor) -> Tensor:
        return state.view_as(state)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Any:
        raise UsageError(
            "what stands around a recurrent layer gives its final state no gradient; of torch's checkpointing, take "
            "use_reentrant=False"
        )


def _outermost(module: Module, kinds: tuple[type[M], ...]) -> Iterator[M]:
    if isinstance(module, kinds):
        yield module
    elif not isinstance(module, Holder):  # whose call is another
        for child in module.children():
            yield from _outermost(child, kinds)
