"""`record`: watch the gradient of a model's recurrent layers through time."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from .. import ops
from ..errors import NoRecurrentLayerError, UsageError
from ..nn._base import Recurrent
from ..ops import Weights, ragged
from ._trace import Trace

ROWS = 16


class Flow:
    """What `record` saw: one `Trace` per layer, direction and backward pass.

    Attributes:
        traces: by name of layer and direction, in the order of the model.
    """

    def __init__(self, model: torch.nn.Module, rows: int) -> None:
        self._rows = rows
        self._layers = _layers(model)
        self._found: dict[str, list[Trace]] = {}

    @property
    def traces(self) -> dict[str, list[Trace]]:
        """Raises UsageError if nothing was recorded."""
        names = [name for name, _ in self._layers.values()]
        if not self._found:
            raise UsageError(
                f"nothing was recorded of {', '.join(names)}: run a forward pass and loss.backward() inside the with "
                f"block. SCRN, and layers whose weight_ih is computed from other parameters, are not recorded"
            )
        return {name: self._found[name] for name in names if name in self._found}

    def _take(self, record: ops.Record) -> None:
        """Keeps a sample of the record's rows; the rest of the work waits until it is asked for."""
        found = self._layers.get(record.weights.weight_ih.data_ptr())
        if found is not None and len(record.output):
            name, skip = found
            self._found.setdefault(name, []).append(_sample(record, name, skip, self._rows))


@contextmanager
def record(model: torch.nn.Module, rows: int = ROWS) -> Iterator[Flow]:
    """Record what flows back through the recurrent layers of a model.

        with elman.diagnostics.record(model) as flow:
            loss = criterion(model(x), y)
            loss.backward()
        print(elman.diagnostics.diagnose(flow))

    In training and in evaluation mode; forward and backward pass may also have begun before the block, only the
    backward pass must run inside it.

    Args:
        model: any model with layers of `elman.nn`; `elman.accelerate` exchanges those of torch.nn.
        rows: texts kept of each batch, evenly spaced by length.
    Raises:
        NoRecurrentLayerError: the model has no such layer.
        UsageError: rows below 1.
    """
    if rows < 1:
        raise UsageError(f"rows must be at least 1, got {rows}")
    flow = Flow(model, rows)
    with ops.recording(flow._take):
        yield flow


def _layers(model: torch.nn.Module) -> dict[int, tuple[str, int]]:
    """By the address of its input weights the name and the skip of each layer in each direction."""
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, Recurrent)]
    if not layers:
        theirs = [name or "the model" for name, module in model.named_modules() if isinstance(module, torch.nn.RNNBase)]
        advice = f"; it has torch.nn's ({', '.join(theirs)}), which elman.accelerate(model) exchanges" if theirs else ""
        raise NoRecurrentLayerError(
            f"expected a model with a recurrent layer of elman.nn, got {type(model).__name__} without one{advice}"
        )
    found = {}
    for name, module in layers:
        for layer in range(module.num_layers):
            for suffix in module._suffixes(layer):
                address = getattr(module, "weight_ih" + suffix).data_ptr()
                found[address] = (f"{name}.{suffix[1:]}" if name else suffix[1:], module._share(layer))
    return found


def _sample(record: ops.Record, name: str, skip: int, rows: int) -> Trace:
    stepping = int(record.batch_sizes[0])  # rows that have a step
    chosen = torch.arange(stepping)
    if stepping > rows:
        chosen = torch.linspace(0, stepping - 1, rows).round().long()
    batch_sizes = ragged.batch_sizes_of(ragged.lengths_of(record.batch_sizes, stepping)[chosen])
    starts = record.batch_sizes.cumsum(0) - record.batch_sizes
    row, step = ragged.rows_and_steps(batch_sizes)
    elements = starts[step] + chosen[row]

    def kept(values: Tensor) -> Tensor:
        if not len(values):
            return values
        return values.detach().index_select(0, elements) if stepping > rows else values.detach().clone()

    options = record.options
    if options.zoneout is not None:
        options = options._replace(zoneout=tuple(map(kept, options.zoneout)))
    if options.mask is not None:
        options = options._replace(mask=options.mask.detach()[chosen])
    return Trace(
        name,
        skip,
        record.cell,
        record.reverse,
        Weights(*(None if w is None else w.detach().clone() for w in record.weights)),  # type: ignore[arg-type]
        options,
        batch_sizes,
        tuple(state.detach()[chosen] for state in record.state_0),
        kept(record.data),
        kept(record.output),
        kept(record.gates),
        kept(record.dh_norm),
        kept(record.dc_norm),
        kept(record.dgates_norm),
        float(record.omega),
    )
