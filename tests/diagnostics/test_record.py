"""What `record` sees of models, and the gradient's norms against autograd."""

import copy
import io

import pytest
import torch

import elman
from brute import one_step, state_gradients, states_of, weight_terms
from elman import ops
from elman.diagnostics import by_lag, by_position, gradient_norms, jacobian_norms, record, spread, weight_share
from elman.diagnostics._trace import side_by_side
from elman.errors import NoRecurrentLayerError, NotAModuleError, UsageError
from elman.nn import GRU, LSTM, RNN, LayerNormGRU, LayerNormLSTM, TextRNN
from elman.ops.recording import current_sink

LENGTHS = torch.tensor([4, 9, 0, 7, 7, 1])
LAYERS = [RNN, LSTM, GRU]


def loss_of_last(states):
    return (states[-1][0] * torch.arange(1, 6)).sum()


def loss_of_all(states):
    return sum(((0.5 + t) * state[0] ** 2).sum() for t, state in enumerate(states))


def recorded(layer, loss="last"):
    """One pass over ragged random input in float64; the trace of each direction, and the rows as they are read."""
    torch.manual_seed(3)
    layer = layer.double()
    x = torch.randn(6, 9, 3, dtype=torch.float64)
    with record(layer) as flow:
        output, state = layer(x, lengths=LENGTHS)
        h_n = state[0] if isinstance(state, tuple) else state
        if loss == "last":
            total = (h_n * torch.arange(1, 6)).sum()
        else:
            position = torch.arange(9)[None, :, None]
            total = ((0.5 + position) * output**2).sum()
        total.backward()
    order = torch.argsort(LENGTHS, descending=True, stable=True)[:5]
    texts = [x[row, : LENGTHS[row]] for row in order]
    return flow.traces, texts


def zeros(cell):
    return tuple(torch.zeros(5, dtype=torch.float64) for _ in range(elman.ops.CELLS[cell].states))


@pytest.mark.parametrize("loss", ["last", "all"])
@pytest.mark.parametrize("layer", LAYERS)
def test_norms_by_lag_are_those_of_autograd(layer, loss):
    traces, texts = recorded(layer(3, 5, batch_first=True), loss)
    (trace,) = traces["l0"]
    step = one_step(trace.cell, trace.weights)
    loss_of = loss_of_last if loss == "last" else loss_of_all
    for row, text in enumerate(texts):
        wanted = state_gradients(step, text, zeros(trace.cell), loss_of)
        n = len(text)
        for state, values in enumerate([trace.dh_norm, trace.dc_norm][: len(wanted[0])]):
            norms = torch.tensor([w[state] for w in wanted], dtype=torch.float64)
            torch.testing.assert_close(by_lag(values, trace)[:n, row], norms.flip(0))
            torch.testing.assert_close(by_position(values, trace)[:n, row], norms)
            assert by_lag(values, trace)[n:, row].isnan().all()


@pytest.mark.parametrize("scale", [1e-32, 1e-28, 1e-19, 1e-16, 1e-14, 1.0, 1e10, 1e18, 1e22, 1e32])
@pytest.mark.parametrize("tier", ops.kernels.supported_tiers())
@pytest.mark.parametrize("layer", [RNN, LSTM, GRU, LayerNormLSTM])
def test_norms_reach_as_far_as_float32(layer, tier, scale):
    torch.manual_seed(0)
    layer, x = layer(4, 32), torch.randn(1, 2, 4)
    with ops.kernels.use_tier(tier), record(layer) as flow:
        (layer(x)[0].sum() * scale).backward()
    (trace,) = flow.traces["l0"]
    torch.testing.assert_close(trace.dh_norm / scale, torch.full((2,), 32**0.5).double(), rtol=1e-5, atol=0)
    with record(layer.double()) as flow:
        (layer(x.double())[0].sum() * scale).backward()
    exact = flow.traces["l0"][0].dgates_norm
    torch.testing.assert_close(trace.dgates_norm / scale, exact / scale, rtol=1e-4, atol=0)


def test_a_gradient_that_explodes_is_seen_to():
    torch.manual_seed(0)
    layer, (turned, _) = RNN(4, 32), torch.linalg.qr(torch.randn(32, 32))
    with torch.no_grad():
        layer.weight_hh_l0.copy_(1.5 * turned)
        layer.bias_ih_l0.zero_(), layer.bias_hh_l0.zero_()
    with record(layer) as flow:
        (layer(torch.randn(120, 8, 4) * 1e-30)[0][-1].sum() * 1e25).backward()
    medians = gradient_norms(flow.traces["l0"])["dh"]["median"]
    assert medians[60] == pytest.approx(1e25 * 32**0.5 * 1.5**60, rel=1e-3)
    assert medians[-1] == torch.inf  # further back inf - inf is not a number
    share = weight_share(flow.traces["l0"])
    assert sum(share["share"]) == pytest.approx(1) and share["within"] > 60


def test_lag_0_of_the_reverse_direction_is_the_first_token():
    traces, texts = recorded(LSTM(3, 5, batch_first=True, bidirectional=True))
    (trace,) = traces["l0_reverse"]
    step = one_step("lstm", trace.weights)
    for row, text in enumerate(texts):
        norms = torch.tensor([w[0] for w in state_gradients(step, text.flip(0), zeros("lstm"), loss_of_last)])
        torch.testing.assert_close(by_lag(trace.dh_norm, trace)[: len(text), row], norms.double().flip(0))
        torch.testing.assert_close(by_position(trace.dh_norm, trace)[: len(text), row], norms.double().flip(0))


@pytest.mark.parametrize("loss", ["last", "all"])
@pytest.mark.parametrize("layer", [RNN, LSTM, LayerNormLSTM, LayerNormGRU])
def test_share_of_the_weight_gradient_is_that_of_each_steps_own_term(layer, loss):
    traces, texts = recorded(layer(3, 5, batch_first=True), loss)
    (trace,) = traces["l0"]
    step = one_step(trace.cell, trace.weights)
    loss_of = loss_of_last if loss == "last" else loss_of_all
    sums = torch.zeros(9, dtype=torch.float64)
    for text in texts:
        terms = weight_terms(step, trace.weights.weight_hh, text, zeros(trace.cell), loss_of)
        sums[: len(terms)] += torch.tensor(terms, dtype=torch.float64).flip(0)
    found = weight_share([trace])
    assert found["share"] == pytest.approx((sums / sums.sum()).tolist())
    reached = (sums / sums.sum()).cumsum(0)
    assert reached[found["within"]] >= 0.99 and (found["within"] == 0 or reached[found["within"] - 1] < 0.99)


@pytest.mark.parametrize("layer", [LSTM, GRU])
def test_gates_are_those_of_the_formula(layer):
    traces, texts = recorded(layer(3, 5, batch_first=True))
    (trace,) = traces["l0"]
    w = [weight.double() for weight in trace.weights[:4]]
    step, starts = one_step(trace.cell, trace.weights), trace.batch_sizes.cumsum(0) - trace.batch_sizes
    for row, text in enumerate(texts):
        before = states_of(step, text, zeros(trace.cell))
        for t, x in enumerate(text):
            of_x, of_h = w[0] @ x + w[2], w[1] @ before[t][0] + w[3]
            sigmoids = torch.sigmoid(of_x + of_h)
            if layer is LSTM:
                wanted = torch.cat([sigmoids[:10], torch.tanh(of_x + of_h)[10:15], sigmoids[15:]])
            else:
                wanted = torch.cat([sigmoids[:10], torch.tanh(of_x[10:] + sigmoids[:5] * of_h[10:])])
            torch.testing.assert_close(trace.gates[starts[t] + row], wanted)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_state_before_each_step(reverse):
    torch.manual_seed(0)
    layer = GRU(3, 5, batch_first=True, bidirectional=True)
    h_0 = torch.randn(2, 3, 5)
    x = torch.randn(3, 4, 3)
    with record(layer) as flow:
        output, h_n = layer(x, h_0, lengths=[2, 4, 1])
        h_n.sum().backward()
    (trace,) = flow.traces["l0_reverse" if reverse else "l0"]
    for row, given in enumerate([1, 0, 2]):
        own = output[given, : [2, 4, 1][given]].chunk(2, 1)[reverse].detach()
        wanted = [*own[1:], h_0[1, given]] if reverse else [h_0[0, given], *own[:-1]]
        index = [int(trace.batch_sizes[:t].sum()) + row for t in range(len(own))]
        torch.testing.assert_close(trace.before()[index], torch.stack(wanted))


def test_quantiles_are_over_the_texts_that_have_the_lag():
    traces, _ = recorded(RNN(3, 5, batch_first=True))
    (trace,) = traces["l0"]
    found = gradient_norms([trace])["dh"]
    assert found["texts"] == [5, 4, 4, 4, 3, 3, 3, 1, 1]
    for lag in range(9):
        column = by_lag(trace.dh_norm, trace)[lag]
        column = column[~column.isnan()]
        for name, level in (("q10", 0.1), ("q25", 0.25), ("median", 0.5), ("q75", 0.75), ("q90", 0.9)):
            assert found[name][lag] == pytest.approx(float(column.quantile(level)))
    last = gradient_norms([trace], position=True)["dh"]["median"][8]
    assert last == pytest.approx(float(by_lag(trace.dh_norm, trace)[0, 0]))


def test_lags_that_few_texts_have_are_left_out():
    values = torch.full((5, 40), torch.nan).double()
    values[:3] = 1.0
    values[3, :4] = 2.0
    values[4, :3] = 3.0
    found = spread(values)
    assert found["texts"] == [40, 40, 40, 4] and found["median"] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("column", "median"), [([-1, -1, 0], -1), ([-1, -1, 0, 0], -1), ([1, 1], 1), ([0, 1], 0), ([0, 0, 1], 0)]
)
def test_the_lower_of_two_where_one_is_infinite(column, median):
    infinite = {-1: -torch.inf, 0: 5.0, 1: torch.inf}
    values = torch.tensor([[infinite[each] for each in column]], dtype=torch.float64)
    assert spread(values)["median"] == [infinite[median]]


def test_every_layer_and_direction_has_its_name():
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"a": LSTM(3, 5, 2, bidirectional=True), "b": torch.nn.Linear(2, 2), "c": RNN(10, 4)})
    with record(model) as flow:
        output, _ = model["c"](model["a"](torch.randn(7, 2, 3))[0])
        output.sum().backward()
    assert list(flow.traces) == ["a.l0", "a.l0_reverse", "a.l1", "a.l1_reverse", "c.l0"]
    assert [trace[0].cell for trace in flow.traces.values()] == ["lstm"] * 4 + ["rnn_tanh"]
    assert [trace[0].reverse for trace in flow.traces.values()] == [False, True, False, True, False]


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_a_network_that_reads_from_the_end_is_seen_as_the_texts_are_written(pooling):
    torch.manual_seed(0)
    sizes = {"embedding_dim": 4, "hidden_size": 5, "bidirectional": False, "pooling": pooling, "zoneout": 0.2}
    network = TextRNN(30, 2, **sizes).double().eval()
    ids = torch.randint(30, (3, 7))
    turned = ids.clone()
    for row, length in enumerate([7, 4, 2]):
        turned[row, :length] = ids[row, :length].flip(0)
    seen = []
    for network.backward, texts in ((False, ids), (True, turned)):
        with record(network) as flow:
            network(texts, [7, 4, 2])[:, 0].sum().backward()
        seen.append(flow.traces["recurrent.l0"][0])
    forward, backward = seen
    assert backward.reverse and not forward.reverse
    for values in ("dh_norm", "dc_norm"):
        ahead, behind = (by_position(getattr(trace, values), trace) for trace in seen)
        for row, length in enumerate([7, 4, 2]):
            torch.testing.assert_close(ahead[:length, row].flip(0), behind[:length, row])
        lags = [by_lag(getattr(trace, values), trace) for trace in seen]
        torch.testing.assert_close(*lags, equal_nan=True)
    gains = [jacobian_norms([trace], probes=None) for trace in seen]
    torch.testing.assert_close(*gains, equal_nan=True)


def test_other_models_in_the_block_are_not_recorded():
    model, other = RNN(3, 5), RNN(3, 5)
    with record(model) as flow:
        for each in (model, other):
            each(torch.randn(4, 2, 3))[0].sum().backward()
    assert len(flow.traces["l0"]) == 1


def test_several_passes_are_put_side_by_side():
    layer = RNN(3, 5, batch_first=True)
    with record(layer) as flow:
        for steps in (4, 6):
            layer(torch.randn(2, steps, 3))[0].sum().backward()
    traces = flow.traces["l0"]
    assert [trace.lengths.tolist() for trace in traces] == [[4, 4], [6, 6]]
    both = side_by_side([by_lag(trace.dh_norm, trace) for trace in traces])
    assert both.shape == (6, 4) and both[4:, :2].isnan().all() and not both[:, 2:].isnan().any()
    assert gradient_norms(traces)["dh"]["texts"] == [4, 4, 4, 4, 2, 2]


def test_a_sample_of_the_rows_is_spread_over_the_lengths():
    layer, x = LSTM(3, 5, batch_first=True), torch.randn(41, 40, 3)

    def trace_of(rows):
        with record(layer, rows=rows) as flow:
            layer(x, lengths=torch.arange(40, -1, -1))[0].sum().backward()
        return flow.traces["l0"][0]

    whole, sample = trace_of(99), trace_of(5)
    assert whole.lengths.tolist() == list(range(40, 0, -1))
    assert sample.lengths.tolist() == [40, 30, 20, 11, 1]
    picked = [whole.lengths.tolist().index(length) for length in sample.lengths.tolist()]
    for name in ("dh_norm", "dc_norm"):
        found, wanted = (by_lag(getattr(trace, name), trace) for trace in (sample, whole))
        torch.testing.assert_close(found, wanted[:, picked], equal_nan=True)
    torch.testing.assert_close(sample.before()[0], whole.before()[0])


@pytest.mark.parametrize("training", [True, False])
def test_recording_changes_nothing(training):
    def gradients(watch):
        torch.manual_seed(0)
        model = TextRNN(50, 2, embedding_dim=6, hidden_size=5, word_dropout=0.3, embedding_dropout=0.3)
        model.train(training)
        ids = torch.randint(50, (7, 12), generator=torch.Generator().manual_seed(1))
        if watch:
            with record(model) as flow:
                model(ids, lengths=[12, 3, 0, 5, 12, 7, 1]).square().sum().backward()
            assert list(flow.traces) == ["recurrent.l0", "recurrent.l0_reverse"]
        else:
            model(ids, lengths=[12, 3, 0, 5, 12, 7, 1]).square().sum().backward()
        return [p.grad for p in model.parameters()]

    for with_record, without in zip(gradients(True), gradients(False), strict=True):
        torch.testing.assert_close(with_record, without, rtol=1e-4, atol=1e-6)


def test_accelerated_models_are_recorded():
    model = torch.nn.Sequential(torch.nn.GRU(3, 5))
    elman.accelerate(model)
    with elman.diagnostics.record(model) as flow:
        model(torch.randn(6, 2, 3))[0].sum().backward()
    assert list(flow.traces) == ["0.l0"] and flow.traces["0.l0"][0].cell == "gru"


@pytest.mark.parametrize("options", [{}, {"proj_size": 2}])
def test_what_the_reference_does_not_keep_is_left_out(options):
    layer = LSTM(3, 5, batch_first=True, **options)
    with elman.ops.use_backend("reference"), record(layer) as flow:
        layer(torch.randn(4, 9, 3))[0].sum().backward()
    (found,) = elman.diagnostics.diagnose(flow)["layers"]
    assert found["saturation"] == [] and found["weight_share"] is None and list(found["gradient"]) == ["dh"]
    assert len(found["jacobian"]["log_gain"]["median"]) == 9


def test_layers_with_computed_weights_are_recorded():
    layer = torch.nn.utils.parametrizations.weight_norm(GRU(3, 5), "weight_ih_l0")
    with record(layer) as flow:
        layer(torch.randn(4, 2, 3))[0].sum().backward()
    assert list(flow.traces) == ["l0"]


def test_the_model_is_left_as_it_was():
    layer = RNN(3, 5)
    before = set(vars(layer))
    with pytest.raises(ZeroDivisionError), record(layer):
        raise ZeroDivisionError
    assert set(vars(layer)) == before


def test_a_layer_that_cannot_be_recorded_is_named():
    layer = elman.nn.SCRN(3, 8)
    with record(layer) as flow:
        layer(torch.randn(4, 2, 3))[0].sum().backward()
    with pytest.raises(UsageError, match=r"nothing was recorded of l0: .* SCRN is not recorded"):
        elman.diagnostics.diagnose(flow)


def test_a_model_without_recurrent_layers_is_refused():
    with pytest.raises(NoRecurrentLayerError, match=r"got Linear without one$"), record(torch.nn.Linear(2, 2)):
        pass


def test_torch_layers_are_named_in_the_refusal():
    model = torch.nn.Sequential(torch.nn.LSTM(3, 5))
    with pytest.raises(NoRecurrentLayerError, match=r"torch.nn's \(0\), which elman.accelerate"), record(model):
        pass


def test_a_block_without_a_backward_pass_says_so():
    model = RNN(3, 5)
    with record(model) as flow:
        model(torch.randn(6, 2, 3))
    with pytest.raises(UsageError, match=r"loss.backward\(\) inside"):
        elman.diagnostics.diagnose(flow)


def test_no_rows_are_refused():
    with pytest.raises(UsageError, match="rows must be at least 1, a whole number, got 0"), record(RNN(3, 5), rows=0):
        pass


def test_a_record_inside_a_record_leaves_both():
    outer, inner = GRU(3, 4), LSTM(3, 4)
    both = torch.nn.ModuleList([outer, inner])
    with record(both) as first:
        with record(inner) as second:
            outer(torch.randn(5, 2, 3))[0].sum().backward()
            inner(torch.randn(5, 2, 3))[0].sum().backward()
        outer(torch.randn(5, 2, 3))[0].sum().backward()
    assert {name: len(traces) for name, traces in first.traces.items()} == {"0.l0": 2, "1.l0": 1}
    assert {name: len(traces) for name, traces in second.traces.items()} == {"l0": 1}


def test_a_copy_made_inside_is_a_layer_of_its_own():
    layer, x = GRU(3, 4), torch.randn(5, 2, 3)
    with record(layer):
        copied = copy.deepcopy(layer)
        torch.save(layer, io.BytesIO())
    torch.nn.init.zeros_(layer.weight_ih_l0)
    assert not torch.equal(copied(x)[0], layer(x)[0])


def test_calls_without_a_backward_pass_do_not_lend_their_name():
    watched, other = GRU(3, 4), GRU(3, 4)
    with record(watched) as flow:
        for _ in range(50):
            watched(torch.randn(5, 2, 3))
            other(torch.randn(5, 2, 3))[0].sum().backward()
    with pytest.raises(UsageError, match="nothing was recorded"):
        flow.traces  # noqa: B018


def test_what_is_no_module():
    with pytest.raises(NotAModuleError, match=r"expected a torch.nn.Module, got int"):
        record(5).__enter__()


@pytest.mark.parametrize(
    "go", [lambda m, x: torch.compile(m, backend="aot_eager")(x)[0].sum().backward(), lambda m, x: grad_of_grad(m, x)]
)
def test_what_cannot_be_recorded_says_so(go):
    module = GRU(3, 4)
    with record(module) as flow:
        go(module, torch.randn(5, 2, 3))
        with pytest.raises(UsageError, match="uncompiled and without create_graph"):
            flow.traces  # noqa: B018


def grad_of_grad(module, x):
    torch.autograd.grad(module(x)[0].sum(), list(module.parameters()), create_graph=True)


@pytest.mark.parametrize("options", [{"bptt_truncate": 2}, {"clip_recurrent": 1.0}, {"information_flow": 1.0}])
def test_gradients_by_hand_are_not_for_torch_func(options):
    module = GRU(3, 4, **options)
    with pytest.raises(UsageError, match=r"not to be had by torch\.func"):
        torch.func.grad(lambda x: module(x)[0].sum())(torch.randn(5, 2, 3))


def test_blocks_that_overlap_in_time_leave_each_other_alone():
    one, other = GRU(3, 4), GRU(3, 4)
    first, second = record(one), record(other)
    of_one = first.__enter__()
    of_other = second.__enter__()
    one(torch.randn(5, 2, 3))[0].sum().backward()
    first.__exit__(None, None, None)
    other(torch.randn(5, 2, 3))[0].sum().backward()
    second.__exit__(None, None, None)
    assert len(of_one.traces["l0"]) == len(of_other.traces["l0"]) == 1
    assert current_sink() is None
