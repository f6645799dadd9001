"""Brute force: quantities through time by torch.autograd on plain float64 loops, one text at a time."""

import torch

from elman import ops


def one_step(cell, weights):
    """(x [I], state, weight_hh or None) -> state, in float64."""
    weights = ops.Weights(*(None if w is None else w.detach().double() for w in weights))

    def step(x, state, weight_hh=None):
        w = weights if weight_hh is None else weights._replace(weight_hh=weight_hh)
        new, _ = ops.CELLS[cell].step(x[None], tuple(s[None] for s in state), w, None)
        return tuple(s[0] for s in new)

    return step


def states_of(step, text, state):
    """The state before each step and the last one; text [T, I] in the order in which it is read."""
    found = [state]
    for x in text:
        found.append(step(x, found[-1]))
    return found


def jacobians(step, text, state):
    """d(last state) / d(state at lag 0, 1, .. T - 1), [S, S] each."""
    states = states_of(step, text, state)
    widths = [len(s) for s in state]
    product = torch.eye(sum(widths), dtype=torch.float64)
    found = [product]
    for t in reversed(range(1, len(text))):

        def flat(s, x=text[t]):
            return torch.cat(step(x, s.split(widths)))

        product = product @ torch.autograd.functional.jacobian(flat, torch.cat(states[t]))
        found.append(product)
    return found


def state_gradients(step, text, state, loss_of):
    """For each step the norms of dL/dh_t and, of an LSTM, of dL/dc_t, on which h_t = o tanh(c_t) depends too.

    Args:
        loss_of: of the list of states after each step.
    """
    states, found = states_of(step, text, state)[1:], []
    for t in range(len(text)):
        h, *c = (s.clone().requires_grad_() for s in states[t])
        current = (h, *c)
        if c:
            out = (h / torch.tanh(c[0])).detach()
            current = (out * torch.tanh(c[0]) + (h - h.detach()), *c)
        loss = loss_of([*states[:t], *states_of(step, text[t + 1 :], current)])
        gradients = torch.autograd.grad(loss, (h, *c), allow_unused=True, materialize_grads=True)
        found.append([float(g.norm()) for g in gradients])
    return found


def weight_terms(step, weight_hh, text, state, loss_of):
    """Norm of what each step's own use of weight_hh adds to its gradient."""
    found = []
    for t in range(len(text)):
        leaf, states, current = weight_hh.double().clone().requires_grad_(), [], state
        for p, x in enumerate(text):
            current = step(x, current, leaf if p == t else None)
            states.append(current)
        found.append(float(torch.autograd.grad(loss_of(states), leaf)[0].norm()))
    return found
