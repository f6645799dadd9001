"""`Stateful`: chunks equal one uninterrupted call, documents equal documents alone, and a loaded stream goes on."""

import copy
from itertools import pairwise

import pytest
import torch
from safetensors.torch import load, save
from torch.nn.utils.rnn import pack_sequence

from elman import nn
from elman.errors import ShapeError, UsageError
from elman.ops import Options, Weights, reference
from tolerances import close

STEPS, STREAMS = 11, 3


class Gated(torch.nn.Module):
    """A user's cell."""

    def __init__(self):
        super().__init__()
        self.gate = torch.nn.Linear(3 + 5, 5, dtype=torch.float64)

    def forward(self, x_t, h):
        h = h + torch.tanh(self.gate(torch.cat([x_t, h], 1)))
        return h, h


def gated():
    return nn.Recurrence(Gated(), 3, 5, learn_state=True).double()


LAYERS = {
    "rnn": lambda: nn.RNN(3, 5, dtype=torch.float64),
    "lstm": lambda: nn.LSTM(3, 5, 2, dtype=torch.float64),
    "gru": lambda: nn.GRU(3, 5, batch_first=True, dtype=torch.float64),
    "projected": lambda: nn.LSTM(3, 5, proj_size=2, dtype=torch.float64),
    "recurrence": gated,
    "stack": lambda: nn.Stack(3, [7, 7, 5], "lstm", residual=True, learn_state=True, dtype=torch.float64),
}
FAMILY = {name: lambda name=name: nn.CELLS[name](3, 5, 2, dtype=torch.float64) for name in nn.CELLS}
FAMILY["clockwork"] = lambda: nn.ClockworkRNN(3, 5, 2, periods=(1, 3, 4), dtype=torch.float64)


def make(name):
    torch.manual_seed(4)
    layer = {**LAYERS, **FAMILY}[name]()
    for parameter in layer.parameters():  # the learned initial state too is not zero
        torch.nn.init.normal_(parameter, std=0.4)
    return layer, torch.randn(STEPS, STREAMS, 3, dtype=torch.float64)


def turned(layer, tensor):
    return tensor.transpose(0, 1) if layer.batch_first else tensor


def read(stream, x, size, starts=None):
    """Outputs [T, B, H] of consecutive chunks, and the last state."""
    outputs, flags = [], [None] * STEPS if starts is None else starts.split(size)
    for chunk, flag in zip(x.split(size), flags, strict=False):
        flag = flag.T if flag is not None and stream.batch_first else flag
        output, state = stream(turned(stream, chunk), flag)
        outputs.append(turned(stream, output))
    return torch.cat(outputs), state


def parts(state):
    return [state] if isinstance(state, torch.Tensor) else [part for inner in state for part in parts(inner)]


def detached(state):
    return state.detach() if isinstance(state, torch.Tensor) else type(state)(map(detached, state))


@pytest.mark.parametrize("overlap", [0, 1, 4, 20])
@pytest.mark.parametrize("size", [1, 3, 4, STEPS])
@pytest.mark.parametrize("name", LAYERS)
def test_chunks_equal_one_uninterrupted_call(name, size, overlap):
    layer, x = make(name)
    expected, final = layer(turned(layer, x))
    output, state = read(nn.Stateful(layer, overlap), x, size)
    close(output, turned(layer, expected))
    assert type(state) is type(final)
    for actual, wanted in zip(parts(state), parts(final), strict=True):
        close(actual, wanted)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_detached_chunks(name):
    layer, x = make(name)
    x.requires_grad_()
    leaves, upstream = [x, *layer.parameters()], torch.randn(STEPS, STREAMS, 2 if name == "projected" else 5).double()
    actual = torch.autograd.grad((read(nn.Stateful(layer), x, 4)[0] * upstream).sum(), leaves)
    loss, state = 0, None
    for chunk, weight in zip(x.split(4), upstream.split(4), strict=True):
        output, state = layer(turned(layer, chunk), state)
        state = detached(state)
        loss = loss + (turned(layer, output) * weight).sum()
    close(actual, torch.autograd.grad(loss, leaves))
    whole = torch.autograd.grad((turned(layer, layer(turned(layer, x))[0]) * upstream).sum(), leaves)
    assert not torch.allclose(actual[1], whole[1])


def documents():
    """Where documents begin: at a chunk's first step, inside, twice inside, at its last step, and never."""
    starts = torch.zeros(STEPS, STREAMS, dtype=torch.bool)
    for step, stream in [(4, 0), (2, 0), (1, 1), (3, 1), (6, 1), (10, 1)]:
        starts[step, stream] = True
    return starts


def one_by_one(layer, x, starts):
    """Every document by itself."""
    columns = []
    for stream in range(STREAMS):
        cuts = [0, *starts[:, stream].nonzero()[:, 0].tolist(), STEPS]
        pieces = [x[a:b, stream : stream + 1] for a, b in pairwise(cuts) if b > a]
        columns.append(torch.cat([turned(layer, layer(turned(layer, part))[0]) for part in pieces]))
    return torch.cat(columns, 1)


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize("size", [1, 4, STEPS])
@pytest.mark.parametrize("name", LAYERS)
def test_documents_equal_documents_alone(name, size, overlap):
    layer, x = make(name)
    output, _ = read(nn.Stateful(layer, overlap), x, size, documents())
    close(output, one_by_one(layer, x, documents()))


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_stop_where_a_document_begins(name):
    layer, x = make(name)
    x.requires_grad_()
    leaves = [x, *layer.parameters()]
    actual, expected = read(nn.Stateful(layer), x, STEPS, documents())[0], one_by_one(layer, x, documents())
    upstream = torch.randn_like(expected)
    close(torch.autograd.grad(actual, leaves, upstream), torch.autograd.grad(expected, leaves, upstream))


def test_starts_per_stream_are_those_at_the_first_step():
    layer, x = make("lstm")
    streams = [nn.Stateful(copy.deepcopy(layer)) for _ in range(3)]
    starts = torch.zeros(5, STREAMS, dtype=torch.bool)
    starts[0, 1] = True
    results = []
    for stream, flag in zip(streams, (starts, starts[0], None), strict=True):
        stream(x[:6])
        if flag is None:
            stream.reset([1])
        results.append(stream(x[6:], flag)[0])
    assert torch.equal(results[0], results[1]) and torch.equal(results[0], results[2])
    close(results[0][:, 1:2], layer(x[6:, 1:2])[0])
    close(results[0][:, ::2], layer(x[:, ::2])[0][6:])


def test_a_chunk_with_documents_inside_is_one_call():
    layer, x = make("lstm")
    calls = []
    layer.register_forward_pre_hook(lambda module, inputs: calls.append(inputs))
    stream = nn.Stateful(layer)
    read(stream, x, STEPS, documents())
    ((data, _, layout),) = calls
    assert len(data) == STEPS * STREAMS
    assert len(layout.batch_sizes) == STEPS and layout.batch_sizes[0] == STREAMS + int(documents().sum())


@pytest.mark.parametrize("name", FAMILY)
def test_every_cell_reads_streams(name):
    layer, x = make(name)
    stream = nn.Stateful(layer, overlap=2)
    close(read(stream, x, 4)[0], layer(x)[0])
    stream.reset()
    close(read(stream, x, 4, documents())[0], one_by_one(layer, x, documents()))


@pytest.mark.parametrize("first", [True, False], ids=["first chunk", "later chunk"])
def test_a_chunk_is_truncated_masked_and_regularised_as_one_call(first):
    """Whatever is run again with it."""
    torch.manual_seed(0)
    options = {"bptt_truncate": 1}, {"recurrent_dropout": 0.5}, {"information_flow": 1.0}
    for option in options:
        layer = nn.RNN(3, 5, dtype=torch.float64, **option)
        x = torch.randn(8, 2, 3, dtype=torch.float64)
        stream = nn.Stateful(layer, overlap=3)
        past = x[:0] if first else torch.randn(3, 2, 3, dtype=torch.float64)  # as many as are run again
        if not first:
            stream(past)
        torch.manual_seed(1)
        stream(x)[0].square().sum().backward()
        found = [parameter.grad.clone() for parameter in layer.parameters()]
        layer.zero_grad()
        torch.manual_seed(1)
        layer(torch.cat([past, x]))[0][-8:].square().sum().backward()
        close(found, [parameter.grad for parameter in layer.parameters()])
        layer.zero_grad()


# --- k1 steps forward, k2 back ----------------------------------------------------------------------------------------


def test_one_step_at_a_time_is_the_references_truncation():
    torch.manual_seed(0)
    layer, x = nn.LSTM(3, 5, dtype=torch.float64), torch.randn(STEPS, STREAMS, 3, dtype=torch.float64)
    doutput, zeros = torch.randn(STEPS, STREAMS, 5, dtype=torch.float64), torch.zeros(STREAMS, 5, dtype=torch.float64)
    for k in (0, 1, 3, STEPS):
        layer.zero_grad()
        (read(nn.Stateful(layer, overlap=k), x, 1)[0] * doutput).sum().backward()
        weights = Weights(*(p.detach() for p in layer.parameters()))
        sizes = torch.full((STEPS,), STREAMS)
        states, options = (zeros, zeros), Options(bptt_truncate=k)
        expected = reference.recurrent_backward(
            "lstm", doutput.flatten(0, 1), states, x.flatten(0, 1), sizes, states, weights, options=options
        ).dweights
        for name, parameter in layer.named_parameters():
            close(parameter.grad, getattr(expected, name.removesuffix("_l0")))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("k1", "k2"), [(3, 3), (3, 4), (3, 7), (2, 6), (4, 40)])
def test_training_by_windows_equals_windows_by_hand(name, k1, k2):
    """The weights change between windows: each starts from the state that the window before had there."""
    layer, x = make(name)
    twin, weight = copy.deepcopy(layer), torch.randn(STEPS, STREAMS, 2 if name == "projected" else 5).double()
    stream, optimizer = nn.Stateful(layer, k2 - k1), torch.optim.SGD(layer.parameters(), 0.1)
    other = torch.optim.SGD(twin.parameters(), 0.1)
    states = {0: None}  # at the steps where windows may begin
    for begin in range(0, STEPS, k1):
        end = min(STEPS, begin + k1)
        optimizer.zero_grad()
        output, _ = stream(turned(layer, x[begin:end]))
        (turned(layer, output) * weight[begin:end]).sum().backward()
        optimizer.step()

        other.zero_grad()
        start = max(0, end - k2) if end == begin + k1 else max(0, begin + k1 - k2)
        outputs, state = [], states[start]
        for t in range(start, end):
            output, state = twin(turned(twin, x[t : t + 1]), state)
            states[t + 1] = detached(state)
            outputs.append(turned(twin, output))
        (torch.cat(outputs)[begin - start :] * weight[begin:end]).sum().backward()
        other.step()
        for actual, expected in zip(layer.parameters(), twin.parameters(), strict=True):
            close(actual, expected)


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_what_a_layer_draws_does_not_depend_on_a_restart():
    torch.manual_seed(0)
    stream, x = nn.Stateful(nn.LSTM(3, 5, 2, dropout=0.5, zoneout=0.3, recurrent_dropout=0.2)), torch.randn(8, 2, 3)
    stream(x[:4])
    again = copy.deepcopy(stream)
    again.load_state_dict(load(save(stream.state_dict())))
    outputs = []
    for each in (stream, again):
        torch.manual_seed(1)
        outputs.append(each(x[4:])[0])
    assert torch.equal(*outputs)


@pytest.mark.parametrize("overlap", [0, 3])
@pytest.mark.parametrize("name", LAYERS)
def test_loaded_in_mid_stream_equals_uninterrupted_to_the_bit(name, overlap):
    layer, x = make(name)
    stream = torch.nn.Sequential(nn.Stateful(layer, overlap))  # its names have a prefix
    read(stream[0], x[:6], 2, documents())
    stream[0].reset([2])
    saved = save({k: v.contiguous() for k, v in stream.state_dict().items()})
    expected = read(stream[0], x[6:], 2, documents()[6:])
    again = torch.nn.Sequential(nn.Stateful(make(name)[0], overlap))
    for parameter in again.parameters():
        torch.nn.init.zeros_(parameter)
    again[0](turned(layer, x[:1, :1]))  # had read another stream before, of another number of rows
    again.load_state_dict(load(saved))
    actual = read(again[0], x[6:], 2, documents()[6:])
    assert torch.equal(actual[0], expected[0])
    for a, e in zip(parts(actual[1]), parts(expected[1]), strict=True):
        assert torch.equal(a, e)


def test_a_checkpoint_from_before_the_stream_begins_it_anew():
    layer, x = make("gru")
    stream = nn.Stateful(layer)
    before = copy.deepcopy(stream.state_dict())
    first = stream(turned(layer, x))[0]
    assert len(stream.state_dict()) > len(before)
    stream.load_state_dict(before)
    assert torch.equal(stream(turned(layer, x))[0], first)
    taken = stream.state_dict()
    copies = {name: tensor.clone() for name, tensor in taken.items()}
    stream.reset([0])
    stream(turned(layer, x))
    assert all(torch.equal(taken[name], tensor) for name, tensor in copies.items())


def test_reset_begins_all_streams_anew_and_allows_another_number():
    layer, x = make("rnn")
    stream = nn.Stateful(layer, overlap=2)
    stream.reset([0])  # nothing to forget
    first = stream(x)[0]
    assert not torch.equal(stream(x)[0], first)
    stream.reset()
    assert torch.equal(stream(x)[0], first)
    stream.reset()
    close(stream(x[:, :2])[0], first[:, :2])
    stream.reset(torch.tensor([False, True]))
    close(stream(x[:, :2])[0][:, 1], first[:, 1])


def test_what_is_carried_does_not_change_with_the_callers_memory():
    layer, x = make("lstm")
    stream, twin = nn.Stateful(layer, overlap=3), nn.Stateful(layer, overlap=3)
    memory = x[:5].clone()
    stream(memory)
    memory.fill_(7)
    twin(x[:5])
    assert torch.equal(stream(x[5:])[0], twin(x[5:])[0])


def test_an_empty_list_resets_no_stream():
    stream, x = nn.Stateful(nn.GRU(3, 5)), torch.randn(4, 2, 3)
    stream(x)
    before = {name: tensor.clone() for name, tensor in stream.state_dict().items()}
    stream.reset([])
    assert all(torch.equal(tensor, before[name]) for name, tensor in stream.state_dict().items())


@pytest.mark.parametrize("overlap", [0, 2])
def test_training_goes_on_after_inference(overlap):
    stream, x = nn.Stateful(nn.GRU(3, 5), overlap), torch.randn(4, 2, 3)
    with torch.inference_mode():
        stream(x)
    stream(x)[0].sum().backward()
    assert stream.layer.weight_hh_l0.grad.isfinite().all()


def test_steps_of_another_size_or_kind():
    stream = nn.Stateful(nn.GRU(3, 5), overlap=2)
    stream(torch.randn(4, 2, 3))
    with pytest.raises(ShapeError, match=r"steps of size \(3,\) as before, got \(4,\)"):
        stream(torch.randn(4, 2, 4))
    with pytest.raises(ShapeError, match=r"a chunk as a tensor.*got PackedSequence"):
        stream(pack_sequence([torch.randn(2, 3)]))


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s(torch.zeros(4, 2, 3)), "chunk of 3 streams as before, got 2"),
        (lambda s: s(torch.zeros(4, 3)), r"\[T, B, I\] of at least one step and stream, got \(4, 3\)"),
        (lambda s: s(torch.zeros(0, 3, 3)), r"of at least one step and stream, got \(0, 3, 3\)"),
        (lambda s: s(torch.zeros(4, 3, 2)), "Expected 3, got 2"),
        (lambda s: s(torch.zeros(4, 3, 3), torch.zeros(2)), r"starts of size \(3,\) or \(4, 3\), got \(2,\)"),
        (lambda s: s(torch.zeros(4, 3, 3), torch.zeros(3, 4)), r"starts of size \(3,\) or \(4, 3\), got \(3, 4\)"),
        (lambda s: s.reset([3]), r"rows of 3 streams, got \[3\]"),
        (lambda s: s.reset(torch.ones(2, dtype=torch.bool)), "rows of 3 streams, got tensor"),
    ],
)
def test_sizes_that_do_not_fit_leave_the_stream_as_it_was(call, message):
    stream = nn.Stateful(nn.RNN(3, 5))
    x = torch.randn(4, 3, 3)
    stream(x)
    before = copy.deepcopy(stream.state_dict())
    with pytest.raises(ShapeError, match=message):
        call(stream)
    after = stream.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items()) and len(after) == len(before)


@pytest.mark.parametrize(
    ("layer", "options", "message"),
    [
        (nn.RNN(3, 5, bidirectional=True), {}, "bidirectional"),
        (torch.nn.LSTM(3, 5), {}, "elman.nn, got torch.nn.LSTM: accelerate it"),
        (nn.RNN(3, 5), {"overlap": -1}, "overlap must be at least 0, got -1"),
    ],
)
def test_layers_that_read_no_stream(layer, options, message):
    with pytest.raises(UsageError, match=message):
        nn.Stateful(layer, **options)


def test_a_checkpoint_of_another_overlap():
    torch.manual_seed(0)
    layer, x = nn.GRU(3, 4), torch.randn(15, 2, 3)
    expected = layer(x)[0]
    for before, after in ((4, 0), (4, 2), (0, 3)):
        first, second = nn.Stateful(layer, overlap=before), nn.Stateful(layer, overlap=after)
        first(x[:6])
        second.load_state_dict(first.state_dict())
        for start in range(6, 15, 3):
            close(second(x[start : start + 3])[0], expected[start : start + 3])


def test_a_learned_state_learns_from_documents_inside_a_truncated_chunk():
    torch.manual_seed(0)
    x, starts = torch.randn(6, 1, 3), torch.zeros(6, 1, dtype=torch.bool)
    starts[4] = True
    found = []
    for truncate in (2, None):
        torch.manual_seed(1)
        layer = nn.Stateful(nn.GRU(3, 4, learn_state=True, bptt_truncate=truncate))
        layer(x, starts)[0][5].sum().backward()
        found.append(layer.layer.h_0.grad)
    assert found[1].any()
    close(found[0], found[1])
