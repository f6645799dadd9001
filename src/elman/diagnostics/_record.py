"""`record`: watch the gradient of a model's recurrent layers through time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from .. import ops
from ..errors import NoRecurrentLayerError, NotAModuleError, UsageError
from ..nn import Call, Recurrence, Recurrent, TextRNN, watching
from ..ops import Weights, ragged
from ._trace import Trace

ROWS = 16


class _Call(NamedTuple):
    """What a layer was asked in one direction; its record follows in the backward pass."""

    name: str
    skip: int
    data: Tensor
    options: ops.Options
    output: Tensor  # held, so that nothing else gets its address
    turned: bool  # its network reads texts from their end


class Flow:
    """What `record` saw: one `Trace` per layer, direction and backward pass.

    Attributes:
        traces: by name of layer and direction, in the order of the model.
    """

    def __init__(self, model: torch.nn.Module, rows: int) -> None:
        self._rows = rows
        layers = _layers(model)
        self._names = {module: name for name, module in layers}
        self._turned = {layer for text_rnn in _backward(model) for layer in text_rnn.modules()}
        self._calls: dict[int, _Call] = {}  # by `ops.call_of` their output
        self._found: dict[str, list[Trace]] = {name: [] for name in _names(layers)}

    @property
    def traces(self) -> dict[str, list[Trace]]:
        """Raises UsageError if nothing was recorded."""
        found = {name: traces for name, traces in self._found.items() if traces}
        if not found:
            raise UsageError(
                f"nothing was recorded of {', '.join(self._found)}: run a forward pass and loss.backward() inside the "
                f"with block, uncompiled and without create_graph. The SCRN is not recorded"
            )
        return found

    def _note(self, call: Call) -> None:
        """The records do not hold a layer's input and options; its calls do."""
        name, module = self._names.get(call.module), call.module
        if name is None or not call.output.requires_grad:
            return
        self._calls[ops.call_of(call.output)] = _Call(
            _name(name, call.suffix),
            call.skip,
            call.data.detach(),
            call.options,
            call.output.detach(),
            module in self._turned,
        )

    def _take(self, record: ops.Record) -> None:
        """Keeps a sample of the record's rows; the rest of the work waits until it is asked for."""
        call = self._calls.pop(record.call, None)
        if call is not None and len(record.output):
            trace = _sample(record, call, self._rows)
            self._found[call.name].append(trace.turned() if call.turned else trace)


@contextmanager
def record(model: torch.nn.Module, rows: int = ROWS) -> Iterator[Flow]:
    """Record what flows back through the recurrent layers of a model, in training and in evaluation mode.

        with elman.diagnostics.record(model) as flow:
            loss = criterion(model(x), y)
            loss.backward()
        print(elman.diagnostics.diagnose(flow))

    Forward and backward pass both run inside the block; of several backward passes through one forward pass the first
    is kept.

    Args:
        model: any model with layers of `elman.nn`; `elman.accelerate` exchanges those of torch.nn.
        rows: texts kept of each batch, evenly spaced by length.
    Raises:
        NoRecurrentLayerError: the model has no such layer.
        NotAModuleError: it is no torch module.
        UsageError: rows below 1.
    """
    if not isinstance(model, torch.nn.Module):
        raise NotAModuleError(f"expected a torch.nn.Module, got {type(model).__name__}")
    if not isinstance(rows, int) or rows < 1:
        raise UsageError(f"rows must be at least 1, a whole number, got {rows}")
    flow = Flow(model, rows)
    with ops.recording(flow._take), watching(flow._note):
        try:
            yield flow
        finally:
            flow._calls.clear()


def _backward(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    return (module.recurrent for module in model.modules() if isinstance(module, TextRNN) and module.backward)


def _layers(model: torch.nn.Module) -> list[tuple[str, Recurrent]]:
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, Recurrent)]
    if not layers:
        theirs = [name or "the model" for name, module in model.named_modules() if isinstance(module, torch.nn.RNNBase)]
        advice = f"; it has torch.nn's ({', '.join(theirs)}), which elman.accelerate(model) exchanges" if theirs else ""
        if any(isinstance(module, Recurrence) for module in model.modules()):
            advice += "; Recurrence is not recorded"
        raise NoRecurrentLayerError(
            f"expected a model with a recurrent layer of elman.nn, got {type(model).__name__} without one{advice}"
        )
    return layers


def _names(layers: list[tuple[str, Recurrent]]) -> Iterator[str]:
    for name, module in layers:
        for layer in range(module.num_layers):
            yield from (_name(name, suffix) for suffix in module.suffixes(layer))


def _name(module: str, suffix: str) -> str:
    """ "encoder" and "_l0_reverse" to "encoder.l0_reverse"; the model itself is ""."""
    return f"{module}.{suffix[1:]}" if module else suffix[1:]


def _sample(record: ops.Record, call: _Call, rows: int) -> Trace:
    stepping = int(record.batch_sizes[0])  # rows that have a step
    chosen = torch.arange(stepping)
    if stepping > rows:
        chosen = torch.linspace(0, stepping - 1, rows).round().long()
    batch_sizes = ragged.batch_sizes_of(ragged.lengths_of(record.batch_sizes, stepping)[chosen])
    row, step = ragged.rows_and_steps(batch_sizes)
    elements = ragged.starts_of(record.batch_sizes)[step] + chosen[row]

    def kept(values: Tensor) -> Tensor:
        if not len(values):
            return values
        return values.detach().index_select(0, elements) if stepping > rows else values.detach().clone()

    options = call.options
    if options.zoneout is not None:
        options = options._replace(zoneout=tuple(map(kept, options.zoneout)))
    if options.mask is not None:
        options = options._replace(mask=options.mask.detach()[chosen])
    return Trace(
        call.name,
        call.skip,
        record.cell,
        record.reverse,
        Weights(*(None if w is None else w.detach().clone() for w in record.weights)),  # type: ignore[arg-type]
        options,
        batch_sizes,
        tuple(state.detach()[chosen] for state in record.state_0),
        kept(call.data),
        kept(record.output),
        kept(record.gates),
        kept(record.dh_norm),
        kept(record.dc_norm),
        kept(record.dgates_norm),
        float(record.omega),
    )
