"""Any cell over any form of input: the loop over time that a user's own cell gets."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from ..errors import ShapeError, UsageError
from ..ops import ragged
from ._border import Border, Lengths
from ._regularised import check_truncation

Cell = Callable[..., tuple[Tensor, Any]]
State = tuple[Tensor, ...]


class Recurrence(torch.nn.Module):
    """Runs a cell that you write over padded, packed, ragged or single sequences, in one direction or both.

    This is the slow reference path: a loop over time in Python, in which autograd notes every operation of the cell.
    What `elman.nn` has as a layer of its own is many times faster there, and `elman.diagnostics` sees into that alone.

        class Leaky(torch.nn.Module):
            def __init__(self, input_size, hidden_size):
                super().__init__()
                self.inner = torch.nn.Linear(input_size + hidden_size, hidden_size)
                self.rate = torch.nn.Parameter(torch.full((hidden_size,), 0.1))

            def forward(self, x_t, h):
                h = h + self.rate * (torch.tanh(self.inner(torch.cat([x_t, h], 1))) - h)
                return h, h

        layer = Recurrence(Leaky(3, 8), input_size=3, state_size=8)
        output, h_n = layer(x, lengths=[5, 2, 0])

    Layers are stacked by composing: the output of one, with the same lengths, is the input of the next.

    Args:
        cell: module or function, cell(x_t [n, I], state) -> (output [n, O], state). It is called once per step with
            the n <= B rows that have this step; a state is a tensor [n, S] or a tuple of such tensors, and comes back
            in the shape it came in. The parameters of a module become those of this layer; a function's do not.
            torch.nn.RNNCell, GRUCell and LSTMCell are taken as they are.
        input_size: I.
        state_size: S, or one for each tensor of a state of several; may be left out for a cell of torch.nn.
        reverse_cell: a second cell makes the layer bidirectional; it reads each row from its end, and outputs are
            concatenated.
        batch_first: padded tensors are [B, T, ..].
        bptt_truncate: how many steps before its own each output's loss travels back, at least 1; None for all. The
            loss of output t reaches the weights' use at steps t, t-1, ..., t-k (`ops.reference`). As autograd gives no
            hold on single outputs of an arbitrary cell, the last k+1 steps of every output are computed again, all
            outputs side by side as the rows of one batch; so a cell that draws random numbers draws others there.
        learn_state: the state before the first step is a parameter, zero at first, shared by all rows.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        state_size: int | Sequence[int] | None = None,
        *,
        reverse_cell: Cell | None = None,
        batch_first: bool = False,
        bptt_truncate: int | None = None,
        learn_state: bool = False,
    ) -> None:
        super().__init__()
        check_truncation(bptt_truncate)
        self.cell, self.reverse_cell = cell, reverse_cell
        self.input_size, self.state_sizes = input_size, _state_sizes(cell, state_size)
        for each in (cell, reverse_cell):
            _check_cell(each, input_size, self.state_sizes)
        self.batch_first, self.bptt_truncate = batch_first, bptt_truncate
        self.bidirectional = reverse_cell is not None
        self.initial_state = torch.nn.ParameterList(
            torch.zeros(1 + self.bidirectional, size) for size in self.state_sizes if learn_state
        )

    counts_steps = False

    def extra_repr(self) -> str:
        truncated = "" if self.bptt_truncate is None else f", bptt_truncate={self.bptt_truncate}"
        return f"{self.input_size}, state_size={self.state_sizes}, batch_first={self.batch_first}{truncated}"

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | State | None = None, lengths: Lengths = None
    ) -> tuple[Tensor | PackedSequence, Tensor | State]:
        """
        Args:
            input: [T, B, I], [B, T, I] with batch_first, [T, I] unbatched, a PackedSequence, or a jagged nested tensor
                [B, *, I].
            hx: [D, B, S] initial state (unbatched [D, S]), a tuple of them for a state of several tensors; if not
                given, zeros or the learned one.
            lengths: [B] real length of each row of a padded tensor, any order, zeros allowed.
        Returns:
            output in the form of the input, [.., D * O], zero beyond a row's length; the state after each row's last
            processed step, as hx. A row of length zero keeps its initial state.
        Raises:
            ShapeError: sizes that do not fit, or a cell that returns other shapes or another number of states.
            UsageError: a cell that does not return a pair.
        """
        border = Border(input, lengths, self.batch_first, batched_dims=3)
        if border.data.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {border.data.shape[-1]}"
            )
        states = self._initial_states(border, hx)
        output, final = self._direction(self.cell, border.data, border.batch_sizes, tuple(s[0] for s in states))
        finals: State = tuple(s[None] for s in final)
        if self.reverse_cell is not None:
            turn = ragged.from_end(border.batch_sizes).to(border.data.device)
            reverse, final = self._direction(
                self.reverse_cell, border.data[turn], border.batch_sizes, tuple(s[1] for s in states)
            )
            output = torch.cat([output, reverse[turn]], dim=1)
            finals = tuple(torch.stack([f[0], r]) for f, r in zip(finals, final, strict=True))
        finals = tuple(border.unsort(s, 1) for s in finals)
        if border.unbatched:
            finals = tuple(s.squeeze(1) for s in finals)
        return border.leave(output), finals[0] if len(finals) == 1 else finals

    def _initial_states(self, border: Border, hx: Tensor | State | None) -> State:
        """[D, B, S] each, rows in the ragged order."""
        directions = 1 + self.bidirectional
        if hx is None:
            return self._first(border)
        given = tuple(hx) if isinstance(hx, tuple | list) else (hx,)
        if not all(isinstance(state, Tensor) for state in given):
            raise ShapeError(f"Expected an initial state of {len(self.state_sizes)} tensors, got {_described(hx)}")
        if len(given) != len(self.state_sizes):
            raise ShapeError(f"Expected an initial state of {len(self.state_sizes)} tensors, got {len(given)}")
        for position, (state, size) in enumerate(zip(given, self.state_sizes, strict=True)):
            wanted = (directions, size) if border.unbatched else (directions, border.batch, size)
            if state.shape != wanted:
                raise ShapeError(
                    f"Expected hidden[{position}] size {wanted} (directions, batch, size), got {list(state.shape)}"
                )
        states = [border.sort(s.unsqueeze(1) if border.unbatched else s, 1) for s in given]
        if border.starts is None:
            return tuple(states)
        starts = border.starts.to(border.data.device)[:, None]
        return tuple(torch.where(starts, new, old) for new, old in zip(self._first(border), states, strict=True))

    def _first(self, border: Border) -> State:
        """The states in which sequences begin."""
        if len(self.initial_state):
            return tuple(s[:, None].expand(-1, border.batch, -1) for s in self.initial_state)
        directions = 1 + self.bidirectional
        return tuple(border.data.new_zeros(directions, border.batch, size) for size in self.state_sizes)

    @property
    def _state_form(self) -> Any:
        """A state as `forward` takes and returns it, with None for each tensor."""
        return None if len(self.state_sizes) == 1 else (None,) * len(self.state_sizes)

    def _direction(self, cell: Cell, data: Tensor, batch_sizes: Tensor, state_0: State) -> tuple[Tensor, State]:
        """Output [N, O] and final state, rows in the ragged order."""
        k = self.bptt_truncate
        if k is None or not torch.is_grad_enabled() or batch_sizes.numel() <= k + 1:
            output, final, _ = self._run(cell, data, batch_sizes, state_0)
            return output, final
        with torch.no_grad():
            _, _, before = self._run(cell, data, batch_sizes, state_0)
        windows = _Windows(batch_sizes, k)
        rows, begin = windows.row.to(data.device), windows.begin.to(data.device)
        at_first_step = (windows.first == 0).to(data.device)[:, None]
        state = tuple(torch.where(at_first_step, s_0[rows], s[begin]) for s_0, s in zip(state_0, before, strict=True))
        output, after, _ = self._run(cell, data[windows.elements.to(data.device)], windows.batch_sizes, state)
        output = output[windows.last.to(data.device)]
        # The state after a row's last element is final; rows without elements keep their own.
        elements, places = windows.last_of_rows(batch_sizes)
        final = tuple(
            torch.cat([s[places.to(data.device)], s_0[len(elements) :]]) for s, s_0 in zip(after, state_0, strict=True)
        )
        return output, final

    def _run(self, cell: Cell, data: Tensor, batch_sizes: Tensor, state: State) -> tuple[Tensor, State, State]:
        """Output [N, O], final state [B, S], and the state [N, S] before each element. A row that has ended rests."""
        outputs: list[Tensor] = []
        before: list[State] = []
        for x in data.split(batch_sizes.tolist() or [0]):  # without any step the cell still tells its output's width
            n = x.shape[0]
            old = tuple(s[:n] for s in state)
            output, new = self._step(cell, x, old)
            if outputs and output.shape[1] != outputs[0].shape[1]:
                raise ShapeError(
                    f"Expected the cell's output to keep its width {outputs[0].shape[1]}, got {output.shape[1]}"
                )
            outputs.append(output)
            before.append(old)
            state = tuple(
                torch.cat([s_new, s[n:]]) if n < len(s) else s_new for s_new, s in zip(new, state, strict=True)
            )
        return torch.cat(outputs), state, tuple(torch.cat(parts) for parts in zip(*before, strict=True))

    def _step(self, cell: Cell, x: Tensor, state: State) -> tuple[Tensor, State]:
        single = len(state) == 1
        result = cell(x, state[0] if single else state)
        if isinstance(cell, torch.nn.RNNCellBase):
            result = (result if single else result[0], result)  # type: ignore[assignment]
        pair = result if isinstance(result, tuple) and len(result) == 2 else (None, None)
        output, new = pair[0], pair[1] if isinstance(pair[1], tuple | list) else (pair[1],)
        if not all(isinstance(part, Tensor) for part in (output, *new)):
            raise UsageError(f"the cell must return (output, state), tensors both, got {_described(result)}")
        if len(new) != len(state):
            raise ShapeError(f"Expected a state of {len(state)} tensors from the cell, got {len(new)}")
        for position, (given, wanted) in enumerate(zip(new, state, strict=True)):
            if given.shape != wanted.shape:
                raise ShapeError(
                    f"Expected state {position} from the cell in the shape it was given in, {tuple(wanted.shape)}, "
                    f"got {tuple(given.shape)}"
                )
        if output.dim() != 2 or output.shape[0] != x.shape[0]:
            raise ShapeError(f"Expected output ({x.shape[0]}, size) from the cell, got {tuple(output.shape)}")
        return output, tuple(new)


class _Windows:
    """For every element the last k+1 steps that lead to it, as the rows of a ragged batch.

    Attributes:
        row: [N] the row of the batch whose steps a window reads, `first` its first step, and `begin` that element.
        batch_sizes: of the windows' batch.
        elements: which element each element of the windows' batch is.
        last: [N] for each element where its window's last step lies in the windows' batch.

    `row`, `first` and `begin` are in the windows' order, the longest first.
    """

    def __init__(self, batch_sizes: Tensor, k: int) -> None:
        rows, steps = ragged.rows_and_steps(batch_sizes)
        starts = ragged.starts_of(batch_sizes)
        lengths = steps.clamp(max=k) + 1
        order, self._place = ragged.sort_by_length(lengths)
        self.row, self.first = rows[order], (steps - lengths + 1)[order]
        self.begin = starts[self.first] + self.row
        self.batch_sizes = ragged.batch_sizes_of(lengths)
        window, at = ragged.rows_and_steps(self.batch_sizes)
        self.elements = starts[self.first[window] + at] + self.row[window]
        self.last = ragged.starts_of(self.batch_sizes)[lengths - 1] + self._place

    def last_of_rows(self, batch_sizes: Tensor) -> tuple[Tensor, Tensor]:
        """For each row with steps its last element, and that element's window."""
        rows = torch.arange(int(batch_sizes[0]), device=batch_sizes.device)
        lengths = ragged.lengths_of(batch_sizes, len(rows))
        elements = ragged.starts_of(batch_sizes)[lengths - 1] + rows
        return elements, self._place[elements]


def _state_sizes(cell: Cell, given: int | Sequence[int] | None) -> tuple[int, ...]:
    if given is None:
        if not isinstance(cell, torch.nn.RNNCellBase):
            raise UsageError("state_size must be given for a cell that is not torch.nn's")
        return (cell.hidden_size,) * (2 if isinstance(cell, torch.nn.LSTMCell) else 1)
    sizes = (given,) if isinstance(given, int) else tuple(given)
    if not sizes or min(sizes) < 1:
        raise UsageError(f"state_size must be at least 1 for each tensor of the state, got {given}")
    return sizes


def _check_cell(cell: Cell | None, input_size: int, state_sizes: tuple[int, ...]) -> None:
    """Raises ShapeError for a cell of torch.nn that has other sizes; what others take shows when they are called."""
    if isinstance(cell, torch.nn.RNNCellBase):
        wanted, given = (input_size, state_sizes), (cell.input_size, _state_sizes(cell, None))
        if given != wanted:
            raise ShapeError(
                f"Expected cells of input and state sizes {wanted[0]} and {wanted[1]}, got {type(cell).__name__} of "
                f"{given[0]} and {given[1]}"
            )


def _described(result: Any) -> str:
    if isinstance(result, tuple):
        return f"a tuple of {', '.join(type(part).__name__ for part in result)}"
    return f"a {type(result).__name__}"
