"""Streams: sequences too long for one call, read chunk after chunk with the state carried over."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import ShapeError, UsageError
from ..ops import ragged
from ._base import Recurrent
from ._clockwork import clockworks, read_before
from ._draws import repeated_draws


class Stateful(torch.nn.Module):
    """Reads B streams chunk by chunk, each chunk from the state that the one before left.

    Over chunks of k1 steps this is truncated back-propagation through time, k1 = k2: the state that is carried over is
    detached, so the loss of a chunk reaches the steps of the chunk and no further. With `overlap` it is the (k1, k2)
    form, BPTT(k2; k1) of Williams & Peng (1990): each call reads k1 new steps, runs the k2 - k1 before them again with
    the weights of now, and returns the outputs of the new ones, whose loss reaches back through all k2.

        stream = Stateful(LSTM(3, 8), overlap=30)
        for chunk in text.split(10):              # k1 = 10, k2 = 40
            output, _ = stream(chunk)
            loss(output).backward()

    What is carried is kept in buffers and therefore in `state_dict`: a checkpoint goes on in mid-stream, to the bit.

    Args:
        layer: a layer of `elman.nn` in one direction, or a `Stack` of them.
        overlap: k2 - k1, earlier steps that each call runs again for their gradient. They are kept as the layer's
            input, so what is computed below the layer (an embedding) has its gradient from the new steps alone. What a
            layer draws (dropout, zoneout) it draws anew for them.
    Raises:
        UsageError: a layer that is bidirectional or torch.nn's; a negative overlap.
    """

    fresh: Tensor | None
    read: Tensor | None  # [B] steps since the document's first, of layers with a clock
    past: Tensor | None
    past_starts: Tensor | None

    def __init__(self, layer: torch.nn.Module, overlap: int = 0) -> None:
        super().__init__()
        if isinstance(layer, torch.nn.RNNBase) and not isinstance(layer, Recurrent):
            raise UsageError(f"expected a layer of elman.nn, got torch.nn.{type(layer).__name__}: accelerate it first")
        if getattr(layer, "bidirectional", False):
            raise UsageError("a bidirectional layer reads a sequence from its end, so it cannot read a stream")
        if overlap < 0:
            raise UsageError(f"overlap must be at least 0, got {overlap}")
        self.layer, self.overlap, self._clocks = layer, overlap, clockworks(layer)
        self.batch_first = bool(getattr(layer, "batch_first", False))
        self._form: Any = None
        self._forget()

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
        if not isinstance(chunk, Tensor):
            raise ShapeError(f"Expected a chunk as a tensor, some steps of every stream, got {type(chunk).__name__}")
        x = chunk.transpose(0, 1) if self.batch_first and chunk.dim() > 1 else chunk
        begins = self._checked(x, starts)
        steps, state = x.shape[0], self._state(x)
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
        if again and self._clocks:
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
        given = None
        if not cut.fresh.all():
            parts = [part[:, cut.stream] for part in _parts(state)]
            if cut.fresh.any():
                fresh = cut.fresh.to(x.device)[:, None]
                first = _parts(self._first(x))
                parts = [torch.where(fresh, new, old) for new, old in zip(first, parts, strict=True)]
            given = _made_of(iter(parts), state)
        packed = PackedSequence(x.flatten(0, 1)[cut.elements], cut.batch_sizes, None, None)
        with read_before(self._clocks, 0 if read is None else read.cpu()[cut.stream].masked_fill(cut.fresh, 0)):
            output, final = self.layer(packed, given)
        final = _made_of((part[:, cut.last] for part in _parts(final)), final)
        return output.data[cut.places].unflatten(0, x.shape[:2]), final

    def _first(self, x: Tensor) -> Any:
        """The state of one row in which a sequence begins: a sequence of no steps ends in it."""
        with self._same_draws_after(x):
            return self.layer(x[:1, :1], lengths=[0])[1]

    def _same_draws_after(self, x: Tensor) -> AbstractContextManager[None]:
        """What the layer draws inside it draws again afterwards; one that does not train draws nothing."""
        return repeated_draws(x) if any(module.training for module in self.layer.modules()) else nullcontext()

    # --- what is carried ------------------------------------------------------------------------------------------

    def _state(self, x: Tensor) -> Any:
        """As the layer takes it, None before the first chunk."""
        names = sorted((name for name in self._buffers if name.startswith("state_")), key=lambda name: int(name[6:]))
        if not names:
            return None
        parts = [self.get_buffer(name) for name in names]
        if not torch.is_inference_mode_enabled():  # what was left there cannot enter a graph
            parts = [part.clone() if part.is_inference() else part for part in parts]
        return _made_of(iter(parts), self._first(x) if self._form is None else self._form)

    def _keep(self, state: Any, read: Tensor | None, past: Tensor, past_starts: Tensor) -> None:
        parts = () if state is None else _parts(state)
        for index, part in enumerate(parts):
            self.register_buffer(f"state_{index}", part.detach())
        if parts:
            self._form = _made_of((None for _ in parts), state)
        self.fresh = torch.zeros(past_starts.shape[1], dtype=torch.bool, device=past.device)
        self.read = read
        if self.overlap:
            self.past, self.past_starts = past.detach().clone(), past_starts
        else:  # a checkpoint of a layer with an overlap brings some
            self.past = self.past_starts = None

    def _forget(self) -> None:
        for name in [name for name in self._buffers if name.startswith("state_")]:
            del self._buffers[name]
        for name in ("fresh", "read", "past", "past_starts"):
            self.register_buffer(name, None)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Buffers as those that are loaded: which there are, and of what size, depends on the stream read so far."""
        self._forget()
        device = next((parameter.device for parameter in self.layer.parameters()), None)
        for name in state_dict:
            own = name.removeprefix(prefix)
            if name.startswith(prefix) and (own in self._buffers or own.startswith("state_")):
                self.register_buffer(own, torch.empty_like(state_dict[name], device=device))
        super()._load_from_state_dict(state_dict, prefix, *rest)


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
