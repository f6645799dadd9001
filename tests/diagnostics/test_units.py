"""Gates, units, matrices and updates, against plain loops over numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cells import FAMILY, CellCase
from elman.diagnostics import (
    GATES,
    dead_units,
    record,
    recurrent_matrix,
    saturation,
    time_constants,
    update_ratios,
    weight_share,
)
from elman.nn import LSTM, RNN, ClockworkRNN, MinGRU
from elman.ops import CELLS
from tolerances import close

LENGTHS = [9, 7, 7, 1]
KEEPS = {"lstm": 1, "peephole": 1, "layer_lstm": 1, "coupled": 0, "gru": 1, "gru_before": 1, "layer_gru": 1}


def with_gates(trace, seed=0):
    """The same trace with random gates in the range of their nonlinearity, both ends included."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for gate in GATES[trace.cell]:
        a = 3 * torch.randn(trace.output.shape, generator=generator, dtype=torch.float64)
        parts.append(
            {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu, "linear": lambda v: v}[gate.kind](a)
        )
    return type(trace)(**{**vars(trace), "gates": torch.cat(parts, 1)})


def test_every_cell_has_its_gates():
    assert {name: len(gates) for name, gates in GATES.items()} == {name: cell.gates for name, cell in CELLS.items()}


@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_saturation_is_a_count(case, trace_of):
    trace = with_gates(trace_of(case, LENGTHS))
    found = saturation([trace, trace])
    gates = GATES[case.name]
    values = trace.output if gates[0].name == "h" else trace.gates
    assert [row["gate"] for row in found] == [gate.name for gate in gates]
    for number, (gate, row) in enumerate(zip(gates, found, strict=True)):
        own = values.chunk(len(gates), 1)[number].numpy()
        low, high = np.zeros(4), np.zeros(4)
        for element in own:
            for unit, value in enumerate(element):
                if gate.kind == "sigmoid":
                    low[unit] += value < 0.1
                    high[unit] += value > 0.9
                elif gate.kind == "tanh":
                    low[unit] += value < -0.9
                    high[unit] += value > 0.9
                elif gate.kind == "relu":
                    low[unit] += value == 0
        assert row["units_low"] == pytest.approx(low / len(own)) and row["units_high"] == pytest.approx(high / len(own))
        assert row["low"] == pytest.approx(low.sum() / own.size) and row["high"] == pytest.approx(high.sum() / own.size)
        counts, edges = row["histogram"]
        assert sum(counts) == 2 * own.size
        inside = ((own >= edges[0]) & (own <= edges[-1])).sum()
        assert inside == own.size or gate.kind in ("sigmoid", "tanh")
        wanted, _ = np.histogram(own, edges)
        assert [c / 2 for c in counts] == pytest.approx(wanted, abs=1)  # a value on an edge


@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_time_constants_are_those_of_the_share_kept(case, trace_of):
    trace = with_gates(trace_of(case, LENGTHS))
    found = time_constants([trace])
    gates = [part.numpy() for part in trace.gates.chunk(len(GATES[case.name]), 1)]
    if case.name in KEEPS:
        kept = gates[KEEPS[case.name]]
    elif case.name == "min_gru":
        kept = 1 - gates[0]
    elif case.name == "min_lstm":
        kept = gates[0] / (gates[0] + gates[1])
    elif case.name.startswith("leaky"):
        kept = 1 - trace.weights.vectors.numpy()
    else:
        assert found is None
        return
    with np.errstate(all="ignore"):
        wanted = [-1 / math.log(mean) if mean > 0 else math.nan for mean in kept.mean(0)]
    assert found == pytest.approx(wanted, nan_ok=True)


def test_a_constant_gate_leaves_one_part_in_e_after_its_time_constant(trace_of):
    trace = trace_of(CellCase("min_gru"), LENGTHS)
    for f in (0.5, 0.99):
        gates = torch.cat([torch.full_like(trace.output, 1 - f), torch.zeros_like(trace.output)], 1)
        for tau in time_constants([replace(trace, gates=gates)]):
            assert f**tau == pytest.approx(1 / math.e)


def test_dead_units_are_silent_everywhere(trace_of):
    trace = trace_of(CellCase("rnn_relu"), LENGTHS)
    output = torch.rand(trace.output.shape, dtype=torch.float64)
    output[:, 1] = 0
    output[3:, 2] = 0
    trace = type(trace)(**{**vars(trace), "output": output})
    assert dead_units([trace]) == [1]
    alive = type(trace)(**{**vars(trace), "output": output + 1})
    assert dead_units([trace, alive]) == []
    assert dead_units([trace_of(CellCase("rnn_tanh"), LENGTHS)]) is None


def test_gates_that_were_not_kept_are_left_out(trace_of):
    trace = trace_of(CellCase("lstm"), LENGTHS)
    assert saturation([trace]) == [] and time_constants([trace]) is None and weight_share([trace]) is None


@pytest.mark.parametrize("case", FAMILY, ids=str)
def test_recurrent_matrix_of_each_gate(case, trace_of):
    trace = trace_of(case, [2], hidden_size=5)
    found = recurrent_matrix(trace)
    weight = trace.weights.weight_hh
    if weight is None:
        largest = trace.weights.vectors.abs().max().item() if case.name.startswith("indrnn") else None
        assert found == ([{"gate": "h", "radius": largest, "norm": largest}] if largest else [])
        return
    gates = GATES[case.name]
    rows = len(weight) // len(gates)
    for number, (gate, row) in enumerate(zip(gates, found, strict=True)):
        block = weight[number * rows : (number + 1) * rows].numpy()
        assert row["gate"] == gate.name
        assert row["norm"] == pytest.approx(np.sqrt(np.linalg.eigvalsh(block.T @ block).max()))
        if case.projected:
            assert row["radius"] is None
        else:
            assert row["radius"] == pytest.approx(np.abs(np.linalg.eigvals(block)).max())


def test_radius_and_norm_part_where_the_matrix_is_not_normal(trace_of):
    trace = trace_of(CellCase("rnn_tanh"), [2], hidden_size=2)
    sheared = trace.weights._replace(weight_hh=torch.tensor([[0.5, 100.0], [0.0, 0.5]]))
    (row,) = recurrent_matrix(type(trace)(**{**vars(trace), "weights": sheared}))
    assert row["radius"] == pytest.approx(0.5) and row["norm"] == pytest.approx(100, rel=1e-3)


def test_update_ratios_are_lengths_over_lengths():
    before = {"a": torch.tensor([3.0, 4.0]), "b": torch.zeros(2), "c": torch.zeros(1), "d": torch.ones(2, 2)}
    after = {"a": torch.tensor([3.0, 4.5]), "b": torch.ones(2), "c": torch.zeros(1), "d": torch.ones(2, 2) * 0.5}
    assert update_ratios(before, after) == {"a": pytest.approx(0.1), "b": math.inf, "c": 0.0, "d": pytest.approx(0.5)}


@pytest.mark.parametrize("layer", [RNN, LSTM])
def test_the_share_sees_the_state_as_it_enters_the_product(layer):
    torch.manual_seed(0)
    module = layer(3, 5, recurrent_dropout=0.6).double()
    with record(module) as flow:
        module(torch.randn(9, 4, 3, dtype=torch.float64))[0][-1].sum().backward()
    (trace,) = flow.traces["l0"]
    mask = trace.options.mask
    assert mask is not None and (mask == 0).any()
    terms = []
    for lag in range(9):
        t = 8 - lag
        h = trace.output.view(9, 4, 5)[t - 1] if t else torch.zeros(4, 5, dtype=torch.float64)
        terms.append((trace.dgates_norm.view(9, 4)[t] * (h * mask).norm(dim=1)).sum())
    found = weight_share([trace])["share"]
    close(torch.tensor(found, dtype=torch.float64), torch.stack(terms) / sum(terms))


def test_cells_without_recurrent_weights_have_no_share():
    module = MinGRU(3, 5)
    with record(module) as flow:
        module(torch.randn(9, 4, 3))[0].sum().backward()
    assert weight_share(flow.traces["l0"]) is None


def test_a_unit_that_only_rests_or_is_silent_is_dead():
    torch.manual_seed(0)
    module = ClockworkRNN(3, 8, nonlinearity="relu", periods=[1, 4])
    with torch.no_grad():
        module.bias_ih_l0[6] = -100.0
        module.weight_ih_l0[6] = 0
        module.weight_hh_l0[6] = 0
        module.bias_hh_l0[6] = 0
        module.weight_ih_l0[7] = torch.tensor([0.0, 0.0, 9.0])  # sees the third input, which is there between its steps
        module.weight_hh_l0[7] = 0
        module.bias_ih_l0[7] = module.bias_hh_l0[7] = -1.0
    x = torch.rand(9, 2, 3)
    x[::4, :, 2] = 0
    with record(module) as flow:
        output = module(x)[0]
        output.sum().backward()
    dead = (output == 0).all(0).all(0).nonzero()[:, 0].tolist()
    assert dead_units(flow.traces["l0"]) == dead and {6, 7} <= set(dead)
