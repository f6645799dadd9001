"""The output of a fine-tuned classifier begins as logistic regression on the language model's vectors."""

import numpy as np
import pytest
import torch

from elman.classify import probe
from elman.classify.batches import Encoded
from elman.classify.probe import start_output
from elman.classify.task import Labelled
from elman.nn import BothWays, TextRNN
from elman.text import RaggedIds

SIZES = {"embedding_dim": 12, "hidden_size": 10, "bidirectional": False, "pooling": "last+mean+max", "dropout": 0.9}


def labelled(num_classes, count=120, seed=0):
    """Class k has more tokens of its own third of the vocabulary."""
    draws = np.random.default_rng(seed)
    numbers = np.arange(count) % num_classes
    rows = [
        np.where(draws.random(n) < 0.6, 10 + 10 * number + draws.integers(0, 10, n), draws.integers(2, 10, n))
        for number, n in zip(numbers, draws.integers(5, 30, count), strict=True)
    ]
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Labelled(Encoded(RaggedIds(np.concatenate(rows).astype(np.int32), offsets)), numbers)


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("kind", [TextRNN, BothWays])
def test_a_frozen_network_tells_the_classes_apart_at_once(kind, num_classes):
    torch.manual_seed(0)
    network = kind(50, num_classes, **SIZES).train()
    before = {name: p.clone() for name, p in network.named_parameters()}
    train, other = labelled(num_classes), labelled(num_classes, seed=1)
    start_output(network, train, balanced=False, seed=0)
    assert network.training
    moved = {name for name, p in network.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {n for n in before if n.removeprefix("other.").startswith("output.")}
    network.eval()
    ids, _ = other.texts.batch(np.arange(len(other.numbers)))
    with torch.no_grad():
        opinions = network.opinions(ids)
    for opinion in opinions:
        assert np.mean(opinion.argmax(1).numpy() == other.numbers) > 0.7


def test_the_output_is_that_of_the_regression():
    from sklearn.linear_model import LogisticRegression

    torch.manual_seed(0)
    network = TextRNN(50, 2, **SIZES).eval()
    train = labelled(2)
    ids, _ = train.texts.batch(np.arange(120))
    with torch.no_grad():
        vectors = network.pooled(ids).double().numpy()
    start_output(network, train, balanced=False, seed=0)
    scaled = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-6)
    expected = LogisticRegression(C=0.1 / 120**0.5, max_iter=1000).fit(scaled, train.numbers).predict_proba(scaled)
    with torch.no_grad():
        found = torch.softmax(network(ids), 1).numpy()
    assert np.allclose(found, expected, atol=1e-4)


def test_with_many_texts_the_output_stays_random(monkeypatch):
    network = TextRNN(50, 2, **SIZES)
    before = network.output.weight.clone()
    monkeypatch.setattr(probe, "_MOST_TEXTS", 119)
    start_output(network, labelled(2), balanced=False, seed=0)
    assert torch.equal(network.output.weight, before)
    monkeypatch.setattr(probe, "_MOST_TEXTS", 120)
    start_output(network, labelled(2), balanced=False, seed=0)
    assert not torch.equal(network.output.weight, before)


def test_a_class_that_is_not_there_leaves_the_output_as_it_was():
    network = TextRNN(50, 3, **SIZES)
    before = network.output.weight.clone()
    start_output(network, labelled(2), balanced=False, seed=0)
    assert torch.equal(network.output.weight, before)
