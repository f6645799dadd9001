"""Where layers draw from: the same numbers from a generator of one's own, and nothing from torch's global one."""

import threading

import pytest
import torch

from elman.nn import CELLS, BothWays, LanguageModel, Linear, Stack, Stateful, TextRNN, chrono, drawing_from
from elman.nn import _draws as draws

RATES = {"input_dropout": 0.3, "zoneout": 0.2}


def layer(cell):
    return CELLS[cell](5, 8, num_layers=2, dropout=0.3, bidirectional=True, **RATES)


def text_rnn(kind=TextRNN, **options):
    return kind(20, 3, hidden_size=8, dropout=0.3, word_dropout=0.3, embedding_dropout=0.2, **options)


def language_model():
    rates = {"dropout": 0.2, "input_dropout": 0.2, "embedding_dropout": 0.2, "word_dropout": 0.2, "weight_drop": 0.2}
    return LanguageModel(20, embedding_dim=8, hidden_size=8, num_layers=2, cutoffs=[5, 10], overlap=2, **rates)


def run_layer(network):
    output, _ = network(torch.ones(6, 3, 5), lengths=[6, 0, 4])
    return output


def run_text_rnn(network):
    features = torch.ones(3, 6, network.feature_dim) if network.feature_dim else None
    return network(torch.arange(18).view(3, 6), [6, 0, 4], features)


def run_streams(network):
    first = network(torch.arange(12).view(4, 3))
    return torch.cat([first, network(torch.arange(12).view(4, 3))])


def stateful():
    return Stateful(Stack(5, [8, 8], "lstm", dropout=0.2, weight_drop=0.2, **RATES), overlap=3)


def run_stateful(network):
    starts = torch.zeros(6, 2, dtype=torch.bool)
    starts[3, 1] = True
    return torch.cat([network(torch.ones(6, 2, 5), starts)[0] for _ in range(3)])


def with_chrono():
    network = CELLS["lstm"](5, 8, init="orthogonal", recurrent_dropout=0.2)
    chrono(network, 20)
    return network


NETWORKS = {
    **{cell: (lambda cell=cell: layer(cell), run_layer) for cell in CELLS},
    "chrono": (with_chrono, run_layer),
    "recurrent_range": (lambda: Stack(5, [8, 8], "indrnn", init="recurrent_range"), run_layer),
    "identity": (lambda: CELLS["rnn"](5, 8, init="identity"), run_layer),
    "learned leak": (lambda: CELLS["leaky"](5, 8, leak="learned", init="chrono"), run_layer),
    "stack": (lambda: Stack(5, [8, 8], "gru", dropout=0.3, residual=True, **RATES), run_layer),
    "stateful": (stateful, run_stateful),
    "text_rnn": (lambda: text_rnn(feature_dim=4, feature_dropout=0.3, pooling="attention"), run_text_rnn),
    "uniform": (lambda: text_rnn(init="uniform", hidden_sizes=(8, 8)), run_text_rnn),
    "both ways": (lambda: text_rnn(BothWays, bidirectional=False, bptt=2), run_text_rnn),
    "language model": (language_model, run_streams),
    "tied": (lambda: LanguageModel(20, embedding_dim=8, hidden_size=8, tied=True, bidirectional=False), run_streams),
    "linear": (lambda: Linear(5, 8), lambda network: network(torch.ones(3, 5))),
    "linear without bias": (lambda: Linear(5, 8, bias=False), lambda network: network(torch.ones(3, 5))),
}


def built_and_run(build, run):
    network = build()
    output = run(network.train())
    return [*network.state_dict().values(), output.detach()]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_generator_gives_the_numbers_of_the_global_one(name):
    torch.manual_seed(7)
    ours = built_and_run(*NETWORKS[name])
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with drawing_from(torch.Generator().manual_seed(7)):
        theirs = built_and_run(*NETWORKS[name])
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("size", [(), (0, 3), (1000, 3)])
def test_dropout_is_torchs(rate, size):
    x = torch.full(size, 2.0, requires_grad=True)
    generator = torch.Generator().manual_seed(3)
    torch.manual_seed(3)
    expected = torch.nn.functional.dropout(x, rate)
    with drawing_from(generator):
        output = draws.dropout(x, rate)
    assert torch.equal(output, expected)
    assert torch.equal(generator.get_state(), torch.get_rng_state())
    gradients = (torch.autograd.grad(result.sum(), x)[0] for result in (output, expected))
    assert torch.equal(*gradients)


def test_inner_blocks_end_with_their_generator():
    outer, inner = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    with drawing_from(outer):
        with pytest.raises(ZeroDivisionError), drawing_from(inner):
            raise ZeroDivisionError
        assert draws.current_generator() is outer
    assert draws.current_generator() is None


def test_another_thread_draws_from_the_global_one():
    seen = []
    with drawing_from(torch.Generator()):
        thread = threading.Thread(target=lambda: seen.append(draws.current_generator()))
        thread.start()
        thread.join()
    assert seen == [None]


@pytest.mark.parametrize("overlap", [0, 3])
def test_a_stream_that_is_only_read_leaves_the_global_generator_alone(overlap, monkeypatch):
    """Not even for a moment: what another thread draws meanwhile would be drawn twice."""
    monkeypatch.setattr(torch, "set_rng_state", lambda state: pytest.fail("set the global state"))
    stream = Stateful(Stack(5, [8], "lstm", dropout=0.2, **RATES), overlap).eval()
    run_stateful(stream)


def test_start_values_on_a_device_without_memory():
    with drawing_from(torch.Generator()), torch.device("meta"):
        assert text_rnn().output.weight.is_meta


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_layer_draws_from_the_global_generator():
    network = CELLS["lstm"](5, 8, num_layers=2, dropout=0.3, input_dropout=0.2, zoneout=0.1)
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.manual_seed(5)
    expected, _ = network(torch.ones(6, 3, 5))
    torch.manual_seed(5)
    output, _ = compiled(torch.ones(6, 3, 5))
    assert torch.equal(output, expected)
