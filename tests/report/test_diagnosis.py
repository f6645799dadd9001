"""The page of a diagnosis, also of networks that are hardly there."""

import pytest

from elman.report import diagnosis_figures, write_diagnosis
from elman.report.diagnosis import shaded

NAMES = ("q10", "q25", "median", "q75", "q90")


def spread(values):
    return {"texts": [1] * len(values), **dict.fromkeys(NAMES, values)}


def layer(**changes):
    return {
        "name": "recurrent.l0",
        "skip": 1,
        "cell": "rnn_tanh",
        "reverse": False,
        "hidden_size": 2,
        "lengths": [3],
        "gradient": {"dh": spread([1.0, 1e-3, 1e-9])},
        "gradient_by_position": {"dh": spread([1e-9, 1e-3, 1.0])},
        "weight_share": {"share": [0.9, 0.1, 0.0], "within": 1},
        "jacobian": {"log_gain": spread([0.0, -5.0, -700.0]), "exact": False},
        "lyapunov": -3.0,
        "matrix": [{"gate": "h", "radius": 0.5, "norm": 0.7}],
        "saturation": [
            {"gate": "h", "kind": "tanh", "low": 0.1, "high": 0.2, "histogram": [[1, 2, 1], [-1, -0.3, 0.3, 1]]}
        ],
        "time_constants": [1.0, 20.0],
        "dead_units": None,
        "memory": {"steps": 0, "end": "below", "projected": 0.0},
        "verdict": {"kind": "vanishing", "reason": "after 0 steps"},
        "heat": [[1e-9, 1e-3, 1.0]],
        **changes,
    }


def diagnosis(*layers, **changes):
    first = layers[0]
    return {
        "elman": "0",
        "run": "run",
        "source": "data",
        "pooling": "last",
        "bptt": 0,
        "layer": first["name"],
        "memory": first["memory"],
        "verdict": first["verdict"],
        "remedies": [{"flag": "--cell lstm", "why": "a < b"}],
        "layers": list(layers),
        "training": None,
        "examples": [{"label": "<b>", "tokens": ["<i>", "b", "c"]}],
        **changes,
    }


def test_the_page_says_what_was_found_and_escapes_what_it_did_not_write(tmp_path):
    page = write_diagnosis(diagnosis(layer()), tmp_path).read_text()
    assert "after 0 steps" in page and "<code>--cell lstm</code>" in page and "a &lt; b" in page
    assert "&lt;i&gt;</span>" in page and "<i>" not in page and "&lt;b&gt;" in page
    assert "loss of its own" not in page and page.count("data:image/png;base64,") == 7


EMPTY = {
    "one step, nothing flows": {
        "lengths": [1],
        "gradient": {"dh": spread([0.0])},
        "gradient_by_position": {"dh": spread([0.0])},
        "weight_share": {"share": [0.0], "within": None},
        "jacobian": {"log_gain": spread([0.0]), "exact": True},
        "lyapunov": None,
        "heat": [[0.0]],
    },
    "nothing is kept": {"jacobian": {"log_gain": spread([0.0, None, None]), "exact": False}, "lyapunov": None},
    "no gates": {"saturation": [], "time_constants": None, "weight_share": None, "matrix": []},
    "a unit that keeps all": {"time_constants": [None, None]},
    "dead units": {"dead_units": [0, 1]},
    "parts of texts": {"skip": 4, "heat": []},
    "two states": {"gradient": {"dh": spread([1.0, 2.0]), "dc": spread([1e-200, 1e-250])}},
    "no finite numbers": {
        "gradient": {"dh": spread([None, 1.0, None])},
        "gradient_by_position": {"dh": spread([None, None])},
        "weight_share": {"share": [None, None], "within": 1},
        "matrix": [{"gate": "h", "radius": None, "norm": None}],
        "heat": [[None, 1.0, None], [None, None, None]],
    },
    "open": {"memory": {"steps": 2, "end": "open", "projected": None}},
}


@pytest.mark.parametrize("changes", EMPTY.values(), ids=EMPTY)
def test_networks_that_are_hardly_there(changes, tmp_path):
    one = layer(**changes)
    tokens = ["w"] * (len(one["heat"][0]) if one["heat"] else 0)
    page = write_diagnosis(diagnosis(one, examples=[{"label": "x", "tokens": tokens}]), tmp_path).read_text()
    assert ("2 of 2 units are dead" in page) == (one["dead_units"] is not None)
    assert ("A text labelled" in page) == bool(one["heat"])


def test_memory_by_epoch(tmp_path):
    memory = {"steps": 3, "end": "below", "projected": 3.0}
    checks = [{"epoch": epoch, "layers": [{"name": "recurrent.l0", "memory": memory}]} for epoch in (0, 1)]
    epochs = [
        {"epoch": 0, "memory": [memory], "gradient_norm": None, "clipped": None},
        {"epoch": 1, "memory": [memory], "gradient_norm": 2.5, "clipped": 0.25},
    ]
    training = {"checks": checks, "epochs": epochs, "updates": {"recurrent.weight_hh_l0": 0.001}}
    page = write_diagnosis(diagnosis(layer(), training=training), tmp_path).read_text()
    assert "25 %" in page and "1.0e-03" in page
    (line,) = diagnosis_figures(diagnosis(layer(), training=training))["memory"].axes[0].get_lines()
    assert line.get_xdata().tolist() == [0, 1] and line.get_ydata().tolist() == [3, 3]


def test_the_gain_is_drawn_in_powers_of_ten():
    axes = diagnosis_figures(diagnosis(layer()))["recurrent.l0/jacobian"].axes[0]
    median = axes.get_lines()[0].get_ydata()
    assert median.tolist() == pytest.approx([0, -5 / 2.302585, -700 / 2.302585])


def test_shades_fall_over_four_powers_of_ten():
    assert [s for _, s in shaded(list("abcd"), [1e-3, 1e-5, 1e-9, 0.0])] == ["0.85", "0.42", "0.00", "0.00"]
    assert [s for _, s in shaded(["a"], [0.0])] == ["0.00"]
