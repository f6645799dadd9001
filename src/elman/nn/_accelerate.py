"""torch.nn's recurrent layers inside any model, exchanged for ours and back.

The layers have torch.nn's attributes and parameters, so an exchange is one of class: the object stays the one that the
model, its optimizer and its hooks know.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import Module
from torch.nn.utils import parametrize

from ..errors import NotAModuleError
from ._base import Recurrent
from ._gru import GRU
from ._lstm import LSTM
from ._rnn import RNN

_Classes = dict[type[Module], type[Module]]
_TO_OURS: _Classes = {torch.nn.RNN: RNN, torch.nn.LSTM: LSTM, torch.nn.GRU: GRU}
_TO_TORCH = {ours: theirs for theirs, ours in _TO_OURS.items()}
_CELLS = (torch.nn.RNNCell, torch.nn.LSTMCell, torch.nn.GRUCell)
_NAMES = {cls.__name__ for cls in (*_TO_OURS, *_CELLS)}
_MARK = "_accelerated"  # in the instance, so that copies and pickles of an accelerated model can be restored too


@dataclass(frozen=True)
class Swap:
    """One recurrent layer of a model, and what became of it.

    Attributes:
        names: its qualified names, more than one if the model shares it; "" is the model itself.
        kind: its class before the call, such as "torch.nn.LSTM".
        sizes: its sizes and options, as torch prints them.
        swapped: whether it has another class now.
        note: which class it has now, or why it stays.
    """

    names: tuple[str, ...]
    kind: str
    sizes: str
    swapped: bool
    note: str


@dataclass(frozen=True)
class SwapReport:
    """What `accelerate` or `restore` did: one row for every recurrent layer. `print` shows a table."""

    rows: tuple[Swap, ...]

    @property
    def swapped(self) -> tuple[Swap, ...]:
        return tuple(row for row in self.rows if row.swapped)

    def __str__(self) -> str:
        table = [("layer", "class", "sizes", "outcome")]
        for row in self.rows:
            names = " = ".join(name or "(model)" for name in row.names)
            table.append((names, row.kind, row.sizes, row.note if row.swapped else f"stays: {row.note}"))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table] if self.rows else []
        return "\n".join([*lines, f"{len(self.swapped)} of {len(self.rows)} recurrent layers swapped"])


def accelerate(model: Module) -> SwapReport:
    """Exchange every `torch.nn.RNN`, `LSTM` and `GRU` of a model, in place, for the class of that name in `elman.nn`.

    Each layer stays the same object with the same Parameters, hooks, mode and attributes, so optimizers, tied weights
    and checkpoints go on as before. What `model.named_modules()` does not reach, such as layers in a plain list, is
    neither exchanged nor reported. Layers on other devices than the CPU stay; so do subclasses and cells.

    Args:
        model: any torch model, or such a layer itself.
    Returns:
        one row for every recurrent layer, exchanged or not.
    Raises:
        NotAModuleError: model is not a torch.nn.Module.
    """
    return _swap(model, _TO_OURS, _why_not_ours)


def restore(model: Module) -> SwapReport:
    """Undo `accelerate`, in place: every layer that it exchanged has torch.nn's class again. Others stay.

    Args, Returns, Raises: as `accelerate`.
    """
    return _swap(model, _TO_TORCH, _why_not_torch)


def _swap(model: Module, classes: _Classes, why_not: Callable[[Module], str]) -> SwapReport:
    _check(model)
    names: dict[Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if _is_recurrent(module):
            names.setdefault(module, []).append(name)
    rows = []
    for layer, known_as in names.items():
        before = parametrize.type_before_parametrizations(layer)
        reason = why_not(layer)
        if not reason:
            _change_class(layer, classes[before])
        note = reason or f"now {_title(classes[before])}"
        rows.append(Swap(tuple(known_as), _title(before), layer.extra_repr(), not reason, note))
    return SwapReport(tuple(rows))


def _check(model: object) -> None:
    if not isinstance(model, Module):
        given = f"the class {model.__qualname__}" if isinstance(model, type) else f"a {type(model).__qualname__}"
        raise NotAModuleError(f"expected a torch.nn.Module, got {given}")


def _is_recurrent(module: Module) -> bool:
    """Also what torch has made of such layers, for the report: scripted and quantized ones are of other classes."""
    if isinstance(module, torch.jit.ScriptModule):
        return module.original_name in _NAMES
    if isinstance(module, torch.nn.RNNBase | torch.nn.RNNCellBase):
        return True
    return type(module).__module__.startswith("torch.") and type(module).__name__ in _NAMES


def _why_not_ours(layer: Module) -> str:
    if isinstance(layer, Recurrent):
        return "already ours"
    return _why_fixed(layer, _TO_OURS) or _why_unlike(layer)


def _why_unlike(layer: Module) -> str:
    """What of this layer our class would misread; "" for nothing."""
    away = {parameter.device.type for parameter in layer.parameters()} - {"cpu", "meta"}
    if away:
        return f"on {min(away)}; our kernels are for the CPU"
    theirs = parametrize.type_before_parametrizations(layer)
    shared = {*dir(theirs), *torch.nn.RNNBase.__annotations__, "nonlinearity"}
    own = {*vars(layer), *layer._parameters, *layer._buffers, *layer._modules}
    taken = own & ({"h_0", "c_0", *dir(_TO_OURS[theirs])} - shared)
    return f"it has an attribute {min(taken)!r}, which means something else in ours" if taken else ""


def _why_not_torch(layer: Module) -> str:
    return _why_fixed(layer, _TO_TORCH) if _MARK in vars(layer) else "not accelerated"


def _why_fixed(layer: Module, classes: _Classes) -> str:
    """What keeps a layer from changing its class; "" for nothing."""
    if parametrize.type_before_parametrizations(layer) in classes:
        # A wrapper put there by hand or by a library calls the old class's forward, whatever the class is now.
        return "its forward was replaced on the instance" if "forward" in vars(layer) else ""
    if isinstance(layer, torch.jit.ScriptModule):
        return "compiled by torch.jit"
    if isinstance(layer, torch.nn.RNNCellBase):
        return "a cell of one step, not a layer"
    if isinstance(layer, torch.nn.RNNBase):
        return "a subclass, which may compute something else"
    return "another class of that name"


def _change_class(layer: Module, cls: type[Module]) -> None:
    if parametrize.is_parametrized(layer):
        # torch made a class for this layer, with the weights as properties. Copies share it, so it is not changed.
        cls = type(f"Parametrized{cls.__name__}", (cls,), dict(vars(type(layer))))
    layer.__class__ = cls
    if isinstance(layer, Recurrent):
        setattr(layer, _MARK, True)
    elif isinstance(layer, torch.nn.RNNBase):
        delattr(layer, _MARK)
        layer.flatten_parameters()  # cuDNN wants the weights in one piece; ours do not keep them so


def _title(cls: type) -> str:
    """The public name: torch.nn.LSTM for torch.nn.modules.rnn.LSTM, elman.nn.LSTM for elman.nn._lstm.LSTM."""
    return re.sub(r"\.(modules\.|_).*", "", cls.__module__) + "." + cls.__qualname__
