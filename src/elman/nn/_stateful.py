"""Streams: sequences too long for one call, read chunk after chunk with the state carried over."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from torch import Tensor

from ..errors import ShapeError, UsageError
from ..ops import ragged
from ._base import Recurrent
from ._draws import repeated_draws
from ._layout import RaggedLayout
from ._recurrence import Recurrence
from ._stack import Stack
from ._wrapper import CALL, Holder, admitted, inside, run

_CARRIED = ("fresh", "read", "past", "past_starts")  # beside the state itself, state_0, state_1, ..


class Stateful(Holder):
    """Reads B streams chunk by chunk, each chunk from the state that the one before left.

    Over chunks of k1 steps this is truncated back-propagation through time, k1 = k2: the state that is carried over is
    detached, so the loss of a chunk reaches the steps of the chunk and no further. With `overlap` it is the (k1, k2)
    form, BPTT(k2; k1) of Williams & Peng (1990): each call reads k1 new steps, runs the k2 - k1 before them again with
    the weights of now, and returns the outputs of the new ones, whose loss reaches back through all k2.

        stream = Stateful(LSTM(3, 8), overlap=30)
        for chunk in text.split(10):              # k1 = 10, k2 = 40
            output, _ = stream(chunk)
            loss(output).backward()

    What is carried is in `state_dict`: a checkpoint goes on in mid-stream, to the bit. It is no buffer, as each copy of
    a model reads its own streams: DistributedDataParallel does not broadcast it, AveragedModel does not average it.

    A call moves on, so it cannot be repeated in a backward pass. Activation checkpointing belongs around the layer,
    `stream.layer = checkpoint_wrapper(stream.layer)`, which has the state as an argument.

    Args:
        layer: a layer of `elman.nn` in one direction, or a `Stack` of them, or a module around one that passes
            (input, hx, lengths) on. It is called once a chunk, with an overlap twice; lengths are a `RaggedLayout`.
        overlap: k2 - k1, earlier steps that each call runs again for their gradient. They are kept as the layer's
            input, so what is computed below the layer (an embedding) has its gradient from the new steps alone. What a
            layer draws (dropout, zoneout) it draws anew for them.
    Raises:
        UsageError: a layer that is bidirectional or torch.nn's; a negative overlap; a call within a backward pass.
    """

    fresh: Tensor | None
    read: Tensor | None  # [B] steps since the document's first, of layers with a clock
    past: Tensor | None
    past_starts: Tensor | None

    def __init__(self, layer: torch.nn.Module, overlap: int = 0) -> None:
        super().__init__()
        if overlap < 0:
            raise UsageError(f"overlap must be at least 0, got {overlap}")
        self.layer, self.overlap = layer, overlap
        self._forget()

    def _admit(self, name: str, module: torch.nn.Module) -> torch.nn.Module:
        if name != "layer":
            return module
        layer = admitted(module, CALL, *_LAYERS)
        if inside(layer, *_LAYERS).bidirectional:
            raise UsageError("a bidirectional layer reads a sequence from its end, so it cannot read a stream")
        return layer

    @property
    def _reader(self) -> Any:
        """The layer itself, whatever stands around it."""
        return inside(self.layer, *_LAYERS)

    @property
    def batch_first(self) -> bool:
        """Of the layer."""
        return bool(self._reader.batch_first)

    def extra_repr(self) -> str:
        return f"overlap={self.overlap}" if self.overlap else ""

    def reset(self, rows: Tensor | Sequence[int] | None = None) -> None:
        """Begin anew at the next chunk.

        Args:
            rows: the streams that do, as indices or as a mask [B]; None for all of them, whose number may then change.
        Raises:
            ShapeError: a row that there is not.
        """
        if rows is None:
            self._forget()
        elif self.fresh is not None:
            fresh = self.fresh.clone()  # a state_dict taken before stays as it was
            try:
                if isinstance(rows, Tensor) or len(rows):
                    fresh[torch.as_tensor(rows)] = True
            except IndexError:
                raise ShapeError(f"Expected rows of {len(fresh)} streams, got {rows}") from None
            self.fresh = fresh

    def forward(self, chunk: Tensor, starts: Tensor | None = None) -> tuple[Tensor, Any]:
        """
        Args:
            chunk: [T, B, I], [B, T, I] if the layer is batch_first: the next T steps of every stream.
            starts: bool, where a document begins, that is, before which steps the state is the layer's initial one:
                [B] at the chunk's first step, or [T, B] (batch_first: [B, T]) at any.
        Returns:
            output [.., H] in the chunk's form; the state after the chunk as the layer returns it, not detached.
        Raises:
            ShapeError: another number of streams than before, or sizes that do not fit.
        """
        _check_is_first()
        if not isinstance(chunk, Tensor):
            raise ShapeError(f"Expected a chunk as a tensor, some steps of every stream, got {type(chunk).__name__}")
        x = chunk.transpose(0, 1) if self.batch_first and chunk.dim() > 1 else chunk
        begins = self._checked(x, starts)
        steps, state = x.shape[0], self._state()
        if self.past is not None and self.past_starts is not None:
            x, begins = torch.cat([self.past, x]), torch.cat([self.past_starts.cpu(), begins])
        again = max(0, x.shape[0] - self.overlap)  # where the steps begin that the next call runs again
        at_again, read = state, self.read  # the state there
        if 0 < again < x.shape[0]:  # one pass through all steps gives the outputs: masks and truncation are of a call
            with torch.no_grad(), self._same_draws_after(x):
                at_again = self._run(x[:again], begins[:again], state, read)[1]
        output, final = self._run(x, begins, state, read)
        if again == x.shape[0]:
            at_again = final
        if again and self._reader.counts_steps:
            read = _read_after(begins[:again], read)
        self._keep(at_again, read, x[again:], begins[again:])
        output = output[-steps:]
        return output.transpose(0, 1) if self.batch_first else output, final

    def _checked(self, x: Tensor, starts: Tensor | None) -> Tensor:
        """Where the state is the initial one: [T, B] bool on the CPU, what was reset since the last chunk included."""
        if x.dim() < 3 or not x.shape[0] or not x.shape[1]:
            wanted = "[B, T, I]" if self.batch_first else "[T, B, I]"
            raise ShapeError(f"Expected a chunk {wanted} of at least one step and stream, got {tuple(x.shape)}")
        if self.past is not None and x.shape[2:] != self.past.shape[2:]:
            raise ShapeError(f"Expected steps of size {tuple(self.past.shape[2:])} as before, got {tuple(x.shape[2:])}")
        steps, batch = x.shape[:2]
        if self.fresh is not None and len(self.fresh) != batch:
            raise ShapeError(f"Expected a chunk of {len(self.fresh)} streams as before, got {batch}; see reset()")
        begins = torch.zeros(steps, batch, dtype=torch.bool, device="cpu")
        begins[0] = True if self.fresh is None else self.fresh.cpu()
        if starts is None:
            return begins
        given = torch.as_tensor(starts, device="cpu").bool()
        if given.dim() == 1 and len(given) == batch:
            begins[0] |= given
            return begins
        wanted_size = (batch, steps) if self.batch_first else (steps, batch)
        if given.shape != wanted_size:
            raise ShapeError(f"Expected starts of size ({batch},) or {wanted_size}, got {tuple(given.shape)}")
        return begins | (given.T if self.batch_first else given)

    def _run(self, x: Tensor, begins: Tensor, state: Any, read: Tensor | None) -> tuple[Tensor, Any]:
        """Output [T, B, H] and state of consecutive steps; the documents in them are rows of one ragged batch."""
        cut = _Documents(begins)
        given = starts = None
        if not cut.fresh.all():
            given = _made_of(iter([part[:, cut.stream] for part in _parts(state)]), state)
            starts = cut.fresh if cut.fresh.any() else None
        clock = 0 if read is None else read.cpu()[cut.stream].masked_fill(cut.fresh, 0)
        layout = RaggedLayout(cut.batch_sizes, len(cut.fresh), starts, clock)
        output, final = run(self.layer, _LAYERS, x.flatten(0, 1)[cut.elements], given, layout)
        final = _made_of((part[:, cut.last] for part in _parts(final)), final)
        return output[cut.places].unflatten(0, x.shape[:2]), final

    def _same_draws_after(self, x: Tensor) -> AbstractContextManager[None]:
        """What the layer draws inside it draws again afterwards; one that does not train draws nothing."""
        return repeated_draws(x) if any(module.training for module in self.layer.modules()) else nullcontext()

    # --- what is carried ------------------------------------------------------------------------------------------

    @property
    def _carried(self) -> dict[str, Tensor]:
        """The tensors that are carried, by their names in `state_dict`."""
        names = [name for name in vars(self) if _is_state(name)]
        tensors = {name: vars(self)[name] for name in (*_CARRIED, *names)}
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}

    def _state(self) -> Any:
        """As the layer takes it, None before the first chunk."""
        names = sorted(filter(_is_state, vars(self)), key=lambda name: int(name[6:]))
        if not names:
            return None
        parts = [vars(self)[name] for name in names]
        if not torch.is_inference_mode_enabled():  # what was left there cannot enter a graph
            parts = [part.clone() if part.is_inference() else part for part in parts]
        return _made_of(iter(parts), self._reader._state_form)

    def _keep(self, state: Any, read: Tensor | None, past: Tensor, past_starts: Tensor) -> None:
        for index, part in enumerate(() if state is None else _parts(state)):
            setattr(self, f"state_{index}", part.detach())
        self.fresh = torch.zeros(past_starts.shape[1], dtype=torch.bool, device=past.device)
        self.read = read
        if self.overlap:
            self.past, self.past_starts = past.detach().clone(), past_starts
        else:  # a checkpoint of a layer with an overlap brings some
            self.past = self.past_starts = None

    def _forget(self) -> None:
        for name in list(filter(_is_state, vars(self))):
            delattr(self, name)
        self.fresh = self.read = self.past = self.past_starts = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)
        for name, tensor in self._carried.items():
            setattr(self, name, fn(tensor))
        return self

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name in list(filter(_is_carried, self._buffers)):  # where earlier versions had them
            vars(self)[name] = self._buffers.pop(name)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        destination.update({prefix + name: tensor for name, tensor in self._carried.items()})

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, metadata: Any, strict: bool, missing: list[str], *rest: Any
    ) -> None:
        """Which tensors there are, and of what size, depends on the stream read so far."""
        self._forget()
        device = next((parameter.device for parameter in self.layer.parameters()), None)
        own = {name for name in state_dict if name.startswith(prefix) and _is_carried(name.removeprefix(prefix))}
        for name in own:
            tensor = state_dict[name].detach()
            setattr(self, name.removeprefix(prefix), tensor.clone() if device is None else tensor.to(device, copy=True))
        others = {name: value for name, value in state_dict.items() if name not in own}
        super()._load_from_state_dict(others, prefix, metadata, strict, missing, *rest)


_LAYERS = (Recurrent, Stack, Recurrence)


def _is_state(name: str) -> bool:
    return name.startswith("state_") and name[6:].isdecimal()


def _is_carried(name: str) -> bool:
    return name in _CARRIED or _is_state(name)


def _check_is_first() -> None:
    """Raises UsageError within a backward pass, where a call can only be activation checkpointing's second one."""
    if not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1:
        raise UsageError(
            "a stream cannot be read again in the backward pass, its state has moved on: put activation checkpointing "
            "around the layer inside Stateful, not around Stateful or what contains it"
        )


def _read_after(begins: Tensor, read: Tensor | None) -> Tensor:
    """[B] steps since the first of each stream's document, behind a chunk before which it was `read`."""
    steps = len(begins)
    last = torch.where(begins, torch.arange(steps, device=begins.device)[:, None], -1).amax(0)
    return torch.where(last < 0, steps if read is None else steps + read.cpu(), steps - last)


class _Documents:
    """The documents, and parts of documents, that a chunk consists of, as the rows of a ragged batch.

    Attributes:
        stream, fresh: of each row, which stream it is a part of, and whether it starts from the initial state.
        batch_sizes: of the rows.
        elements: the chunk's elements [T * B] in the order of the ragged layout, and `places` the way back.
        last: for each stream the row that it ends with.
    """

    stream: Tensor | slice
    elements: Tensor | slice
    places: Tensor | slice
    last: Tensor | slice

    def __init__(self, begins: Tensor) -> None:
        steps, batch = begins.shape
        if not begins[1:].any():  # every stream is one row: nothing moves
            self.stream = self.elements = self.places = self.last = slice(None)
            self.fresh, self.batch_sizes = begins[0], torch.full((steps,), batch, device="cpu")
            return
        cuts = begins.clone()
        cuts[0] = True
        at = cuts.T.flatten().nonzero()[:, 0]  # stream after stream
        lengths = torch.diff(at, append=at.new_tensor([batch * steps]))
        order, place = ragged.sort_by_length(lengths)
        self.stream, first = at[order] // steps, at[order] % steps
        self.fresh = begins[first, self.stream]
        self.batch_sizes = ragged.batch_sizes_of(lengths)
        row, step = ragged.rows_and_steps(self.batch_sizes)
        self.elements = (first[row] + step) * batch + self.stream[row]
        self.places = torch.argsort(self.elements)
        self.last = place[cuts.sum(0).cumsum(0) - 1]


def _parts(state: Any) -> list[Tensor]:
    """The tensors [L, B, H] of a state: one, a tuple of them, or such of each layer of a stack."""
    return [state] if isinstance(state, Tensor) else [part for inner in state for part in _parts(inner)]


def _made_of(parts: Iterator[Any], form: Any) -> Any:
    """A state of these parts in the form of another."""
    if isinstance(form, tuple | list):
        return type(form)(_made_of(parts, inner) for inner in form)
    return next(parts)
