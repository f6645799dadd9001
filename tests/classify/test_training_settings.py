"""Settings of training arrive where they act."""

import numpy as np
import pytest

from conftest import make_reviews
from elman.classify import resolve
from elman.classify.fit import FitEvents, fit
from elman.classify.split import Split
from elman.nn import Recurrent


class Watch(FitEvents):
    """The information flow's weight in every recurrent layer, step by step."""

    def __init__(self):
        self.seen = []

    def epoch_started(self, *args): ...

    def step_done(self, step, model):
        self.seen.append([m.information_flow for m in model.modules() if isinstance(m, Recurrent)])

    def epoch_done(self, *args): ...


def test_the_information_flow_falls_in_every_layer():
    texts, labels = make_reviews(96)
    settings = {"embedding_dim": 4, "hidden_size": 4, "epochs": 2, "batch_size": 16, "ngrams": 0, "calibrate": False}
    config = resolve(cell="rnn", num_layers=2, information_flow=0.3, information_flow_decay=4, **settings)
    watch = Watch()
    fitted = fit(Split(texts, np.unique(labels, return_inverse=True)[1]), None, np.unique(labels), config, events=watch)
    layers = [m for m in fitted.classifier.network.modules() if isinstance(m, Recurrent)]
    assert watch.seen == [[pytest.approx(0.3 / (1 + step / 4))] * len(layers) for step in range(12)] and layers
    assert all(layer.information_flow == 0.3 for layer in layers)
