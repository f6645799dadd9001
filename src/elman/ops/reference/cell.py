"""What a cell is: one step of time, and its derivative."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ..weights import Weights

State = tuple[Tensor, ...]
Saved = tuple[Tensor, ...]
Step = Callable[[Tensor, State, Weights, Tensor | None], tuple[State, Saved]]
StepBackward = Callable[[State, Saved, Weights, Tensor | None], tuple[Tensor, State, Weights]]


class Cell(NamedTuple):
    """
    step(x [n, I], state, weights, mask [n, H] or None) -> (new state, what the derivative needs). The state is
        (h,) or (h, c); the mask multiplies h before it enters the recurrent product and nothing else.
    step_backward(dstate, saved, weights, mask) -> (dx [n, I], gradient of the old state, gradients of the weights)
    """

    gates: int  # G
    states: int  # 1, or 2 with a c
    step: Step
    step_backward: StepBackward
    vectors: int = 0  # U, rows of `Weights.vectors`
    product: bool = True  # whether there is a recurrent matrix
    normalised: bool = False  # whether it has the gains of layer normalisation


def affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return x @ weight.T if bias is None else x @ weight.T + bias


def masked(h: Tensor, mask: Tensor | None) -> Tensor:
    return h if mask is None else h * mask


def projected(x: Tensor, w: Weights) -> Tensor:
    """W_ih x + b_ih [n, G*H]."""
    return affine(x, w.weight_ih, w.bias_ih)


def recurrent(h: Tensor, w: Weights, mask: Tensor | None) -> Tensor:
    """W_hh h + b_hh [n, G*H]."""
    assert w.weight_hh is not None
    return affine(masked(h, mask), w.weight_hh, w.bias_hh)


def product_gradients(
    x: Tensor, h: Tensor, da_x: Tensor, da_h: Tensor, w: Weights, mask: Tensor | None
) -> tuple[Tensor, Tensor, Weights]:
    """Through W_ih x + b_ih and W_hh h + b_hh: dx, dh and the gradients of both weights and biases."""
    assert w.weight_hh is not None
    bias = w.bias_ih is not None
    dweights = Weights(
        da_x.T @ x, da_h.T @ masked(h, mask), da_x.sum(0) if bias else None, da_h.sum(0) if bias else None
    )
    return da_x @ w.weight_ih, masked(da_h @ w.weight_hh, mask), dweights


def derived(step: Callable[[Tensor, State, Weights, Tensor | None], State]) -> tuple[Step, StepBackward]:
    """Both functions of a cell from its step alone: the derivative of one step is torch's."""

    def forward(x: Tensor, state: State, w: Weights, mask: Tensor | None) -> tuple[State, Saved]:
        return step(x, state, w, mask), (x, *state)

    def backward(dstate: State, saved: Saved, w: Weights, mask: Tensor | None) -> tuple[Tensor, State, Weights]:
        with torch.enable_grad():
            x, *state = (tensor.detach().requires_grad_() for tensor in saved)
            own = Weights(*(None if p is None else p.detach().requires_grad_() for p in w))  # type: ignore[arg-type]
            new = step(x, tuple(state), own, mask)
        inputs = [x, *state, *(p for p in own if p is not None)]
        found = iter(torch.autograd.grad(new, inputs, dstate, allow_unused=True, materialize_grads=True))
        dx, *dold = (next(found) for _ in range(1 + len(state)))
        return dx, tuple(dold), Weights(*(None if p is None else next(found) for p in own))  # type: ignore[arg-type]

    return forward, backward
