"""Regularisation inside the recurrence: what it does in training, what in evaluation, and what it leaves alone."""

import pytest
import torch

from elman import nn, ops
from elman.errors import UsageError
from elman.nn import CELLS
from elman.ops import ragged
from loops import by_hand
from tolerances import close

LENGTHS = [7, 5, 3, 1, 0]


def build(name, input_size=5, hidden_size=6, **options):
    torch.manual_seed(2)
    layer = CELLS[name](input_size, hidden_size, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.5)
    return layer


def flat(state):
    return state if isinstance(state, tuple) else (state,)


def zeros(layer, batch):
    return tuple(torch.zeros(layer._slots, batch, size, dtype=torch.float64) for size in layer._state_sizes())


def echo(cell, **options):
    """A layer without memory of its own: h_t = x_t + h_(t-1) with relu, so that a mask is seen as it is."""
    layer = CELLS[cell](4, 4, bias=False, nonlinearity="relu", dtype=torch.float64, **options)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            parameter.copy_(torch.eye(4) if name.startswith("weight") else torch.ones(1, 4))
    return layer


# --- zoneout ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
def test_zoneout_keeps_its_share_in_evaluation(name):
    has_c = ops.CELLS[build(name).cell].states > 1
    options = {"zoneout_cell": 0.4} if has_c else {}
    layer = build(name, num_layers=2, bidirectional=True, zoneout=0.3, **options).eval()
    x = torch.randn(7, 5, 5, dtype=torch.float64)
    output, state = layer(x, lengths=LENGTHS)
    rates = (0.3, 0.4)[: 1 + has_c]
    if name == "scrn":  # whose slow units keep their share anyway
        rates = (torch.tensor([0.3] * 5 + [0.0], dtype=torch.float64),)
    rows, finals = by_hand(name, layer, [x[:n, b] for b, n in enumerate(LENGTHS)], zeros(layer, 5), rates)
    for b, n in enumerate(LENGTHS):
        close(output[:n, b], rows[b].view(n, 12))
    for actual, expected in zip(flat(state), finals, strict=True):
        close(actual, expected)


@pytest.mark.parametrize("name", ["rnn", "gru", "leaky", "min_gru", "dilated_gru"])
def test_in_training_a_unit_keeps_its_state_or_moves(name):
    layer = build(name, zoneout=0.4)
    x = torch.randn(1, 5, dtype=torch.float64).expand(4000, 5)[None]
    h_0 = torch.randn(1, 1, 6, dtype=torch.float64).expand(1, 4000, 6)
    drawn = layer(x, h_0)[0][0]
    layer.zoneout = 0.0
    moved = layer(x, h_0)[0][0]
    kept = (drawn - h_0[0]).abs() < 1e-12
    close(drawn[~kept], moved[~kept])
    assert (kept.double().mean(0) - 0.4).abs().max() < 4 * (0.24 / 4000) ** 0.5
    layer.zoneout = 0.4
    evaluated = layer.eval()(x[:, :1], h_0[:, :1])[0][0, 0]
    spread = (moved - h_0[0]).abs()[0] * (0.24 / 4000) ** 0.5
    assert ((drawn.mean(0) - evaluated).abs() < 4 * spread + 1e-12).all()  # the expectation of one step


def test_zoneout_of_h_and_of_c_are_two():
    x = torch.randn(1, 50, 5, dtype=torch.float64)
    start = tuple(torch.randn(1, 50, 6, dtype=torch.float64) for _ in range(2))
    _, plain = build("lstm")(x, start)
    for index, name in enumerate(("zoneout", "zoneout_cell")):
        _, state = build("lstm", **{name: 0.5})(x, start)
        is_kept = state[index] == start[index]
        assert 0.3 < is_kept.double().mean() < 0.7
    close(build("lstm", zoneout=0.5)(x, start)[1][1], plain[1])


# --- masks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "indrnn", "dilated_rnn"])
def test_recurrent_dropout_is_one_mask_for_all_steps_of_a_text(cell):
    layer = echo(cell, recurrent_dropout=0.5, **({"dilation": 2} if cell == "dilated_rnn" else {}))
    skip = 2 if cell == "dilated_rnn" else 1
    ones = torch.ones(layer._slots, 300, 4, dtype=torch.float64)
    output, _ = layer(torch.zeros(6, 300, 4, dtype=torch.float64), ones)
    mask = output[0]
    assert torch.equal(mask.unique(), torch.tensor([0.0, 2.0], dtype=torch.float64))
    assert 0.4 < (mask == 0).double().mean() < 0.6
    assert not torch.equal(mask[0], mask[1]) or not torch.equal(mask[1], mask[2])
    for t in range(6):
        assert torch.equal(output[t], mask ** (t // skip + 1))
    assert torch.equal(layer.eval()(torch.zeros(6, 300, 4, dtype=torch.float64), ones)[0], torch.ones(6, 300, 4))


@pytest.mark.parametrize("lengths", [None, [4, 0, 6, 2] * 30])
def test_input_dropout_is_one_mask_for_all_steps_of_a_text(lengths):
    layer = echo("rnn", input_dropout=0.25)
    layer.weight_hh_l0.detach().zero_()
    x = torch.rand(6, 120, 4, dtype=torch.float64) + 1
    ratio = layer(x, lengths=lengths)[0] / x
    first = ratio[0]
    assert {round(value, 6) for value in first.unique().tolist()} == {0.0, round(4 / 3, 6)}
    for t in range(6):
        alive = torch.ones(120, dtype=torch.bool) if lengths is None else torch.tensor(lengths) > t
        close(ratio[t, alive], first[alive])
        assert (ratio[t, ~alive] == 0).all()
    close(layer.eval()(x)[0], x)


def test_masks_differ_between_layers_directions_and_calls():
    layer = build("lstm", num_layers=2, bidirectional=True, recurrent_dropout=0.5)
    seen, original = [], layer._recurrent_mask
    layer._recurrent_mask = lambda h_0: seen.append(original(h_0)) or seen[-1]
    x = torch.randn(3, 8, 5, dtype=torch.float64)
    layer(x), layer(x)
    assert len(seen) == 8 and len({tuple(mask.flatten().tolist()) for mask in seen}) == 8


@pytest.mark.parametrize("name", [n for n in CELLS if ops.CELLS[build(n).cell].product])
def test_weight_drop_leaves_the_stored_weight_alone(name):
    layer = build(name, weight_drop=0.5)
    stored = {key: value.clone() for key, value in layer.state_dict().items()}
    x = torch.randn(7, 3, 5, dtype=torch.float64)
    first, second = layer(x)[0], layer(x)[0]
    assert not torch.allclose(first, second)
    first.square().sum().backward()
    assert all(torch.equal(value, stored[key]) for key, value in layer.state_dict().items())
    dropped = layer.weight_hh_l0.grad == 0  # elements that took no part at any step
    assert 0.25 < dropped.double().mean() < 0.95 and not dropped.all()
    plain = build(name)
    assert torch.equal(layer.eval()(x)[0], plain(x)[0])


def test_weight_drop_equals_a_layer_with_the_dropped_matrix():
    layer, x = build("lstm", weight_drop=0.5), torch.randn(7, 3, 5, dtype=torch.float64)
    torch.manual_seed(9)
    actual = layer(x)[0]
    torch.manual_seed(9)
    with torch.no_grad():
        layer.weight_hh_l0.copy_(torch.nn.functional.dropout(layer.weight_hh_l0, 0.5))
    close(actual, layer.eval()(x)[0])


def test_evaluation_and_inference_draw_nothing():
    rates = dict.fromkeys(("input_dropout", "recurrent_dropout", "zoneout", "zoneout_cell", "weight_drop"), 0.5)
    layer = build("lstm", num_layers=2, **rates).eval()
    x = torch.randn(7, 3, 5, dtype=torch.float64)
    before = torch.get_rng_state()
    expected = layer(x)[0]
    with torch.no_grad():
        close(layer(x)[0], expected)
        state = None
        for t, x_t in enumerate(x):
            output, state = layer.step(x_t, state)
            close(output, expected[t])
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.allclose(layer.train()(x)[0], expected)


def test_a_seed_repeats_every_mask():
    rates = dict.fromkeys(("input_dropout", "recurrent_dropout", "zoneout", "zoneout_cell", "weight_drop"), 0.3)
    layer, x = build("peephole", num_layers=2, bidirectional=True, **rates), torch.randn(7, 3, 5, dtype=torch.float64)
    outputs = []
    for _ in range(2):
        torch.manual_seed(4)
        outputs.append(layer(x)[0])
    assert torch.equal(*outputs)


# --- the gradient's way -----------------------------------------------------------------------------------------------


def gradients_of(layer, x, batch_sizes, upstream):
    border = torch.nn.utils.rnn.PackedSequence(x, batch_sizes)
    output, _ = layer(border)
    names = [name for name in ops.Weights._fields if hasattr(layer, name + "_l0")]
    leaves = [x, *(getattr(layer, name + "_l0") for name in names)]
    return names, torch.autograd.grad(output.data, leaves, upstream)


@pytest.mark.parametrize(
    "options",
    [{"bptt_truncate": 2}, {"bptt_truncate": 1}, {"clip_recurrent": 0.05}, {"bptt_truncate": 3, "clip_recurrent": 0.1}],
    ids=str,
)
@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "peephole", "leaky", "indrnn", "min_gru"])
@pytest.mark.parametrize("training", [True, False])
def test_truncation_and_clipping_are_the_references(name, options, training):
    layer = build(name, **options).train(training)
    batch_sizes = ragged.batch_sizes_of(torch.tensor([6, 4, 1]))
    x = torch.randn(11, 5, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(11, 6, dtype=torch.float64)
    names, found = gradients_of(layer, x, batch_sizes, upstream)
    state_0 = tuple(torch.zeros(3, 6, dtype=torch.float64) for _ in range(ops.CELLS[layer.cell].states))
    wanted = ops.Options(options.get("bptt_truncate"), clip=options.get("clip_recurrent", 0.0))
    weights = layer._weights(0, False)
    expected = ops.reference.recurrent_backward(
        layer.cell, upstream, tuple(map(torch.zeros_like, state_0)), x, batch_sizes, state_0, weights, options=wanted
    )
    close(found[0], expected.dx)
    for field, actual in zip(names, found[1:], strict=True):
        close(actual, getattr(expected.dweights, field))
    for name in options:
        setattr(layer, name, None if name == "bptt_truncate" else 0.0)
    _, free = gradients_of(layer, x, batch_sizes, upstream)
    assert not torch.allclose(free[0], found[0])


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "clockwork"])
def test_information_flow_adds_to_the_recurrent_matrix_in_training_only(name):
    layer = build(name, information_flow=0.7)
    batch_sizes = ragged.batch_sizes_of(torch.tensor([6, 4, 1]))
    x = torch.randn(11, 5, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(11, 6, dtype=torch.float64)
    names, found = gradients_of(layer, x, batch_sizes, upstream)
    _, plain = gradients_of(layer.eval(), x, batch_sizes, upstream)
    layer.train().information_flow = 1.4
    _, doubled = gradients_of(layer, x, batch_sizes, upstream)
    for field, term, none, twice in zip(["data", *names], found, plain, doubled, strict=True):
        if field == "weight_hh":
            assert not torch.allclose(term, none)
            close(twice - none, 2 * (term - none))
        else:
            close(term, none)


def test_scrn_clips_h_as_if_it_ran_by_itself():
    """Its two parts run as other cells, where h is another number: what is clipped is the gradient of h."""
    layer = build("scrn", context_size=2, clip_recurrent=0.01)
    x = torch.randn(4, 1, 5, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(4, 1, 6, dtype=torch.float64)
    upstream[..., 4:] = 0
    actual = torch.autograd.grad(layer(x)[0], layer.weight_hh_l0, upstream)[0]
    with torch.no_grad():
        output = layer(x)[0][:, 0]
        h, matrix = output[:, :4], layer.weight_hh_l0
        carried, expected = torch.zeros(4, dtype=torch.float64), torch.zeros_like(matrix)
        for t in reversed(range(4)):
            da = (upstream[t, 0, :4] + carried) * h[t] * (1 - h[t])
            before = h[t - 1] if t else torch.zeros(4, dtype=torch.float64)
            expected += torch.outer(da, before)
            carried = (matrix.T @ da).clamp(-0.01, 0.01)
    close(actual, expected)


def test_an_accelerated_layer_of_torch_takes_the_options_too():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.LSTM(5, 6, dtype=torch.float64))
    ours = nn.LSTM(5, 6, dtype=torch.float64, bptt_truncate=2, zoneout=0.25).eval()
    ours.load_state_dict(model[0].state_dict())
    nn.accelerate(model)
    model[0].bptt_truncate, model[0].zoneout = 2, 0.25
    x = torch.randn(7, 3, 5, dtype=torch.float64)
    outputs = [layer(x)[0] for layer in (model.eval()[0], ours)]
    assert torch.equal(*outputs)
    grads = [
        torch.autograd.grad(output.sum(), layer.parameters())
        for output, layer in zip(outputs, (model, ours), strict=True)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        *(
            ("lstm", {rate: value}, f"{rate} must be at least 0 and below 1, got {value:g}")
            for rate in ("input_dropout", "recurrent_dropout", "zoneout", "zoneout_cell", "weight_drop")
            for value in (-0.1, 1.0)
        ),
        ("lstm", {"zoneout": float("nan")}, "zoneout must be at least 0 and below 1, got nan"),
        ("rnn", {"bptt_truncate": 0}, "bptt_truncate must be at least 1, or None for no truncation, got 0"),
        ("peephole", {"bptt_truncate": -3}, "bptt_truncate must be at least 1, or None for no truncation, got -3"),
        ("gru", {"clip_recurrent": -1.0}, "clip_recurrent must be at least 0, got -1"),
        ("gru", {"information_flow": -1.0}, "information_flow must be at least 0, got -1"),
        ("rnn", {"information_flow": 1.0, "bptt_truncate": 5}, "does not go with bptt_truncate"),
        ("gru", {"information_flow": 1.0, "clip_recurrent": 5.0}, "does not go with clip_recurrent"),
        ("gru", {"zoneout_cell": 0.1}, "zoneout_cell is for cells with a state c, got 0.1 for GRU"),
        ("indrnn", {"weight_drop": 0.1}, "weight_drop is for cells with a recurrent matrix, got 0.1 for IndRNN"),
        ("min_gru", {"recurrent_dropout": 0.1}, "whose state enters a product, got 0.1 for MinGRU"),
        ("peephole", {"information_flow": 1.0}, "information_flow is for cells of rnn, lstm or gru, got 1 for Peep"),
        ("scrn", {"bptt_truncate": 4}, "bptt_truncate is for other cells, got 4 for SCRN"),
        ("scrn", {"recurrent_dropout": 0.5}, "recurrent_dropout is for other cells, got 0.5 for SCRN"),
        (
            "lstm",
            {"zonout": 0.1},
            "LSTM has no argument 'zonout'; beside torch.nn's there are proj_size, input_dropout",
        ),
        ("coupled", {"leak": 0.1}, "CoupledLSTM has no argument 'leak'"),
    ],
    ids=str,
)
def test_what_cannot_be_meant(name, options, message):
    """Neither in the constructor nor set later."""
    with pytest.raises(UsageError, match=message):
        CELLS[name](5, 6, **options)
    layer = CELLS[name](5, 6)
    if not all(hasattr(layer, option) for option in options):
        return
    for option, value in options.items():
        setattr(layer, option, value)
    with pytest.raises(UsageError, match=message):
        layer(torch.zeros(7, 2, 5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.LeakyRNN(3, 4, leak=0.0), "leak must be above 0 and at most 1, or 'log' or 'learned', got 0.0"),
        (lambda: nn.LeakyRNN(3, 4, leak=1.5), "got 1.5"),
        (lambda: nn.LeakyRNN(3, 4, leak="slow"), "got 'slow'"),
        (lambda: nn.LeakyRNN(3, 4, memory=0), "memory of at least 1 step, got 0"),
        (lambda: nn.ClockworkRNN(3, 4, periods=(2, 2)), r"periods must rise from at least 1, .* got \(2, 2\)"),
        (lambda: nn.ClockworkRNN(3, 4, periods=(0, 2)), r"got \(0, 2\)"),
        (lambda: nn.ClockworkRNN(3, 2, periods=(1, 2, 4)), r"at most 2 modules, got \(1, 2, 4\)"),
        (lambda: nn.ClockworkRNN(3, 4, periods=()), r"got \(\)"),
        (lambda: nn.SCRN(3, 4, context_size=4), "context_size must be at least 1 and below 4, got 4"),
        (lambda: nn.SCRN(3, 3, context_size=0), "context_size must be at least 1 and below 3, got 0"),
        (lambda: nn.SCRN(3, 1), "expected a hidden_size of at least 2, got 1"),
        (lambda: nn.DilatedGRU(3, 4, dilation=0), "dilation must be at least 1, got 0"),
        (lambda: nn.IndRNN(3, 4, nonlinearity="sine"), "Unknown nonlinearity 'sine'"),
        (lambda: nn.PeepholeLSTM(0, 4), "input_size must be greater than zero, got 0"),
        (lambda: nn.PeepholeLSTM(3, 4, dropout=2), "dropout must be at least 0 and at most 1, got 2"),
    ],
)
def test_what_a_cell_cannot_be_made_of(make, message):
    with pytest.raises(UsageError, match=message):
        make()
