"""TextClassifier keeps scikit-learn's contracts on text, learns, and survives being saved."""

import datetime

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import elman
from conftest import make_reviews
from elman.classify import PRESETS, ClassifierConfig
from elman.errors import DataError, LabelError, SplitError, UsageError
from elman.settings import to_dict

SMALL = {"embedding_dim": 16, "hidden_size": 12, "epochs": 6, "batch_size": 16, "learning_rate": 0.02, "min_count": 1}


@pytest.fixture(scope="module")
def fitted(reviews):
    return elman.TextClassifier(**SMALL).fit(*reviews)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_learns(preset):
    texts, labels = make_reviews(360, ("bad", "good", "odd"))
    held_out = make_reviews(90, ("bad", "good", "odd"), seed=1)
    settings = {**SMALL, "epochs": 12, "bidirectional": None}
    model = elman.TextClassifier(preset, **settings).fit(texts, labels)
    assert model.score(*held_out) > 0.9
    assert len(model.history_) <= 12 and model.history_[-1].train_loss < model.history_[0].train_loss


def test_probabilities_and_labels_agree(fitted, reviews):
    texts, labels = reviews
    probabilities = fitted.predict_proba(texts)
    assert probabilities.shape == (240, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert list(fitted.classes_) == ["bad", "good"]
    assert (fitted.predict(texts) == fitted.classes_[probabilities.argmax(axis=1)]).all()
    assert fitted.score(texts, labels) == np.mean(fitted.predict(texts) == np.array(labels))


def test_a_text_does_not_depend_on_its_batch(fitted, reviews):
    texts = [*reviews[0][:30], "", "neverseen words only", "great " * 3000]
    together = fitted.predict_proba(texts)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(fitted.predict_proba([text])[0], together[row], atol=1e-5)
    assert np.isfinite(together).all()
    assert fitted.predict_proba([]).shape == (0, 2)


def test_the_same_seed_gives_the_same_model(fitted, reviews):
    again = elman.TextClassifier(**SMALL).fit(*reviews)
    assert np.array_equal(again.predict_proba(reviews[0]), fitted.predict_proba(reviews[0]))
    other = elman.TextClassifier(**SMALL, seed=1).fit(*reviews)
    assert not np.array_equal(other.predict_proba(reviews[0]), fitted.predict_proba(reviews[0]))


@pytest.mark.parametrize("kind", [int, str, bool, np.int64])
def test_labels_come_back_as_they_were_given(reviews, kind, tmp_path):
    numbers = [kind(label == "good") for label in reviews[1]]
    model = elman.TextClassifier(**{**SMALL, "epochs": 1}).fit(reviews[0], numbers)
    assert set(model.predict(reviews[0]).tolist()) <= {kind(False), kind(True)}
    model.save(tmp_path / "model")
    again = elman.TextClassifier.load(tmp_path / "model")
    assert again.classes_.tolist() == model.classes_.tolist()


@pytest.mark.parametrize(
    "settings", [{}, {"ngrams": 0}, {"num_layers": 2, "cell": "gru"}, {"tokenizer": "bpe"}], ids=str
)
def test_saved_and_loaded_gives_identical_predictions(reviews, settings, tmp_path):
    model = elman.TextClassifier(**{**SMALL, "epochs": 1, **settings}).fit(*reviews)
    model.save(tmp_path / "model")
    again = elman.TextClassifier.load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(reviews[0]), model.predict_proba(reviews[0]))
    assert again.config_ == model.config_
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]


def test_scikit_learn_tools(reviews):
    texts, labels = reviews
    model = elman.TextClassifier(**{**SMALL, "epochs": 4})
    assert cross_val_score(model, texts, labels, cv=2).mean() > 0.7
    search = GridSearchCV(model, {"hidden_size": [4, 8], "cell": ["gru"]}, cv=2).fit(texts, labels)
    assert search.best_estimator_.config_.cell == "gru"
    pipeline = make_pipeline(FunctionTransformer(lambda x: [t.upper() for t in x]), clone(model))
    assert pipeline.fit(texts, labels).score(texts, labels) > 0.7


def test_parameters_are_the_settings():
    model = elman.TextClassifier("gru", hidden_size=8)
    assert model.get_params() == {
        "preset": "gru",
        "pretrained": None,
        **dict.fromkeys(to_dict(ClassifierConfig)),
        "hidden_size": 8,
    }
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(epochs=2).epochs == 2
    with pytest.raises(TypeError, match="no setting hidden; it has: preset, pretrained, tokenizer"):
        elman.TextClassifier(hidden=3)


@pytest.mark.parametrize(
    "check",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_mixin_order",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
    ],
)
def test_estimator_checks_that_need_no_numbers(check):
    getattr(estimator_checks, check)("TextClassifier", elman.TextClassifier(**SMALL))


def test_fit_leaves_the_parameters_and_the_random_state_alone(reviews):
    import torch

    model = elman.TextClassifier(**{**SMALL, "epochs": 1})
    before, state = model.get_params(), torch.get_rng_state()
    model.fit(*reviews)
    assert model.get_params() == before and torch.equal(torch.get_rng_state(), state)


def test_a_given_validation_set_is_watched(reviews):
    texts, labels = reviews
    wrong = ["good" if label == "bad" else "bad" for label in labels[:40]]
    with pytest.warns(UserWarning, match="validation: 40 of 40 texts are training texts too"):
        model = elman.TextClassifier(**SMALL).fit(texts, labels, validation=(texts[:40], wrong))
    assert model.history_[-1].validation_accuracy < 0.2 < 0.8 < model.history_[-1].train_accuracy


def test_balanced_classes_raise_the_rare_ones_recall():
    texts, labels = make_reviews(400)
    keep = [i for i, label in enumerate(labels) if label == "bad" or i % 20 == 1]
    texts, labels = [texts[i] for i in keep], [labels[i] for i in keep]
    settings = {**SMALL, "epochs": 2, "ngrams": 0, "validation_split": 0.0}
    shares = [
        np.mean(elman.TextClassifier(**settings, class_weight=w).fit(texts, labels).predict(texts) == "good")
        for w in ("none", "balanced")
    ]
    assert shares[0] < 0.05 < shares[1]


@pytest.mark.parametrize(
    ("texts", "labels", "error", "message"),
    [
        ("one text", ["a"], DataError, "expected a list of texts, got a single string"),
        (["a", "b"], ["x"], DataError, "one label per text, got 2 texts and 1 labels"),
        (["a", 3], ["x", "y"], DataError, "row 2: expected a string, got int"),
        (["a", "b"], ["x", "x"], LabelError, r"two classes are needed, got only \['x'\]"),
        (["a", "b"], [1.0, float("nan")], LabelError, "row 2: the label is missing"),
        (["a", "b"], ["x", None], LabelError, "row 2: the label is missing"),
        (["a", "b"], ["x", float("nan")], LabelError, "row 2: the label is missing"),
        (["a", "b"], ["x", 1], LabelError, "row 2: expected a label of the same kind as 'x', got 1"),
        (["a", "b"], None, DataError, "expected a list of labels, got a NoneType"),
        (["a", "b"], {"x", "y"}, DataError, "expected a list of labels, got a set"),
        (["a", "b"], ["x", "y"], SplitError, "takes no row out of 2"),
    ],
)
def test_bad_input(texts, labels, error, message):
    with pytest.raises(error, match=message):
        elman.TextClassifier().fit(texts, labels)


@pytest.mark.parametrize(
    "labels",
    [
        [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)],
        np.array(["2020", "2021"], "datetime64[ns]"),
        [b"bad", b"good"],
        [(1, 2), (3,)],
    ],
    ids=lambda labels: type(labels[0]).__name__,
)
def test_labels_that_no_saved_model_could_hold(labels):
    texts = make_reviews(20)[0]
    with pytest.raises(LabelError, match="row 1: expected a string, a number or a boolean as label, got "):
        elman.TextClassifier(**SMALL).fit(texts, list(labels) * 10)


def frame(rows):
    return pytest.importorskip("pandas").DataFrame(rows)


@pytest.mark.parametrize("column", [np.array, list, frame], ids=lambda kind: kind.__name__)
def test_labels_in_a_column_are_taken_with_scikit_learns_warning(fitted, reviews, column):
    texts, labels = reviews
    with pytest.warns(DataConversionWarning, match=r"A column-vector y was passed .* using ravel\(\)"):
        model = elman.TextClassifier(**SMALL).fit(texts, column([[label] for label in labels]))
    assert np.array_equal(model.predict_proba(texts), fitted.predict_proba(texts))
    with pytest.warns(DataConversionWarning), pytest.warns(UserWarning, match="are training texts too"):
        elman.TextClassifier(**SMALL).fit(texts, labels, validation=(texts[:9], column([[y] for y in labels[:9]])))


@pytest.mark.parametrize("table", [np.array, frame])
def test_labels_in_two_columns_are_refused_in_scikit_learns_words(reviews, table):
    with pytest.raises(LabelError, match=r"y should be a 1d array, got an array of shape \(240, 2\) instead\."):
        elman.TextClassifier(**SMALL).fit(reviews[0], table([[label, label] for label in reviews[1]]))


@pytest.mark.parametrize("value", [0.5, float("inf"), np.float32(1e-3)])
def test_continuous_targets_are_refused_in_scikit_learns_words(reviews, value):
    labels = [float(label == "good") for label in reviews[1]]
    assert elman.TextClassifier(**{**SMALL, "epochs": 1}).fit(reviews[0], labels).classes_.tolist() == [0, 1]
    labels[2] = value
    message = r"Unknown label type: continuous\. Maybe you are trying to fit a classifier, .* Row 3: "
    with pytest.raises(LabelError, match=message):
        elman.TextClassifier(**SMALL).fit(reviews[0], labels)


def test_scores_logarithms_and_probabilities_agree():
    texts, labels = make_reviews(90, ("bad", "good", "odd"))
    for classes in (2, 3):
        rows = [row for row in range(90) if row % 3 < classes]
        own = [texts[row] for row in rows]
        model = elman.TextClassifier(**SMALL).fit(own, [labels[row] for row in rows])
        probabilities, scores = model.predict_proba(own), model.decision_function(own)
        np.testing.assert_allclose(np.exp(model.predict_log_proba(own)), probabilities, atol=1e-6)
        if classes == 2:
            assert scores.shape == (60,) and model.decision_function([]).shape == (0,)
            np.testing.assert_allclose(expit(scores), probabilities[:, 1], atol=1e-6)
            assert ((scores > 0) == (model.predict(own) == model.classes_[1])).all()
        else:
            assert scores.shape == (90, 3)
            np.testing.assert_allclose(softmax(scores, axis=1), probabilities, atol=1e-6)
    model.classifier_.scales = (1e4, 1e4)
    assert np.isfinite(model.predict_log_proba(own)).all() and (model.predict_proba(own) == 0).any()


def test_a_split_that_is_not_the_share_is_said(reviews):
    same = ["one text"] * 200 + reviews[0][:40]
    with pytest.warns(UserWarning, match="of 240 rows are held out for validation, .* instead of 10.0%"):
        elman.TextClassifier(**{**SMALL, "epochs": 1}).fit(same, ["good"] * 200 + ["bad"] * 40)


def weighted_tools():
    def pipeline(**settings):
        return make_pipeline(FunctionTransformer(lambda x: [t.upper() for t in x]), quick(**settings))

    def quick(**settings):
        return elman.TextClassifier(**{**SMALL, "epochs": 4, **settings})

    return {
        "cross_val_score": lambda x, y, w: cross_val_score(quick(), x, y, cv=2, params={"sample_weight": w}).mean(),
        "area under the curve": lambda x, y, w: cross_val_score(quick(), x, y, cv=2, scoring="roc_auc_ovr").mean(),
        "GridSearchCV": lambda x, y, w: (
            GridSearchCV(quick(), {"class_weight": [{"bad": 2.0}, "balanced", None]}, cv=2)
            .fit(x, y, sample_weight=w)
            .score(x, y)
        ),
        "CalibratedClassifierCV": lambda x, y, w: (
            CalibratedClassifierCV(quick(), cv=2).fit(x, y, sample_weight=w).score(x, y)
        ),
        "Pipeline": lambda x, y, w: pipeline().fit(x, y, textclassifier__sample_weight=w).score(x, y),
        "VotingClassifier": lambda x, y, w: (
            VotingClassifier([("a", quick()), ("b", quick(seed=1))], voting="soft")
            .fit(x, y, sample_weight=w)
            .score(x, y)
        ),
        "StackingClassifier": lambda x, y, w: (
            StackingClassifier([("a", quick())], LogisticRegression(), cv=2).fit(x, y, sample_weight=w).score(x, y)
        ),
        "OneVsRestClassifier": lambda x, y, w: OneVsRestClassifier(quick()).fit(x, y).score(x, y),
    }


@pytest.mark.parametrize("tool", weighted_tools())
@pytest.mark.parametrize("classes", [2, 3])
def test_scikit_learn_tools_with_weights(tool, classes):
    texts, labels = make_reviews(120, ("bad", "good", "odd")[:classes])
    weights = np.random.default_rng(0).integers(1, 3, 120)
    assert weighted_tools()[tool](texts, labels, weights) > 0.7


def test_metadata_routing(reviews):
    with config_context(enable_metadata_routing=True):
        model = elman.TextClassifier(**SMALL).set_fit_request(sample_weight=True, groups=True)
        model.set_score_request(sample_weight=True)
        metadata = {"sample_weight": np.ones(240), "groups": np.arange(240) // 2}
        assert cross_val_score(model, *reviews, cv=GroupKFold(2), params=metadata).mean() > 0.7


def test_labels_and_groups_may_come_one_by_one(fitted, reviews):
    texts, labels = reviews
    again = elman.TextClassifier(**SMALL).fit(iter(texts), iter(labels), groups=iter(range(len(texts))))
    assert np.array_equal(again.predict_proba(texts), fitted.predict_proba(texts))


@pytest.mark.parametrize(
    ("validation", "error", "message"),
    [
        ((["a", "b", "c"], ["bad", "good"]), DataError, "one label per text, got 3 texts and 2 labels"),
        (([], []), DataError, "expected validation texts to watch, got none"),
        ((["a"], None), DataError, "expected a list of labels, got a NoneType"),
        ((["a"], [["bad", "bad"]]), LabelError, r"row 1: expected a string, .* got \['bad', 'bad'\]"),
        ((["a"], ["odd"]), LabelError, "validation, row 1: the label 'odd' was not in the training data"),
        (["a", "b", "c"], DataError, r"validation to be \(texts, labels\), got a list of 3"),
        (5, DataError, r"validation to be \(texts, labels\), got a int"),
    ],
)
def test_a_validation_part_that_cannot_be_watched(reviews, validation, error, message):
    with pytest.raises(error, match=message):
        elman.TextClassifier(**SMALL).fit(*reviews, validation=validation)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"preset": "lstmm"}, "unknown preset 'lstmm': choose one of text-rnn, simple-rnn, lstm, gru"),
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1"),
        ({"epochs": "3"}, "epochs must be of type int, got '3'"),
        ({"hidden_size": np.array([1, 2])}, r"hidden_size must be of type int, got array\(\[1, 2\]\)"),
        ({"seed": 2**32}, "seed must be at least 0 and at most 4294967295, got 4294967296"),
        ({"seed": 10**400}, "seed must be at least 0 and at most 4294967295, got 1000000"),
        ({"cell": "lstn"}, "cell must be one of rnn, lstm, gru, .*got 'lstn'"),
    ],
)
def test_bad_settings_are_found_at_fit(reviews, settings, message):
    with pytest.raises(UsageError, match=message):
        elman.TextClassifier(**settings).fit(*reviews)


def test_groups_stay_on_one_side_of_the_split():
    texts, labels = make_reviews(60)
    with pytest.raises(SplitError, match="expected one group per text, got 2 groups and 60 texts"):
        elman.TextClassifier(epochs=1).fit(texts, labels, groups=["a", "b"])
    with pytest.raises(SplitError, match="finds no row to hold out: equal texts and rows of one group stay"):
        elman.TextClassifier(epochs=1).fit(texts, labels, groups=["one film"] * 60)
    for unhashable in ([["a"]] * 60, np.zeros((60, 2))):
        with pytest.raises(DataError, match="row 1: expected a group such as a string or a number, got "):
            elman.TextClassifier(epochs=1).fit(texts, labels, groups=unhashable)


def test_groups_where_nothing_is_held_out():
    texts, labels = make_reviews(60)
    for settings, how in (({}, {"validation": (texts, labels)}), ({"validation_split": 0.0}, {})):
        with pytest.raises(UsageError, match="groups are for a validation part of the rows, got groups and no such"):
            elman.TextClassifier(epochs=1, **settings).fit(texts, labels, groups=range(60), **how)


@pytest.mark.parametrize("call", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_one_that_is_not_fitted_says_so(call):
    with pytest.raises(NotFittedError):
        getattr(elman.TextClassifier(), call)(["a"])
