"""Settings of training arrive where they act."""

import numpy as np
import pytest

from conftest import make_reviews
from elman.classify import resolve
from elman.classify.fit import FitEvents, fit
from elman.classify.split import Split
from elman.errors import UsageError
from elman.nn import Recurrent


class Watch(FitEvents):
    """The information flow's weight in every recurrent layer, step by step."""

    def __init__(self):
        self.seen = []

    def step_done(self, step, model):
        self.seen.append([m.information_flow for m in model.modules() if isinstance(m, Recurrent)])


def test_the_information_flow_falls_in_every_layer():
    texts, labels = make_reviews(96)
    settings = {"embedding_dim": 4, "hidden_size": 4, "epochs": 2, "batch_size": 16, "ngrams": 0, "calibrate": False}
    config = resolve(cell="rnn", num_layers=2, information_flow=0.3, information_flow_decay=4, **settings)
    watch = Watch()
    fitted = fit(Split(texts, np.unique(labels, return_inverse=True)[1]), None, np.unique(labels), config, events=watch)
    layers = [m for m in fitted.classifier.network.modules() if isinstance(m, Recurrent)]
    assert watch.seen == [[pytest.approx(0.3 / (1 + step / 4))] * len(layers) for step in range(12)] and layers
    assert all(layer.information_flow == 0.3 for layer in layers)


def test_few_texts_are_tuned_at_a_higher_rate():
    """Where the preset leaves it open and nothing else is said."""
    tuned = resolve("fine-tuned")
    rates = [tuned.for_rows(rows).learning_rate for rows in (0, 75, 100, 300, 90000)]
    assert rates == pytest.approx([4e-3, 4e-3, 2e-3 * 3**0.5, 2e-3, 2e-3])
    assert resolve("fine-tuned", learning_rate=0.01).for_rows(20).learning_rate == 0.01
    assert resolve().for_rows(20).learning_rate == resolve(learning_rate=0).for_rows(10**6).learning_rate == 2e-3
    with pytest.raises(UsageError, match="learning_rate must be at least 0, got -1"):
        resolve(learning_rate=-1)


def test_a_preset_that_is_named_wins_over_the_files(tmp_path):
    file = tmp_path / "p.toml"
    file.write_text('preset = "lstm"\n')
    assert resolve("text-rnn", file) == resolve("text-rnn")
    assert resolve(None, file) == resolve("lstm")
    assert resolve() == resolve("text-rnn")
