"""Every layer of `elman.nn` once more: one row, one step, one unit of formula at a time, from the papers."""

import torch
from torch.nn.functional import layer_norm


def affine(p, x, h):
    """W_ih x + b_ih + W_hh h + b_hh"""
    a = p["weight_ih"] @ x + p["weight_hh"] @ h
    return a + p["bias_ih"] + p["bias_hh"] if "bias_ih" in p else a


def nonlinear(layer, a):
    return torch.tanh(a) if layer.nonlinearity == "tanh" else torch.relu(a)


def rnn(layer, p, x, state, t):
    return (nonlinear(layer, affine(p, x, state[0])),)


def lstm(layer, p, x, state, t):
    h, c = state
    i, f, g, o = affine(p, x, h).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(layer, p, x, state, t):
    (h,) = state
    of_x, of_h = p["weight_ih"] @ x, p["weight_hh"] @ h
    if "bias_ih" in p:
        of_x, of_h = of_x + p["bias_ih"], of_h + p["bias_hh"]
    (x_r, x_z, x_n), (h_r, h_z, h_n) = of_x.chunk(3), of_h.chunk(3)
    z = (x_z + h_z).sigmoid()
    return ((1 - z) * (x_n + (x_r + h_r).sigmoid() * h_n).tanh() + z * h,)


def leaky(layer, p, x, state, t):
    leak = p["leak_logit"][0].sigmoid() if "leak_logit" in p else p["leak"][0]
    return ((1 - leak) * state[0] + leak * nonlinear(layer, affine(p, x, state[0])),)


def indrnn(layer, p, x, state, t):
    a = p["weight_ih"] @ x + p["recurrent"][0] * state[0]
    return (nonlinear(layer, a + p["bias_ih"] if "bias_ih" in p else a),)


def peephole(layer, p, x, state, t):
    h, c = state
    of_i, of_f, of_o = p["weight_peephole"]
    i, f, g, o = affine(p, x, h).chunk(4)
    new = (f + of_f * c).sigmoid() * c + (i + of_i * c).sigmoid() * g.tanh()
    return (o + of_o * new).sigmoid() * new.tanh(), new


def coupled(layer, p, x, state, t):
    h, c = state
    f, g, o = affine(p, x, h).chunk(3)
    c = f.sigmoid() * c + (1 - f.sigmoid()) * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru_before(layer, p, x, state, t):
    (h,) = state
    size = len(h)
    of_x = p["weight_ih"] @ x
    bias = torch.zeros_like(of_x)
    if "bias_ih" in p:
        bias = p["bias_ih"] + p["bias_hh"]
    r, z = (of_x[: 2 * size] + bias[: 2 * size] + p["weight_hh"][: 2 * size] @ h).sigmoid().chunk(2)
    n = (of_x[2 * size :] + bias[2 * size :] + p["weight_hh"][2 * size :] @ (r * h)).tanh()
    return ((1 - z) * n + z * h,)


def _normalised(p, x, h, parts):
    sides = []
    for product, gain, bias in (
        (p["weight_ih"] @ x, p["norm_gates"][0], p.get("bias_ih", 0.0)),
        (p["weight_hh"] @ h, p["norm_gates"][1], p.get("bias_hh", 0.0)),
    ):
        normal = [(a - a.mean()) / (a.var(unbiased=False) + 1e-5).sqrt() for a in product.split(parts)]
        sides.append(torch.cat(normal) * gain + bias)
    return sides


def layer_lstm(layer, p, x, state, t):
    h, c = state
    of_x, of_h = _normalised(p, x, h, [4 * len(c)])
    i, f, g, o = (of_x + of_h).chunk(4)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * (layer_norm(c, c.shape) * p["norm_cell"][0] + p["norm_cell"][1]).tanh(), c


def layer_gru(layer, p, x, state, t):
    (h,) = state
    of_x, of_h = _normalised(p, x, h, [2 * len(h), len(h)])
    (x_r, x_z, x_n), (h_r, h_z, h_n) = of_x.chunk(3), of_h.chunk(3)
    z = (x_z + h_z).sigmoid()
    return ((1 - z) * (x_n + (x_r + h_r).sigmoid() * h_n).tanh() + z * h,)


def _of_input(p, x):
    return p["weight_ih"] @ x + p["bias_ih"] if "bias_ih" in p else p["weight_ih"] @ x


def min_gru(layer, p, x, state, t):
    z, n = _of_input(p, x).chunk(2)
    return ((1 - z.sigmoid()) * state[0] + z.sigmoid() * n,)


def min_lstm(layer, p, x, state, t):
    f, i, n = _of_input(p, x).chunk(3)
    f, i = f.sigmoid(), i.sigmoid()
    return (f / (f + i) * state[0] + i / (f + i) * n,)


def clockwork(layer, p, x, state, t):
    (h,) = state
    count = len(layer.periods)
    size, rest = divmod(len(h), count)
    period = [q for place, q in enumerate(layer.periods) for _ in range(size + (place < rest))]
    units = []
    for unit, own in enumerate(period):
        a = p["weight_ih"][unit] @ x
        a = a + sum(p["weight_hh"][unit, other] * h[other] for other in range(len(h)) if period[other] >= own)
        if "bias_ih" in p:
            a = a + p["bias_ih"][unit] + p["bias_hh"][unit]
        units.append(nonlinear(layer, a) if t % own == 0 else h[unit])
    return (torch.stack(units),)


def scrn(layer, p, x, state, t):
    h, s = state[0][: -layer.context_size], state[0][-layer.context_size :]
    s = 0.05 * (p["weight_ic"] @ x) + 0.95 * s
    a = p["weight_ih"] @ x + p["weight_ch"] @ s + p["weight_hh"] @ h
    return (torch.cat([(a + p["bias_ih"] if "bias_ih" in p else a).sigmoid(), s]),)


STEPS = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
    "leaky": leaky,
    "indrnn": indrnn,
    "peephole": peephole,
    "coupled": coupled,
    "gru_before": gru_before,
    "layer_lstm": layer_lstm,
    "layer_gru": layer_gru,
    "min_gru": min_gru,
    "min_lstm": min_lstm,
    "clockwork": clockwork,
    "scrn": scrn,
    "dilated_rnn": rnn,
    "dilated_lstm": lstm,
    "dilated_gru": gru,
}


def tensors_of(layer, suffix):
    """Parameters and buffers of one layer in one direction, by the names of the formulas."""
    found = {**dict(layer.named_parameters()), **dict(layer.named_buffers())}
    return {name.removesuffix(suffix): value for name, value in found.items() if name.endswith(suffix)}


def by_hand(name, layer, rows, hx, zoneout=()):
    """The whole layer, row by row.

    Args:
        name: of the cell in `elman.nn.CELLS`.
        rows: inputs [n, I].
        hx: states [slots, B, size].
        zoneout: for each state the share of the old value that is kept.
    Returns:
        outputs [n, D * H] of every row, and the final states as hx.
    """
    finals = [torch.zeros_like(state) for state in hx]
    outputs = [[] for _ in rows]
    for b, row in enumerate(rows):
        slot = 0
        for index in range(layer.num_layers):
            both = []
            for reverse in (False, True)[: 1 + layer.bidirectional]:
                p = tensors_of(layer, f"_l{index}_reverse" if reverse else f"_l{index}")
                skip = layer.dilation * 2**index if name.startswith("dilated") else 1
                # states[t] is that of `skip` steps before step t
                states = [tuple(state[slot + i, b] for state in hx) for i in range(skip)]
                for t, x in enumerate(row.flip(0) if reverse else row):
                    new = STEPS[name](layer, p, x, states[t], t)
                    if zoneout:
                        new = tuple(z * o + (1 - z) * n for z, o, n in zip(zoneout, states[t], new, strict=True))
                    states.append(new)
                for i, state in enumerate(states[len(states) - skip :]):
                    for final, value in zip(finals, state, strict=True):
                        final[slot + i, b] = value
                h = [state[0] for state in states[skip:]]
                both.append(h[::-1] if reverse else h)
                slot += skip
            row = torch.stack([torch.cat(pair) for pair in zip(*both, strict=True)]) if len(row) else row
        outputs[b] = row
    return outputs, finals
