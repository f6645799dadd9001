"""Classifiers and language models that were pickled, copied, or come from another process answer to the bit."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import elman
from conftest import make_reviews

TEXTS, LABELS = make_reviews(40)
SPECIAL = ["[UNK] great [PAD]", "[END] awful [UNK] [UNK]", "[PAD]", *TEXTS[:3], ""]
CHINESE = ["房间很干净，服务也很好。", "房间太小，价格太贵。"] * 12
SMALL = {"embedding_dim": 4, "hidden_size": 3, "epochs": 1, "min_count": 1}
LANGUAGE = {**SMALL, "num_layers": 1, "batch_size": 4, "bptt": 9}


def through_a_file(value, folder):
    joblib.dump(value, folder / "value")
    return joblib.load(folder / "value")


COPIES = {
    "pickle": lambda value, folder: pickle.loads(pickle.dumps(value)),
    "deepcopy": lambda value, folder: copy.deepcopy(value),
    "joblib": through_a_file,
}


@pytest.mark.parametrize(
    "settings",
    [
        *({"tokenizer": kind} for kind in ("words", "bpe", "characters", "spaces", "jieba")),
        {"preset": "gru"},
        {"cell": "clockwork", "hidden_size": 8, "bidirectional": False, "direction": "both", "learn_state": True},
    ],
    ids=str,
)
def test_a_copy_of_a_classifier_answers_the_same(settings, tmp_path):
    if settings.get("tokenizer") == "jieba":
        pytest.importorskip("jieba")
    model = elman.TextClassifier(**{**SMALL, **settings}).fit(TEXTS + CHINESE, LABELS + ["good", "bad"] * 12)
    texts = SPECIAL + CHINESE[:2]
    for way in COPIES.values():
        again = way(model, tmp_path)
        assert np.array_equal(again.predict_proba(texts), model.predict_proba(texts))
        assert again.config_ == model.config_ and again.history_ == model.history_
        assert again.classifier_.scales == model.classifier_.scales
        inner = way(model.classifier_, tmp_path)
        assert np.array_equal(inner.probabilities(texts), model.predict_proba(texts))
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("kind", ["words", "bpe", "characters", "spaces", "jieba"])
def test_a_copy_of_a_language_model_answers_the_same(kind, tmp_path):
    if kind == "jieba":
        pytest.importorskip("jieba")
    model = elman.LanguageModel(**LANGUAGE, tokenizer=kind).fit(TEXTS[:8] + CHINESE[:8])
    for way in COPIES.values():
        again = way(model, tmp_path)
        assert again.perplexity(SPECIAL[:6]) == model.perplexity(SPECIAL[:6])
        assert again.generate("[UNK] 房间", max_tokens=9) == model.generate("[UNK] 房间", max_tokens=9)
        assert again.fill("[PAD] ___ 好") == model.fill("[PAD] ___ 好")
        assert again.config_ == model.config_


def test_a_search_in_other_processes_finds_what_it_finds_here():
    pytest.importorskip("jieba")
    start = elman.LanguageModel(**LANGUAGE, tokenizer="jieba").fit(CHINESE[:8] + SPECIAL[:3])
    texts = [f"{text} [UNK] {number}" for number, text in enumerate(CHINESE)]
    estimator = elman.TextClassifier(pretrained=start, epochs=1, validation_split=0.0)
    found = [
        GridSearchCV(estimator, {"dropout": [0.1, 0.4]}, cv=2, n_jobs=jobs).fit(texts, ["good", "bad"] * 12)
        for jobs in (1, 2)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in found]
    assert np.array_equal(*scores)
    probabilities = [search.predict_proba(texts) for search in found]
    assert np.array_equal(*probabilities)
    back = joblib.Parallel(n_jobs=2)([joblib.delayed(copy.copy)(each) for each in (found[0], start)])
    assert np.array_equal(back[0].predict_proba(texts), probabilities[0])
    assert back[1].perplexity(texts) == start.perplexity(texts)
