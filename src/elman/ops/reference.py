"""The specification: each cell as its formula, forward and backward, in plain loops over time.

Nothing here is fast and nothing calls a kernel. Other backends must agree with it to rounding. The forward functions
`rnn`, `lstm` and `gru` are made of differentiable torch operations; the `*_backward` functions are back-propagation
through time written out by hand, without autograd, full and truncated.

Letters (docs/notation.md): T steps, B rows, I input size, H hidden size, N elements, G gates. A state is a tuple of
[B, H] tensors: (h,) for RNN and GRU, (h, c) for LSTM. Layout of `data` and `batch_sizes`: `elman.ops.ragged`.
`a` is a pre-activation, `d` before a name its gradient.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .weights import Weights

State = tuple[Tensor, ...]
Saved = tuple[Tensor, ...]


class Cell(NamedTuple):
    """One step of time and its derivative.

    step(x [n, I], state, weights) -> (new state, what the derivative needs)
    step_backward(dstate, saved, weights) -> (dx [n, I], gradient of the old state, gradients of the weights)
    """

    step: Callable[[Tensor, State, Weights], tuple[State, Saved]]
    step_backward: Callable[[State, Saved, Weights], tuple[Tensor, State, Weights]]


class Gradients(NamedTuple):
    """What back-propagation through time returns; shapes are those of the forward arguments."""

    dx: Tensor  # [N, I]
    dstate_0: State
    dweights: Weights


# --- cells ------------------------------------------------------------------------------------------------------------


def _affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x @ weight.T if bias is None else x @ weight.T + bias


def _weight_gradients(x: Tensor, h: Tensor, da_x: Tensor, da_h: Tensor, weights: Weights) -> Weights:
    """Gradients of x @ weight_ih.T + bias_ih and of h @ weight_hh.T + bias_hh."""
    bias = weights.bias_ih is not None
    return Weights(da_x.T @ x, da_h.T @ h, da_x.sum(0) if bias else None, da_h.sum(0) if bias else None)


def _rnn_cell(nonlinearity: str) -> Cell:
    """Elman (1990): h' = f(W_ih x + b_ih + W_hh h + b_hh), f = tanh or relu."""

    def step(x: Tensor, state: State, w: Weights) -> tuple[State, Saved]:
        (h,) = state
        a = _affine(x, w.weight_ih, w.bias_ih) + _affine(h, w.weight_hh, w.bias_hh)
        new = torch.tanh(a) if nonlinearity == "tanh" else torch.relu(a)
        return (new,), (x, h, new)

    def step_backward(dstate: State, saved: Saved, w: Weights) -> tuple[Tensor, State, Weights]:
        x, h, new = saved
        slope = 1 - new**2 if nonlinearity == "tanh" else (new > 0).to(new.dtype)
        da = dstate[0] * slope
        return da @ w.weight_ih, (da @ w.weight_hh,), _weight_gradients(x, h, da, da, w)

    return Cell(step, step_backward)


def _lstm_step(x: Tensor, state: State, w: Weights) -> tuple[State, Saved]:
    """Hochreiter & Schmidhuber (1997) with the forget gate of Gers et al. (2000); projection: Sak et al. (2014).

    c' = f * c + i * g        h' = o * tanh(c')        with projection h' = W_hr (o * tanh(c'))
    """
    h, c = state
    a = _affine(x, w.weight_ih, w.bias_ih) + _affine(h, w.weight_hh, w.bias_hh)
    a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
    i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
    c_new = f * c + i * g
    h_new = o * torch.tanh(c_new)
    if w.weight_hr is not None:
        h_new = h_new @ w.weight_hr.T
    return (h_new, c_new), (x, h, c, i, f, g, o, c_new)


def _lstm_step_backward(dstate: State, saved: Saved, w: Weights) -> tuple[Tensor, State, Weights]:
    x, h, c, i, f, g, o, c_new = saved
    dh, dc = dstate
    tanh_c = torch.tanh(c_new)
    dweight_hr = None
    if w.weight_hr is not None:
        dweight_hr = dh.T @ (o * tanh_c)
        dh = dh @ w.weight_hr
    dc = dc + dh * o * (1 - tanh_c**2)
    da = torch.cat(
        [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)],
        dim=1,
    )
    dweights = _weight_gradients(x, h, da, da, w)._replace(weight_hr=dweight_hr)
    return da @ w.weight_ih, (da @ w.weight_hh, dc * f), dweights


def _gru_step(x: Tensor, state: State, w: Weights) -> tuple[State, Saved]:
    """Cho et al. (2014), arXiv 1406.1078v1: the reset gate acts after the recurrent product, as in torch and cuDNN.

    n = tanh(W_in x + b_in + r * (W_hn h + b_hn))        h' = (1 - z) * n + z * h
    """
    (h,) = state
    x_r, x_z, x_n = _affine(x, w.weight_ih, w.bias_ih).chunk(3, dim=1)
    h_r, h_z, h_n = _affine(h, w.weight_hh, w.bias_hh).chunk(3, dim=1)
    r, z = torch.sigmoid(x_r + h_r), torch.sigmoid(x_z + h_z)
    n = torch.tanh(x_n + r * h_n)
    return ((1 - z) * n + z * h,), (x, h, r, z, n, h_n)


def _gru_step_backward(dstate: State, saved: Saved, w: Weights) -> tuple[Tensor, State, Weights]:
    x, h, r, z, n, h_n = saved
    (dh,) = dstate
    da_n = dh * (1 - z) * (1 - n**2)
    da_r = da_n * h_n * r * (1 - r)
    da_z = dh * (h - n) * z * (1 - z)
    da_x = torch.cat([da_r, da_z, da_n], dim=1)
    da_h = torch.cat([da_r, da_z, da_n * r], dim=1)
    return da_x @ w.weight_ih, (da_h @ w.weight_hh + dh * z,), _weight_gradients(x, h, da_x, da_h, w)


_LSTM = Cell(_lstm_step, _lstm_step_backward)
_GRU = Cell(_gru_step, _gru_step_backward)

# --- time -------------------------------------------------------------------------------------------------------------


def _walk(batch_sizes: Tensor, reverse: bool) -> list[slice]:
    """The elements of `data` that each step takes, in the order of processing."""
    ends = batch_sizes.cumsum(0).tolist()
    slices = [slice(end - size, end) for end, size in zip(ends, batch_sizes.tolist(), strict=True)]
    return slices[::-1] if reverse else slices


def _size(elements: slice) -> int:
    return int(elements.stop - elements.start)


def _forward(
    cell: Cell, data: Tensor, batch_sizes: Tensor, state_0: State, weights: Weights, reverse: bool
) -> tuple[Tensor, State, list[Saved]]:
    """Output [N, H], final state, and what each step saved. A row's state rests outside its own steps."""
    state, saved = state_0, []
    walk = _walk(batch_sizes, reverse)
    outputs = []
    for elements in walk:
        n = _size(elements)
        new, kept = cell.step(data[elements], tuple(s[:n] for s in state), weights)
        state = tuple(torch.cat([new_s, s[n:]]) for new_s, s in zip(new, state, strict=True))
        outputs.append(new[0])
        saved.append(kept)
    output = torch.cat(outputs[::-1] if reverse else outputs) if outputs else data.new_empty(0, state_0[0].shape[1])
    return output, state, saved


def _backward(
    cell: Cell,
    doutput: Tensor,
    dstate_n: State,
    data: Tensor,
    batch_sizes: Tensor,
    state_0: State,
    weights: Weights,
    reverse: bool,
    bptt_truncate: int | None,
) -> Gradients:
    """Back-propagation through time (Werbos 1990), full or truncated.

    Full: one sweep from the last step to the first; the gradient that arrives at a state joins the one from its own
    output. Truncated: for the output of step t alone, the sweep visits the weights' use at steps t, t-1, ..., t-k
    (k = bptt_truncate) and stops; the sweeps of all outputs are added up. The loss on a row's final state starts at
    the row's last step. With k >= T - 1 both are equal.
    """
    _, _, saved = _forward(cell, data, batch_sizes, state_0, weights, reverse)
    walk = _walk(batch_sizes, reverse)
    sizes = [_size(elements) for elements in walk]
    dx = torch.zeros_like(data)
    dstate_0 = tuple(torch.zeros_like(s) for s in state_0)
    dweights = Weights(*(None if w is None else torch.zeros_like(w) for w in weights))  # type: ignore[arg-type]

    def starting_at(p: int) -> State:
        """Gradient that enters at processed step p: from its output, and from final states of rows that end there."""
        n = sizes[p]
        first_final = min(n, sizes[p + 1] if p + 1 < len(sizes) else 0)
        dstate = tuple(torch.zeros_like(s[:n]) for s in state_0)
        dstate[0].add_(doutput[walk[p]])
        for d, final in zip(dstate, dstate_n, strict=True):
            d[first_final:].add_(final[first_final:n])
        return dstate

    def step_back(p: int, dstate: State) -> State:
        """Through processed step p for the first rows; returns the gradient of rows that had a step p - 1."""
        n = dstate[0].shape[0]
        dx_p, dprevious, dweights_p = cell.step_backward(dstate, tuple(s[:n] for s in saved[p]), weights)
        dx[walk[p]][:n].add_(dx_p)
        for total, part in zip(dweights, dweights_p, strict=True):
            if total is not None and part is not None:
                total.add_(part)
        n_previous = min(n, sizes[p - 1] if p > 0 else 0)
        for total, d in zip(dstate_0, dprevious, strict=True):
            total[n_previous:n].add_(d[n_previous:])
        return tuple(d[:n_previous] for d in dprevious)

    if bptt_truncate is None:
        carried: State = tuple(s[:0] for s in state_0)
        for p in reversed(range(len(walk))):
            dstate = starting_at(p)
            for d, c in zip(dstate, carried, strict=True):
                d[: c.shape[0]].add_(c)
            carried = step_back(p, dstate)
    else:
        for t in range(len(walk)):
            dstate = starting_at(t)
            for p in reversed(range(max(0, t - bptt_truncate), t + 1)):
                dstate = step_back(p, dstate)

    never_stepped = max(sizes, default=0)
    for total, final in zip(dstate_0, dstate_n, strict=True):
        total[never_stepped:].add_(final[never_stepped:])
    return Gradients(dx, dstate_0, dweights)


# --- public functions -------------------------------------------------------------------------------------------------


def rnn(
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    weights: Weights,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """Elman network over a ragged batch, one layer, one direction.

    Args:
        data: [N, I] input, ragged layout.
        batch_sizes: [T] int64.
        h_0: [B, H] initial state, rows in sorted order.
        nonlinearity: "tanh" or "relu".
        reverse: read each row from its end.
    Returns:
        output [N, H] and h_n [B, H], the state after each row's last processed step.
    """
    output, (h_n,), _ = _forward(_rnn_cell(nonlinearity), data, batch_sizes, (h_0,), weights, reverse)
    return output, h_n


def lstm(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, c_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """LSTM over a ragged batch; arguments as `rnn`, with c_0 [B, H]. Returns output [N, P], h_n [B, P], c_n [B, H]."""
    output, (h_n, c_n), _ = _forward(_LSTM, data, batch_sizes, (h_0, c_0), weights, reverse)
    return output, h_n, c_n


def gru(
    data: Tensor, batch_sizes: Tensor, h_0: Tensor, weights: Weights, *, reverse: bool = False
) -> tuple[Tensor, Tensor]:
    """GRU (reset after the product) over a ragged batch; arguments and results as `rnn`."""
    output, (h_n,), _ = _forward(_GRU, data, batch_sizes, (h_0,), weights, reverse)
    return output, h_n


@torch.no_grad()
def rnn_backward(
    doutput: Tensor,
    dh_n: Tensor,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    weights: Weights,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
    bptt_truncate: int | None = None,
) -> Gradients:
    """Gradients of `rnn` by back-propagation through time, by hand.

    Args:
        doutput: [N, H] gradient of each step's output.
        dh_n: [B, H] gradient of the final state.
        bptt_truncate: how many steps before its own each output's loss travels back; None for all, 0 for none.
    """
    cell = _rnn_cell(nonlinearity)
    return _backward(cell, doutput, (dh_n,), data, batch_sizes, (h_0,), weights, reverse, bptt_truncate)


@torch.no_grad()
def lstm_backward(
    doutput: Tensor,
    dh_n: Tensor,
    dc_n: Tensor,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    c_0: Tensor,
    weights: Weights,
    *,
    reverse: bool = False,
    bptt_truncate: int | None = None,
) -> Gradients:
    """Gradients of `lstm`; arguments as `rnn_backward`, with dc_n [B, H]. The order of `dstate_0` is (dh_0, dc_0)."""
    return _backward(_LSTM, doutput, (dh_n, dc_n), data, batch_sizes, (h_0, c_0), weights, reverse, bptt_truncate)


@torch.no_grad()
def gru_backward(
    doutput: Tensor,
    dh_n: Tensor,
    data: Tensor,
    batch_sizes: Tensor,
    h_0: Tensor,
    weights: Weights,
    *,
    reverse: bool = False,
    bptt_truncate: int | None = None,
) -> Gradients:
    """Gradients of `gru`; arguments as `rnn_backward`."""
    return _backward(_GRU, doutput, (dh_n,), data, batch_sizes, (h_0,), weights, reverse, bptt_truncate)
