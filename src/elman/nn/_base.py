"""What all recurrent layers share: parameters, any form of input, stacks and directions."""

from typing import Any, ClassVar, Unpack

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from .. import ops
from ..errors import ShapeError, UsageError
from ..ops import Weights
from . import _initial
from ._arguments import check_arguments
from ._border import Border, Lengths
from ._draws import current_generator, dropout
from ._layout import RaggedLayout
from ._regularised import LayerOptions, Regularised
from ._signature import full_signature
from ._watching import Call, has_hooks, watchers

State = tuple[Tensor, ...]


class Recurrent(Regularised):
    """Base of all recurrent layers. A subclass names its cell in `elman.ops.CELLS`, which says the rest.

    Arguments and parameters are those of torch.nn's layers: `weight_ih_l0` [G*H, I], `weight_hh_l0` [G*H, H],
    `bias_ih_l0`, `bias_hh_l0` [G*H], then what the cell has beside; `_reverse` for the second direction. A cell
    without a recurrent matrix has neither `weight_hh` nor `bias_hh`. Start values as in torch.nn: U(-1, 1) / sqrt(H).

    Args:
        learn_state: learn the state in which a sequence begins, `h_0` [L * D, H] (and `c_0`); it starts at zero.
        init: start values of the recurrence, a name in `elman.nn.INITS`.
        memory: steps to be remembered, for those start values that ask.
        forget_bias: start value of the bias of the gate that keeps the state (Gers et al. 2000); None: as the others.
        others by name: see `Regularised`.
    Raises:
        UsageError: a size, rate or name that cannot be meant.
    """

    cell: str
    keep_gates: ClassVar[str] = ""  # gates that hold on to the old state, by their letters in `gates`
    write_gates: ClassVar[str] = ""  # gates that let the new one in
    gates: ClassVar[str] = ""
    own_options: ClassVar[tuple[str, ...]] = ()  # arguments that this cell takes beside those of all
    vectors: ClassVar[str] = ""  # name of the parameter that is `vectors` in `elman.ops.Weights`
    is_cell_alone: ClassVar[bool] = True  # whether a direction is the cell over the sequence and nothing else

    counts_steps: ClassVar[bool] = False  # whether a step depends on how many came before

    is_top: bool = True  # whether no further layer of a stack reads its output
    proj_size: int = 0
    init: str = "uniform"
    memory: int = 100
    forget_bias: float | None = None

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls.__signature__ = full_signature(cls)  # type: ignore[attr-defined]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        torch.nn.Module.__init__(self)
        check_arguments(input_size, hidden_size, num_layers, bias, batch_first, dropout)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        learned = self._set_options(options)
        for layer in range(num_layers):
            entering = input_size if layer == 0 else self.output_size
            for suffix in self.suffixes(layer):
                for name, sizes in self._sizes(entering).items():
                    parameter = torch.nn.Parameter(torch.empty(sizes, device=device, dtype=dtype))
                    self.register_parameter(name + suffix, parameter)
        if learned:
            self._add_state(device, dtype)
        self.reset_parameters()

    def _as_in_torch(self, mode: str, *arguments: Any, device: Any, dtype: Any, options: LayerOptions) -> None:
        """The constructor of a layer that torch.nn makes and fills; `arguments` are those of `torch.nn.RNNBase`."""
        check_arguments(*arguments[:6])
        torch.nn.RNNBase.__init__(self, mode, *arguments, device=device, dtype=dtype)  # type: ignore[arg-type, misc]
        if self._set_options(options):
            self._add_state(device, dtype)
        _initial.start(self)

    def _set_options(self, options: LayerOptions) -> bool:
        """Sets the attributes; returns whether the initial state is to be learned."""
        unknown = options.keys() - LayerOptions.__annotations__.keys()
        if "proj_size" in unknown:
            raise UsageError(
                f"proj_size argument is only supported for LSTM, not RNN or GRU; {type(self).__name__} has none"
            )
        if unknown:
            raise UsageError(
                f"{type(self).__name__} has no argument {min(unknown)!r}; beside torch.nn's there are "
                f"{', '.join((*self.own_options, *LayerOptions.__annotations__))}"
            )
        for name, value in options.items():
            if name != "learn_state":
                setattr(self, name, value)
        self._check_regularisation()
        return options.get("learn_state", False)

    def _sizes(self, input_size: int) -> dict[str, tuple[int, ...]]:
        """Name and size of each parameter of one layer in one direction."""
        cell, hidden = ops.CELLS[self.cell], self.hidden_size
        stacked = cell.gates * hidden
        sizes: dict[str, tuple[int, ...]] = {"weight_ih": (stacked, input_size)}
        if cell.product:
            sizes["weight_hh"] = (stacked, hidden)
        if self.bias:
            sizes |= {"bias_ih": (stacked,), "bias_hh": (stacked,)} if cell.product else {"bias_ih": (stacked,)}
        if self.vectors:
            sizes[self.vectors] = (cell.vectors, hidden)
        if cell.normalised:
            sizes |= (
                {"norm_gates": (2, stacked), "norm_cell": (2, hidden)}
                if cell.states > 1
                else {"norm_gates": (2, stacked)}
            )
        return sizes

    def _add_state(self, device: Any, dtype: Any) -> None:
        for name, size in zip(("h_0", "c_0"), self._state_sizes(), strict=False):
            zeros = torch.zeros(self._slots, size, device=device, dtype=dtype)
            self.register_parameter(name, torch.nn.Parameter(zeros))

    def reset_parameters(self) -> None:
        """New start values."""
        bound = self.hidden_size**-0.5
        for name, parameter in self.named_parameters():
            if name.removeprefix("parametrizations.").split(".")[0].removesuffix("_orig") in ("h_0", "c_0"):
                torch.nn.init.zeros_(parameter)
            else:
                torch.nn.init.uniform_(parameter, -bound, bound, generator=current_generator())
        self._reset_own()
        _initial.start(self)

    def _reset_own(self) -> None:
        """Start values of what the cell has beside matrices and biases."""

    def parameters_named(self, name: str) -> list[Tensor]:
        """The parameters `name_l0`, `name_l0_reverse`, `name_l1`, .. that there are."""
        names = [name + suffix for layer in range(self.num_layers) for suffix in self.suffixes(layer)]
        return [getattr(self, name) for name in names if hasattr(self, name)]

    def suffixes(self, layer: int) -> tuple[str, ...]:
        """With what the names of this layer's parameters end, in each direction."""
        return tuple(f"_l{layer}_reverse" if reverse else f"_l{layer}" for reverse in self._directions)

    def flatten_parameters(self) -> None:
        """Nothing to do: the layers read their weights where they are."""

    def extra_repr(self) -> str:
        names = (*self.own_options, *LayerOptions.__annotations__)
        given = {name: vars(self)[name] for name in names if name in vars(self) and name != "proj_size"}
        kind = type(self)
        changed = [f"{name}={value!r}" for name, value in given.items() if value != getattr(kind, name, None)]
        return ", ".join([torch.nn.RNNBase.extra_repr(self), *changed])  # type: ignore[arg-type]

    # --- states ---------------------------------------------------------------------------------------------------

    @property
    def _directions(self) -> tuple[bool, ...]:
        """For each direction whether it is the reverse one."""
        return (False, True) if self.bidirectional else (False,)

    def _share(self, layer: int) -> int:
        """How many states one direction of this layer carries from step to step."""
        return 1

    @property
    def _slots(self) -> int:
        """L * D, the number of states."""
        return len(self._directions) * sum(map(self._share, range(self.num_layers)))

    @property
    def output_size(self) -> int:
        """D * P, width of the output."""
        return len(self._directions) * self._state_sizes()[0]

    def _state_sizes(self) -> tuple[int, ...]:
        """Width of each state tensor: (P,) or, for the LSTM kinds, (P, H)."""
        return (self.proj_size or self.hidden_size, self.hidden_size)[: ops.CELLS[self.cell].states]

    def _initial_state(self, border: Border, hx: State | None) -> list[State]:
        """One state per layer and direction, rows in the ragged order."""
        if hx is None:
            return list(zip(*(state.unbind(0) for state in self._first(border.data, border.batch)), strict=True))
        self._check_state(hx, None if border.unbatched else border.batch)
        batched = [state.unsqueeze(1) if border.unbatched else state for state in hx]
        states = [border.sort(state, 1) for state in batched]
        if border.starts is not None:
            first, starts = self._first(border.data, border.batch), border.starts.to(border.data.device)[:, None]
            states = [torch.where(starts, new, old) for new, old in zip(first, states, strict=True)]
        return list(zip(*(state.unbind(0) for state in states), strict=True))

    @property
    def _learns_state(self) -> bool:
        """Whether there is `h_0`: a parameter, a property (parametrized) or an attribute (pruned)."""
        return "h_0" in self._parameters or "h_0" in vars(self) or hasattr(type(self), "h_0")

    def _first(self, like: Tensor, batch: int) -> State:
        """The states [L * D, B, size] in which sequences begin."""
        if not self._learns_state:
            return tuple(like.new_zeros(self._slots, batch, size) for size in self._state_sizes())
        names = ("h_0", "c_0")[: len(self._state_sizes())]
        return tuple(getattr(self, name).unsqueeze(1).expand(-1, batch, -1) for name in names)

    def _check_state(self, hx: Any, batch: int | None) -> None:
        """Raises ShapeError unless every state is [L * D, B, size]; without B if batch is None."""
        several = isinstance(hx, tuple | list)
        given = list(hx) if several else [hx]
        count = len(self._state_sizes())
        if not several or len(given) != count or not all(isinstance(state, Tensor) for state in given):
            kind = "a tensor h_0" if count == 1 else "a pair of tensors (h_0, c_0)"
            types = ", ".join(type(state).__name__ for state in given)
            form = f"{type(hx).__name__} of " if several and count > 1 else ""
            raise ShapeError(f"Expected {kind} as the state of {type(self).__name__}, got {form}{types}")
        for position, (state, width) in enumerate(zip(hx, self._state_sizes(), strict=True)):
            wanted = (self._slots, width) if batch is None else (self._slots, batch, width)
            if state.shape != wanted:
                raise ShapeError(
                    f"Expected hidden[{position}] size {wanted} (layers * directions, batch, size), "
                    f"got {list(state.shape)}"
                )

    @property
    def _state_form(self) -> Any:
        """A state as `forward` takes and returns it, with None for each tensor."""
        count = len(self._state_sizes())
        return None if count == 1 else (None,) * count

    def last(self, finals: Tensor | State) -> Tensor:
        """[B, D * P] from final states: h after the last step of the top layer, all directions."""
        share = self._share(self.num_layers - 1)
        h_n = finals if isinstance(finals, Tensor) else finals[0]
        newest = h_n[-share * len(self._directions) :][share - 1 :: share]
        return torch.cat(newest.unbind(0), 1)

    # --- a call ---------------------------------------------------------------------------------------------------

    def _weights(self, layer: int, reverse: bool) -> Weights:
        suffix = f"_l{layer}_reverse" if reverse else f"_l{layer}"
        cell = ops.CELLS[self.cell]
        names = (
            "weight_ih",
            "weight_hh" if cell.product else "",
            "bias_ih" if self.bias else "",
            "bias_hh" if self.bias and cell.product else "",
            "weight_hr" if self.proj_size else "",
            self.vectors,
            "norm_gates" if cell.normalised else "",
            "norm_cell" if cell.normalised and cell.states > 1 else "",
        )
        found = [self._parameters.get(name + suffix) if name else None for name in names]
        for place, name in enumerate(names):
            if name and found[place] is None:
                # Parametrized or pruned: the weight is an attribute, computed from parameters of other names.
                found[place] = getattr(self, name + suffix)
        return Weights(*found)  # type: ignore[arg-type]

    def _direction(
        self, data: Tensor, layout: RaggedLayout, states: list[State], layer: int, reverse: bool
    ) -> tuple[Tensor, list[State]]:
        """One layer, one direction: output [N, P] and the final states."""
        (state_0,) = states
        options = self._options(data, state_0)
        output, final = self._recur(data, layout.batch_sizes, state_0, layer, reverse, options)
        return output, [final]

    def _recur(
        self, data: Tensor, batch_sizes: Tensor, state_0: State, layer: int, reverse: bool, options: ops.Options
    ) -> tuple[Tensor, State]:
        weights = self._dropped_weights(self._weights(layer, reverse))
        output, final = ops.recurrent(self.cell, data, batch_sizes, state_0, weights, reverse=reverse, options=options)
        if not torch.compiler.is_compiling():
            for watcher in watchers():
                watcher(Call(self, self.suffixes(layer)[reverse], self._share(layer), data, options, output))
        return output, final

    def _sequence(self, border: Border, hx: State | None) -> tuple[Tensor, State]:
        """All layers and directions: output [N, D * P] and final states [L * D, B, size], rows in the ragged order."""
        self._check_regularisation()  # attributes may have been set since the last call
        states = self._initial_state(border, hx)
        data, layout = border.data, border.layout
        finals: list[State] = []
        for layer in range(self.num_layers):
            data = self._dropped_input(data, border.batch_sizes, border.batch)
            outputs = []
            for reverse in self._directions:
                own = states[len(finals) : len(finals) + self._share(layer)]
                output, final = self._direction(data, layout, own, layer, reverse)
                outputs.append(output)
                finals += final
            data = torch.cat(outputs, 1) if self.bidirectional else outputs[0]
            if self.dropout and layer + 1 < self.num_layers:
                data = dropout(data, self.dropout, self.training)
        return data, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))

    def _call(
        self, input: Tensor | PackedSequence, hx: State | None, lengths: Lengths
    ) -> tuple[Tensor | PackedSequence, State]:
        if lengths is None and isinstance(input, Tensor) and input.dim() == 3 and self._is_small(input):
            return self._infer(input, hx)
        border = Border(input, lengths, self.batch_first, batched_dims=3)
        self._check_input(border.data)
        output, finals = self._sequence(border, hx)
        finals = tuple(border.unsort(final, 1) for final in finals)
        if border.unbatched:
            finals = tuple(final.squeeze(1) for final in finals)
        return border.leave(output), finals

    def _check_input(self, x: Tensor) -> None:
        if x.shape[-1] != self.input_size:
            raise ShapeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )

    # --- inference where a call's own costs count -----------------------------------------------------------------

    def _is_small(self, x: Tensor) -> bool:
        return self._is_direct(x) and ops.kernels.is_small(x.numel(), self.hidden_size)

    def _is_direct(self, x: Tensor) -> bool:
        """Whether the kernels may be called without the operators, and nothing but them has to be computed."""
        return (
            self.is_cell_alone
            and ops.kernels.has(self.cell)
            and ops.is_direct(x)
            and not self.proj_size
            and not (self.dropout and self.training)
            and self._is_plain
        )

    def _infer(self, input: Tensor, hx: State | None) -> tuple[Tensor, State]:
        """As `_call` on a padded batch, without the operators and the ragged layout."""
        self._check_input(input)
        x = (input.transpose(0, 1) if self.batch_first else input).contiguous()
        steps, batch, _ = x.shape
        cell, states = self.cell, self._new_states(x, batch, hx)
        slot = 0
        for layer in range(self.num_layers):
            outputs = []
            for reverse in self._directions:
                output = x.new_empty(steps, batch, self.hidden_size)
                h, c = states[0][slot], states[1][slot] if len(states) > 1 else None
                ops.kernels.sequence(cell, x, h, c, self._weights(layer, reverse), reverse, output)
                outputs.append(output)
                slot += 1
            x = torch.cat(outputs, 2) if self.bidirectional else outputs[0]
        return x.transpose(0, 1) if self.batch_first else x, states

    def _new_states(self, x: Tensor, batch: int, hx: State | None) -> State:
        """States [L * D, B, H] that may be written to."""
        if hx is not None:
            self._check_state(hx, batch)
        elif not self._learns_state:
            return self._first(x, batch)
        else:
            hx = self._first(x, batch)
        return tuple(state.clone(memory_format=torch.contiguous_format) for state in hx)

    def _step(self, x: Tensor, hx: State | None) -> tuple[Tensor, State]:
        if self.bidirectional:
            raise UsageError("a bidirectional layer reads a sequence from its end, so it has no single step")
        if x.dim() != 2:
            raise ShapeError(f"Expected x_t [B, {self.input_size}], got {tuple(x.shape)}")
        if has_hooks(self) or not self._is_direct(x):
            return self._step_by_call(x, hx)
        self._check_input(x)
        states = self._new_states(x, x.shape[0], hx)
        for layer in range(self.num_layers):
            h, c = states[0][layer], states[1][layer] if len(states) > 1 else None
            ops.kernels.step(self.cell, x, h, c, self._weights(layer, False))
            x = h
        return x.clone(), states  # what is done to the output is not done to the state

    def _step_by_call(self, x: Tensor, hx: State | None) -> tuple[Tensor, State]:
        """A sequence of one step, by `__call__` where that does more than `forward`."""
        time = 1 if self.batch_first else 0
        if has_hooks(self):
            several = len(self._state_sizes()) > 1
            sequence, final = self(x.unsqueeze(time), hx if hx is None or several else hx[0])
            state = final if several else (final,)
        else:
            sequence, state = self._call(x.unsqueeze(time), hx, None)
        return sequence.squeeze(time), state
