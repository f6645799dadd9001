"""The n-gram evidence: ratios by counting, each fold blind to itself, and a branch that learns."""

from functools import partial

import numpy as np
import pytest
from sklearn import linear_model

import elman
from conftest import make_reviews
from elman.classify.ngrams import NGrams
from elman.text import TextTokenizer


def encoded(rows=200, classes=("bad", "good"), seed=0):
    texts, labels = make_reviews(rows, classes, seed)
    tokenizer = TextTokenizer.fit(make_reviews(200, classes)[0])
    return texts, tokenizer.encode(texts), np.array([classes.index(label) for label in labels])


def fit(classes=("bad", "good")):
    texts, ids, numbers = encoded(classes=classes)
    return texts, ids, numbers, *NGrams.fit(ids, numbers, len(classes), 2, seed=0)


@pytest.mark.parametrize("classes", [("bad", "good"), ("bad", "good", "odd")], ids=len)
def test_ratios_by_counting(classes):
    texts, ids, numbers, ngrams, evidence = fit(classes)
    columns = [1] if len(classes) == 2 else [0, 1, 2]
    assert ngrams.ratio.shape == (len(ngrams.keys), len(columns))
    place = next(p for t, p in zip(_tokens(texts), evidence.places[:, 0], strict=True) if t == "great")
    has = np.array(["great" in text.split() for text in texts])
    for blind in [None, *range(10)]:
        seen = np.ones(len(texts), bool) if blind is None else evidence.folds != blind
        table = ngrams.ratio if blind is None else evidence.ratios[blind]
        presence = _presence(ids, evidence.places, len(ngrams.keys))
        for column, number in enumerate(columns):
            own, rest = seen & (numbers == number), seen & (numbers != number)
            shares = [((has & side).sum() + 1) / (presence[side].sum() + len(ngrams.keys)) for side in (own, rest)]
            assert table[place, column] == pytest.approx(np.log(shares[0] / shares[1]), rel=1e-4)


def _tokens(texts):
    return [token for text in texts for token in text.split()]


def _presence(ids, places, known):
    matrix = np.zeros((len(ids), known), bool)
    for row in range(len(ids)):
        own = places[ids.offsets[row] : ids.offsets[row + 1]]
        matrix[row, own[own >= 0]] = True
    return matrix


def test_features_are_the_ratios_of_the_ngrams_that_end_there():
    _, ids, _, _, evidence = fit()
    elements = np.array([5, 0, 7])
    rows = np.searchsorted(ids.offsets, elements, side="right") - 1
    for features, element, row in zip(evidence.features(elements, rows), elements, rows, strict=True):
        for n, place in enumerate(evidence.places[element]):
            expected = 0 if place < 0 else evidence.ratios[evidence.folds[row], place, 0]
            assert features[n] == pytest.approx(expected)


@pytest.mark.parametrize("classes", [("bad", "good"), ("bad", "good", "odd")], ids=len)
def test_the_wide_branch_learns(classes):
    *_, ngrams, _ = fit(classes)
    _, ids, numbers = encoded(90, classes, seed=1)
    scores = ngrams.logits(ids, ngrams.evidence(ids).places)
    assert (scores.argmax(1) == numbers).mean() > 0.95


@pytest.mark.parametrize(
    "texts", [[""] * 6, ["aa bb", "cc dd", "ee ff", "gg hh", "ii jj", "kk"]], ids=["empty", "once"]
)
def test_texts_without_an_ngram_that_comes_again(texts, tmp_path):
    settings = {"embedding_dim": 4, "hidden_size": 3, "epochs": 1, "min_count": 1, "validation_split": 0.0}
    model = elman.TextClassifier(**settings).fit(texts, ["a", "b", "c"] * 2)
    ids = model.classifier_.encode(["aa bb", ""])
    assert (ids.evidence.features(np.arange(len(ids.ids.ids)), np.zeros(len(ids.ids.ids), int)) == 0).all()
    model.save(tmp_path)
    again = elman.TextClassifier.load(tmp_path)
    assert np.array_equal(again.predict_proba(["aa bb", ""]), model.predict_proba(["aa bb", ""]))


def test_a_regression_that_has_not_quite_arrived_is_no_news(monkeypatch):
    """A warning is an error in these tests."""
    early = partial(linear_model.LogisticRegression, max_iter=1)
    monkeypatch.setattr(linear_model, "LogisticRegression", early)
    fit()


def test_a_label_cannot_be_read_off_noise():
    """With random labels, evidence that is blind to the text's own fold predicts its label no better than chance."""
    texts, _ = make_reviews(600)
    ids = TextTokenizer.fit(texts).encode(texts)
    numbers = np.random.default_rng(0).integers(0, 2, 600)
    ngrams, evidence = NGrams.fit(ids, numbers, 2, 3, seed=0)
    rows = np.repeat(np.arange(600), ids.lengths)
    blind = evidence.features(np.arange(len(ids.ids)), rows).sum(1)
    told = ngrams.evidence(ids).features(np.arange(len(ids.ids)), rows).sum(1)
    accuracy = [((np.bincount(rows, f) > 0) == numbers).mean() for f in (blind, told)]
    assert accuracy[0] < 0.56 < 0.75 < accuracy[1]
