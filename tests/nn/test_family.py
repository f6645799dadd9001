"""Each layer of the family against its formulas in plain float64 loops: outputs, states, every gradient, every form."""

import copy

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from elman import nn, ops
from elman.nn import CELLS, ClockworkRNN
from loops import by_hand
from tolerances import close

LENGTHS = [3, 0, 7, 1, 5]
STACKS = [
    {},
    {"num_layers": 2, "bidirectional": True},
    {"bidirectional": True, "bias": False},
    {"num_layers": 3, "batch_first": True},
]
OWN = [
    *((name, {}) for name in CELLS),
    *((name, {"nonlinearity": "relu"}) for name in ("leaky", "clockwork", "dilated_rnn")),
    ("indrnn", {"nonlinearity": "tanh"}),
    ("leaky", {"leak": 0.3}),
    ("leaky", {"leak": "learned"}),
    ("clockwork", {"periods": (1, 3)}),
    ("scrn", {"context_size": 5}),
    ("dilated_lstm", {"dilation": 2}),
]


def build(name, hidden_size=6, **options):
    """A layer whose every parameter is random, so that no two may be mixed up."""
    torch.manual_seed(2)
    layer = CELLS[name](5, hidden_size, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.5)
    return layer


def random_states(layer, batch):
    """Different in every slot, row and unit, and far from zero."""
    sizes = layer._state_sizes()
    return tuple(torch.randn(layer._slots, batch, size, dtype=torch.float64, requires_grad=True) for size in sizes)


def given(states):
    return states if len(states) > 1 else states[0]


def flat(state):
    return state if isinstance(state, tuple) else (state,)


@pytest.mark.parametrize("stack", STACKS, ids=str)
@pytest.mark.parametrize(("name", "own"), OWN, ids=str)
def test_equals_the_loop(name, own, stack):
    layer = build(name, **own, **stack)
    x = torch.randn(5, 7, 5, dtype=torch.float64, requires_grad=True)
    states = random_states(layer, 5)
    rows, finals = by_hand(name, layer, [x[b, :n] for b, n in enumerate(LENGTHS)], states)
    padded = x if layer.batch_first else x.transpose(0, 1)
    output, state = layer(padded, given(states), lengths=LENGTHS)
    output = output if layer.batch_first else output.transpose(0, 1)
    pairs = [(output[b, :n], rows[b]) for b, n in enumerate(LENGTHS) if n]
    pairs += list(zip(flat(state), finals, strict=True))
    for actual, expected in pairs:
        close(actual, expected)
    for b, n in enumerate(LENGTHS):
        assert (output[b, n:] == 0).all()
    upstream = [torch.randn_like(expected) for _, expected in pairs]
    leaves = [x, *states, *layer.parameters()]
    grads = [
        torch.autograd.grad(side, leaves, upstream, retain_graph=True, allow_unused=True)
        for side in zip(*pairs, strict=True)
    ]
    for actual, expected in zip(*grads, strict=True):
        assert actual is not None
        close(actual, torch.zeros_like(actual) if expected is None else expected)


@pytest.mark.parametrize(("name", "own"), OWN, ids=str)
def test_gradients_are_those_of_finite_differences(name, own):
    layer = build(name, 4, bidirectional=True, **({"context_size": 1} if name == "scrn" else own))
    x = torch.randn(4, 2, 5, dtype=torch.float64, requires_grad=True)
    states = random_states(layer, 2)

    def call(x, *leaves):
        tensors = dict(zip((n for n, _ in layer.named_parameters()), leaves[len(states) :], strict=True))
        output, state = torch.func.functional_call(layer, tensors, (x, given(leaves[: len(states)]), [4, 2]))
        return output, *flat(state)

    leaves = [x, *states, *(p.detach().requires_grad_() for p in layer.parameters())]
    assert torch.autograd.gradcheck(call, leaves, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", CELLS)
def test_every_form_of_input_gives_the_same(name):
    layer = build(name, num_layers=2, bidirectional=True)
    x = torch.randn(7, 5, 5, dtype=torch.float64)
    states = random_states(layer, 5)
    output, final = layer(x, given(states), lengths=LENGTHS)
    longer = [n for n in LENGTHS if n]
    kept = [b for b, n in enumerate(LENGTHS) if n]
    packed = pack_padded_sequence(x[:, kept], torch.tensor(longer), enforce_sorted=False)
    result, state = layer(packed, given(tuple(s[:, kept] for s in states)))
    assert isinstance(result, PackedSequence)
    close(torch.nn.utils.rnn.pad_packed_sequence(result)[0], output[:, kept])
    for actual, expected in zip(flat(state), flat(final), strict=True):
        close(actual, expected[:, kept])
    for b in kept:
        alone, state = layer(x[: LENGTHS[b], b], given(tuple(s[:, b] for s in states)))
        close(alone, output[: LENGTHS[b], b])
        for actual, expected in zip(flat(state), flat(final), strict=True):
            close(actual, expected[:, b])


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("name", [name for name in CELLS if name != "clockwork"])  # whose clocks begin with each call
def test_a_stream_in_pieces_equals_one_call(name, gradients):
    layer = build(name, num_layers=3)
    x = torch.randn(9, 2, 5, dtype=torch.float64)
    whole, final = layer(x)
    state, outputs = None, []
    with torch.set_grad_enabled(gradients):
        for piece in x.split([4, 1, 2, 2]):
            output, state = layer(piece, state)
            outputs.append(output)
        close(torch.cat(outputs), whole)
        state, outputs = None, []
        for x_t in x:
            output, state = layer.step(x_t, state)
            outputs.append(output)
    close(torch.stack(outputs), whole)
    for actual, expected in zip(flat(state), flat(final), strict=True):
        close(actual, expected)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", CELLS)
def test_inference_equals_training(name, bias):
    layer = build(name, 17, num_layers=2, bidirectional=True, bias=bias)
    x = torch.randn(7, 5, 5, dtype=torch.float64)
    states = random_states(layer, 5)
    expected, final = layer(x, given(states))
    with torch.no_grad():
        output, state = layer(x, given(states))
    assert not output.requires_grad
    for actual, wanted in zip((output, *flat(state)), (expected, *flat(final)), strict=True):
        close(actual, wanted)


@pytest.mark.parametrize(("name", "own"), OWN, ids=str)
def test_checkpoints_hold_the_whole_layer(name, own):
    layer = build(name, num_layers=2, bidirectional=True, learn_state=True, **own)
    other = CELLS[name](5, 6, 2, bidirectional=True, dtype=torch.float64, learn_state=True, **own)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(4, 2, 5, dtype=torch.float64)
    expected = layer(x)[0]
    assert torch.equal(other(x)[0], expected)
    assert torch.equal(copy.deepcopy(layer)(x)[0], expected)


@pytest.mark.parametrize(
    ("name", "own", "beside"),
    [
        ("peephole", {}, {"weight_peephole_l0": (3, 6)}),
        ("indrnn", {}, {"recurrent_l0": (1, 6), "weight_hh_l0": None, "bias_hh_l0": None}),
        ("leaky", {"leak": "learned"}, {"leak_logit_l0": (1, 6)}),
        ("leaky", {}, {"leak_l0": (1, 6)}),
        ("layer_lstm", {}, {"norm_gates_l0": (2, 24), "norm_cell_l0": (2, 6)}),
        ("layer_gru", {}, {"norm_gates_l0": (2, 18)}),
        ("min_gru", {}, {"weight_hh_l0": None, "bias_hh_l0": None}),
        ("scrn", {}, {"weight_ih_l0": (5, 5), "weight_ch_l0": (5, 1), "weight_ic_l0": (1, 5), "bias_hh_l0": None}),
    ],
    ids=str,
)
def test_parameters_have_torch_nns_names_and_a_few_more(name, own, beside):
    gates = {"layer_lstm": 4, "peephole": 4, "layer_gru": 3, "min_gru": 2}.get(name, 1)
    sizes = {"weight_ih_l0": (6 * gates, 5), "weight_hh_l0": (6 * gates, 6)}
    sizes |= {"bias_ih_l0": (6 * gates,), "bias_hh_l0": (6 * gates,)}
    if name == "scrn":
        sizes |= {"weight_hh_l0": (5, 5), "bias_ih_l0": (5,)}
    wanted = {key: size for key, size in {**sizes, **beside}.items() if size is not None}
    found = build(name, **own).state_dict()
    assert {key: tuple(value.shape) for key, value in found.items()} == wanted


@pytest.mark.parametrize("name", CELLS)
def test_the_learned_initial_state(name):
    layer = build(name, num_layers=2, bidirectional=True, learn_state=True)
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    learned = tuple(getattr(layer, key) for key in ("h_0", "c_0")[: len(layer._state_sizes())])
    output, state = layer(x, lengths=[3, 0, 2, 1])
    same, _ = layer(x, given(tuple(s.unsqueeze(1).expand(-1, 4, -1) for s in learned)), lengths=[3, 0, 2, 1])
    assert torch.equal(output, same)
    for final, start in zip(flat(state), learned, strict=True):
        close(final[:, 1], start)  # a row of length zero
    output.square().sum().backward()
    assert all(state.grad is not None and (state.grad != 0).any() for state in learned)
    fresh = CELLS[name](5, 6, learn_state=True)
    assert all((getattr(fresh, key) == 0).all() for key in ("h_0", "c_0") if hasattr(fresh, key))


def test_a_learned_state_is_used_by_small_inference_and_steps_too():
    layer = build("lstm", learn_state=True)
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    expected = layer(x)[0]
    with torch.no_grad():
        close(layer(x)[0], expected)
        close(layer.step(x[0])[0], expected[0])
        assert torch.equal(layer.h_0, build("lstm", learn_state=True).h_0)


def test_leaks_are_spaced_over_the_units():
    log = nn.LeakyRNN(3, 5, memory=16).leak_l0[0]
    close(log, torch.tensor([1.0, 0.5, 0.25, 0.125, 0.0625]), kind="classifier")
    learned = nn.LeakyRNN(3, 5, leak="learned", memory=16)
    start = torch.sigmoid(learned.leak_logit_l0.detach())[0]
    close(start[[0, 4]], torch.tensor([0.9, 0.0625]), kind="classifier")
    assert (start.diff() < 0).all()


@pytest.mark.parametrize("name", CELLS)
def test_the_printed_layer_tells_its_options(name):
    layer = CELLS[name](5, 6, zoneout=0.25, bptt_truncate=None if name == "scrn" else 3)
    assert "5, 6" in repr(layer) and "zoneout=0.25" in repr(layer)
    assert ("bptt_truncate=3" in repr(layer)) == (name != "scrn")


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("loud", [1e9, 1e38])
def test_a_clock_that_rests_keeps_its_state_to_the_bit(loud, gradients):
    layer = ClockworkRNN(1, 2, nonlinearity="relu", periods=[1, 2])
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_ih_l0.fill_(1.0)
    with torch.set_grad_enabled(gradients):
        output, _ = layer(torch.tensor([1.0, loud, 0.5, 3.0])[:, None, None])
        native = output[:, 0, 1]
        with ops.use_backend("reference"):
            reference = layer(torch.tensor([1.0, loud, 0.5, 3.0])[:, None, None])[0][:, 0, 1]
    assert native.tolist() == reference.tolist() == [1.0, 1.0, 0.5, 0.5]
