"""Layers inside others, each in whatever module stands around it: activation checkpointing's, torch.compile's, any."""

import inspect
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
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
    expected = "a layer of elman.nn" if len(kinds) > 1 else f"a layer of elman.nn, {kinds[0].__name__},"
    name = f"{type(module).__module__.split('.modules')[0]}.{type(module).__qualname__}"
    if isinstance(module, torch.nn.RNNBase):
        raise UsageError(f"expected {expected}, got {name}: accelerate it first")
    raise UsageError(f"expected {expected} or one module around it, got {name} around {len(parts) or 'none'}")


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


def _outermost(module: Module, kinds: tuple[type[M], ...]) -> Iterator[M]:
    if isinstance(module, kinds):
        yield module
    elif not isinstance(module, Holder):  # whose call is another
        for child in module.children():
            yield from _outermost(child, kinds)
