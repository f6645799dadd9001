"""Adversarial training against its formula written out, text by text."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import elman
from conftest import make_reviews
from elman.classify.adversarial import adversarial_loss
from elman.errors import UsageError
from elman.nn import BothWays, TextRNN

IDS = torch.tensor([[5, 6, 7, 8], [9, 5, 0, 0], [4, 4, 4, 0], [0, 0, 0, 0]])
LENGTHS = [4, 2, 3, 0]
TARGET = torch.tensor([0, 1, 1, 0])
FEATURES = torch.randn(4, 4, 2, generator=torch.Generator().manual_seed(1)).double()


def network_of(kind, **settings):
    torch.manual_seed(0)
    shape = {"embedding_dim": 6, "hidden_size": 5, "bidirectional": False, "begin_id": 2, "feature_dim": 2}
    return kind(12, 2, **{**shape, "dropout": 0.0, **settings}).double()


def loss_of(network):
    return lambda: cross_entropy(network(IDS, LENGTHS, FEATURES), TARGET)


class Moved(torch.nn.Module):
    """Word vectors of which each text's are another: of text b's token at t, `shift[b][t]` away from the table's."""

    def __init__(self, table, order, shift):
        super().__init__()
        self.table, self.order, self.shift = table, order, shift

    def forward(self, ids):
        return self.table(ids) + torch.stack([self.shift[b][t] for b, t in self.order])


@pytest.mark.parametrize("backward", [False, True])
def test_loss_and_gradient_are_those_of_the_formula(backward):
    distance = 0.7
    network = network_of(TextRNN, backward=backward)
    parameters = list(network.parameters())
    found = adversarial_loss(network, loss_of(network), distance)
    found.backward()
    gradients = [p.grad.clone() for p in parameters]

    # Longest first, step by step: the beginnings of all four, then tokens of texts 0, 2, 1.
    order = [(b, t) for t in range(5) for b in (0, 2, 1, 3) if t <= LENGTHS[b]]
    shift = [[torch.zeros(6).double().requires_grad_() for _ in range(n + 1)] for n in LENGTHS]
    table = network.embedding
    network.embedding = Moved(table, order, shift)
    network.embedding.num_embeddings = 12
    plain = loss_of(network)()
    grads = torch.autograd.grad(plain, [s for text in shift for s in text], retain_graph=True)
    grads = iter(grads)
    read = [2, *[int(i) for b, n in enumerate(LENGTHS) for i in IDS[b, :n]]] + [2] * 3
    usual = table.weight.detach()[read].square().sum(1).mean().sqrt()
    moved = []
    for text in shift:
        g = torch.stack([next(grads) for _ in text])
        moved.append(list(distance * usual * g / g.norm()))
    network.embedding.shift = moved
    expected = (plain + loss_of(network)()) / 2
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients, list(torch.autograd.grad(expected, parameters)))


@pytest.mark.parametrize("kind", [TextRNN, BothWays])
def test_it_errs_more_than_on_texts_moved_at_random(kind):
    network = network_of(kind)
    plain = loss_of(network)().item()
    worst = 2 * adversarial_loss(network, loss_of(network), 0.1).item() - plain
    parts = [part for part in network.modules() if isinstance(part, TextRNN)]

    def at_random(vectors, batch_sizes):
        away = torch.randn_like(vectors)
        rows = torch.cat([torch.arange(int(size)) for size in batch_sizes])
        length = torch.stack([away[rows == row].norm() for row in range(4)])[rows, None]
        return vectors + 0.1 * vectors.detach().square().sum(1).mean().sqrt() * away / length

    assert all(part.disturb is None for part in parts)
    for part in parts:
        part.disturb = at_random
    with torch.no_grad():
        assert worst > max(plain, *(loss_of(network)().item() for _ in range(50)))


def test_both_passes_drop_the_same_and_leave_the_random_state_of_one():
    network = network_of(BothWays, dropout=0.5, embedding_dropout=0.3, word_dropout=0.3, feature_dropout=0.3)
    torch.manual_seed(3)
    plain = loss_of(network)()
    after = torch.get_rng_state()
    torch.manual_seed(3)
    torch.testing.assert_close(adversarial_loss(network, loss_of(network), 1e-12), plain)
    assert torch.equal(torch.get_rng_state(), after)


@pytest.mark.parametrize("change", ["frozen", "flat", "empty"])
def test_what_has_no_gradient_stays_where_it_is(change):
    network = network_of(TextRNN)
    network.embedding.requires_grad_(change != "frozen")
    lengths = [0, 0, 0, 0] if change == "empty" else LENGTHS
    if change == "flat":
        torch.nn.init.zeros_(network.output.weight)
    plain = cross_entropy(network(IDS, lengths, FEATURES), TARGET)
    found = adversarial_loss(network, lambda: cross_entropy(network(IDS, lengths, FEATURES), TARGET), 0.5)
    found.backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.requires_grad)
    assert (found > plain) if change != "flat" else torch.equal(found, plain)


def test_a_failure_leaves_the_network_undisturbed():
    network = network_of(BothWays)

    def fails():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        adversarial_loss(network, fails, 0.5)
    assert network.disturb is None and network.other.disturb is None


def test_a_classifier_learns_by_it_and_repeats():
    texts, labels = make_reviews(60, ("bad", "good"))

    def predicted(**settings):
        model = elman.TextClassifier(
            hidden_size=8, embedding_dim=8, ngrams=0, epochs=3, validation_split=0.2, **settings
        ).fit(texts, labels)
        return model.predict_proba(texts)

    first = predicted(adversarial=1.0)
    assert np.array_equal(first, predicted(adversarial=1.0))
    assert not np.allclose(first, predicted())


def test_a_distance_below_zero_is_refused():
    with pytest.raises(UsageError, match="adversarial"):
        elman.TextClassifier(adversarial=-0.1).fit(["a", "b"], [0, 1])
