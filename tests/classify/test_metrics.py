"""Metrics against plain counting."""

import numpy as np
import pytest

from elman.classify.metrics import measure
from elman.classify.model import fit_scales


def test_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]], np.float32)
    m = measure(probabilities, np.array([0, 1, 1, 1]), np.array(["a", "b"]))
    assert m["accuracy"] == 0.75 and m["confusion"] == [[1, 0], [1, 2]]
    assert m["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2)
    assert m["loss"] == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.7]).mean(), rel=1e-6)
    # one row in each bin: |1 - .9|, |0 - .6|, |1 - .8|, |1 - .7|
    assert m["ece"] == pytest.approx((0.1 + 0.6 + 0.2 + 0.3) / 4, rel=1e-5)
    assert m["per_class"][1] == {"class": "b", "precision": 1.0, "recall": pytest.approx(2 / 3), "f1": 0.8, "rows": 3}


def test_a_class_that_does_not_occur_does_not_count():
    m = measure(np.eye(3, dtype=np.float32)[[0, 1]], np.array([0, 1]), np.array(["a", "b", "c"]))
    assert m["macro_f1"] == 1.0


def test_a_certain_mistake_has_a_finite_loss():
    assert measure(np.array([[1.0, 0.0]], np.float32), np.array([1]), np.array(["a", "b"]))["loss"] < 30


def test_calibration_undoes_an_exaggeration():
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4000, 3)).astype(np.float32)
    exact = np.exp(logits.astype(np.float64))
    exact /= exact.sum(axis=1, keepdims=True)
    numbers = (exact.cumsum(axis=1) < generator.random((4000, 1))).sum(axis=1)
    noise = generator.normal(size=(4000, 3)).astype(np.float32)
    scale, none = fit_scales(5 * logits, None, numbers)
    assert scale == pytest.approx(0.2, rel=0.1) and none == 0
    good, useless = fit_scales(5 * logits, noise, numbers)
    assert good == pytest.approx(0.2, rel=0.1) and useless < 0.1


def test_a_few_right_rows_do_not_make_certain():
    """Ten held-out rows that both scores get right say little of how far to trust either; many more say it."""
    numbers = np.arange(10) % 2
    right = (2 * np.eye(2, dtype=np.float32)[numbers] - 1) / 2
    network, wide = fit_scales(right, right, numbers)
    assert network == pytest.approx(wide) and 0.5 < network < 1
    many = [np.tile(part, (100, 1)) for part in (right, right)]
    assert fit_scales(*many, np.tile(numbers, 100))[0] > 2
    alone, _ = fit_scales(right, None, numbers)
    assert 1 < alone < 2
    wrong, trusted = fit_scales(-right, right, numbers)
    assert wrong < 0.5 < trusted
