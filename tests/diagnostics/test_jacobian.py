"""The state's gain by lag against autograd's Jacobians, and the figures made of it."""

import math

import pytest
import torch

from brute import jacobians, one_step
from cells import FAMILY, CellCase
from elman import ops
from elman.diagnostics import diagnose_layer, effective_memory, jacobian_norms, lyapunov_exponent
from elman.errors import UsageError

LENGTHS = [9, 7, 7, 1]


def expected(trace, texts_of, rows):
    """[T, rows] log gains by brute force."""
    step = one_step(trace.cell, trace.weights)
    found = torch.full((max(trace.lengths).item(), rows), torch.nan, dtype=torch.float64)
    for row, (text, state) in enumerate(texts_of(trace)[:rows]):
        products = torch.stack(jacobians(step, text, state))
        found[: len(products), row] = (torch.linalg.matrix_norm(products) / products.shape[1] ** 0.5).log()
    return found


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_exact_gain_is_that_of_autograd(case, reverse, trace_of, texts_of):
    trace = trace_of(case, LENGTHS, reverse)
    found = jacobian_norms([trace], texts=4, probes=None)
    torch.testing.assert_close(found, expected(trace, texts_of, 4), equal_nan=True, rtol=1e-9, atol=1e-9)


def test_options_of_the_call_count(trace_of):
    trace = trace_of(CellCase("lstm"), LENGTHS)
    mask = torch.rand(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2)) * 2
    zoneout = tuple(torch.full((len(trace.data), 4), rate, dtype=torch.float64) for rate in (0.3, 0.6))
    options = ops.Options(mask=mask, zoneout=zoneout)
    trace = type(trace)(**{**vars(trace), "options": options})
    found = jacobian_norms([trace], texts=1, probes=None)[:, 0]
    data, (h_0, c_0) = trace.data, trace.state_0
    own = data[trace.batch_sizes.cumsum(0) - trace.batch_sizes]  # of the first row

    def last_from(lag):
        """The state at the end as a function of the state `lag` steps before."""

        def run(state, elements):
            if not len(elements):
                return state
            rows = ops.Options(mask=mask[:1], zoneout=tuple(z[: len(elements)] for z in zoneout))
            sizes = torch.ones(len(elements), dtype=torch.int64)
            _, (h, c) = ops.reference.recurrent(
                "lstm", elements, sizes, (state[None, :4], state[None, 4:]), trace.weights, options=rows
            )
            return torch.cat([h[0], c[0]])

        before = run(torch.cat([h_0[0], c_0[0]]), own[: len(own) - lag])
        return torch.autograd.functional.jacobian(lambda s: run(s, own[len(own) - lag :]), before)

    wanted = [math.log(torch.linalg.matrix_norm(last_from(lag).double()) / 8**0.5) for lag in range(9)]
    assert found.tolist() == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_probes_estimate_the_norm(trace_of):
    trace = trace_of(CellCase("gru"), [12] * 3, hidden_size=6)
    exact = jacobian_norms([trace], texts=3, probes=None)
    many = jacobian_norms([trace], texts=3, probes=20000)
    assert (many - exact).abs().max() < 0.03
    draws = [
        jacobian_norms([trace], texts=3, probes=16, generator=torch.Generator().manual_seed(seed)) for seed in range(40)
    ]
    errors = (torch.stack(draws) - exact).exp() - 1
    assert errors[:, 1:].square().mean().sqrt() < 1.5 / math.sqrt(32) and errors.std(0)[1:].min() > 0


def test_only_the_longest_texts_are_swept(trace_of):
    first, second = trace_of(CellCase("rnn_tanh"), [8, 3]), trace_of(CellCase("rnn_tanh"), [6, 5, 2], seed=1)
    found = jacobian_norms([first, second], texts=3, probes=None)
    assert (~found.isnan()).sum(0).tolist() == [8, 6, 5]
    alone = jacobian_norms([second], texts=2, probes=None)
    torch.testing.assert_close(found[:6, 1:], alone, equal_nan=True)
    assert jacobian_norms([first, second], texts=99, probes=1).shape[1] == 5
    short, long = trace_of(CellCase("rnn_tanh"), [5, 5]), trace_of(CellCase("rnn_tanh"), [9], seed=1)
    found = jacobian_norms([short, long], texts=2, probes=None)
    assert sorted((~found.isnan()).sum(0).tolist()) == [5, 9]


def scaled_identity(trace_of, w, steps):
    """A relu network whose state stays positive: h = w h' + positive input."""
    trace = trace_of(CellCase("rnn_relu"), [steps] * 2)
    weights = ops.Weights(torch.zeros(4, 3).double(), w * torch.eye(4).double(), torch.ones(4).double())
    return type(trace)(**{**vars(trace), "weights": weights._replace(bias_hh=torch.zeros(4).double())})


@pytest.mark.parametrize("probes", [None, 2])
def test_nothing_underflows(trace_of, probes):
    """w^k for w = 1e-4 and k up to 399 is 1e-1596; float64 ends at 1e-324."""
    trace = scaled_identity(trace_of, 1e-4, 400)
    gains = jacobian_norms([trace], probes=probes)
    wanted = torch.arange(400).double() * math.log(1e-4)
    torch.testing.assert_close(gains, wanted[:, None].expand(400, 2))
    assert lyapunov_exponent(gains) == pytest.approx(math.log(1e-4))
    assert effective_memory(gains) == (0, "below", 0.0)


def test_a_state_that_is_forgotten_at_once(trace_of):
    trace = scaled_identity(trace_of, 0.0, 6)
    gains = jacobian_norms([trace], probes=None)
    assert gains[:, 0].tolist() == [0.0] + [-math.inf] * 5
    assert lyapunov_exponent(gains) == -math.inf
    layer = diagnose_layer([trace_with_gradients(trace)])
    assert layer["memory"]["steps"] == 0 and layer["verdict"]["kind"] == "vanishing"


def trace_with_gradients(trace):
    return type(trace)(**{**vars(trace), "dh_norm": torch.ones(len(trace.data), dtype=torch.float64)})


@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_lyapunov_exponent_is_the_slope_of_the_log_norms(scale, trace_of, texts_of):
    trace = trace_of(CellCase("rnn_tanh"), [40, 40, 40], hidden_size=7, scale=scale)
    common = expected(trace, texts_of, 3).mean(1)[4:]
    lags = torch.arange(4, 40).double()
    slope = torch.linalg.lstsq(torch.stack([lags, torch.ones(36).double()], 1), common[:, None]).solution[0].item()
    assert lyapunov_exponent(jacobian_norms([trace], probes=None)) == pytest.approx(slope, rel=1e-6)


def test_lyapunov_exponent_of_a_constant_matrix_is_that_of_its_eigenvalue(trace_of):
    """A relu network in its linear range; the matrix is not normal, so norms mislead at first."""
    trace = scaled_identity(trace_of, 1.0, 300)
    matrix = torch.tensor([[0.9, 5.0, 0, 0], [0, 0.8, 5.0, 0], [0, 0, 0.7, 0], [0, 0, 0, 0.2]]).double()
    trace = type(trace)(**{**vars(trace), "weights": trace.weights._replace(weight_hh=matrix)})
    gains = jacobian_norms([trace], probes=None)
    assert gains[3, 0] > math.log(5)
    assert lyapunov_exponent(gains) == pytest.approx(math.log(0.9), rel=1e-3)


def test_lyapunov_exponent_needs_some_lags():
    assert lyapunov_exponent(torch.zeros(2, 3)) is None


def test_effective_memory_ends_where_the_median_gain_does():
    lags = torch.arange(50).double()[:, None]
    falling = lags * torch.tensor([-0.1, -0.2, -9.0]).double()
    assert effective_memory(falling) == (23, "below", 23.0)  # ln 100 = 4.605, and the middle text loses 0.2 a step
    rising = lags * 0.3
    assert effective_memory(rising) == (15, "above", 15.0)
    slow = lags * torch.tensor([-0.01, -0.02, 0.5]).double()
    assert effective_memory(slow) == (49, "open", pytest.approx(math.log(100) / 0.01))
    assert effective_memory(lags * 0.0) == (49, "open", math.inf)


def test_effective_memory_looks_only_as_far_as_a_tenth_of_the_texts():
    gains = torch.zeros(30, 21).double()
    gains[10:, :18] = torch.nan
    gains[20:, 18] = torch.nan
    gains[20:, 19:] = -99.0
    assert effective_memory(gains) == (19, "open", math.inf)
    gains[20:, 18] = 0.0
    assert effective_memory(gains) == (19, "below", 19.0)


def test_short_texts_do_not_shorten_the_line():
    gains = torch.full((50, 5), torch.nan).double()
    for row, length in enumerate([50, 45, 40, 6, 3]):
        gains[:length, row] = -0.1 * torch.arange(length) if length >= 40 else 7.0
    assert lyapunov_exponent(gains) == pytest.approx(-0.1)


def test_a_gain_that_comes_back_was_lost_before():
    gains = torch.zeros(9, 1).double()
    gains[4] = -5.0
    assert effective_memory(gains)[:2] == (3, "below")


@pytest.mark.parametrize(("name", "value"), [("texts", 0), ("probes", 0)])
def test_counts_below_one_are_refused(name, value, trace_of):
    with pytest.raises(UsageError, match=f"{name} must be at least 1, got 0"):
        jacobian_norms([trace_of(CellCase("gru"), [3])], **{name: value})
