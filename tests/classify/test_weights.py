"""Weights of rows and classes: a weight of 2 is the row twice, one of 0 is no row, and a class's weight its rows'."""

import json

import numpy as np
import pytest
import torch

import elman
from conftest import make_reviews
from elman.classify import ClassifierConfig, resolve
from elman.classify.batches import Encoded
from elman.classify.fit import fit
from elman.classify.model import build_network, fit_scales
from elman.classify.ngrams import NGrams
from elman.classify.split import Split
from elman.classify.task import ClassificationTask, Labelled
from elman.classify.weights import Weights, as_setting, check_class_weight, row_weights, weights_by_class
from elman.cli._app import run
from elman.errors import DataError, LabelError, UsageError
from elman.text import TextTokenizer

SMALL = {"embedding_dim": 8, "hidden_size": 6, "epochs": 2, "batch_size": 16, "learning_rate": 0.02, "min_count": 1}
STILL = {"dropout": 0.0, "embedding_dropout": 0.0, "word_dropout": 0.0, "feature_dropout": 0.0, "ngrams": 0}
CLASSES = ("bad", "good", "odd")


@pytest.fixture(scope="module")
def encoded():
    """60 texts of 3 classes as ids, their classes, and whole weights from 1 to 3."""
    texts, labels = make_reviews(60, CLASSES)
    ids = TextTokenizer.fit(texts, min_count=1).encode(texts)
    return ids, np.array([CLASSES.index(label) for label in labels]), 1 + np.arange(60) // 4 % 3


def repeated(ids, numbers, counts):
    rows = np.repeat(np.arange(len(numbers)), counts)
    return ids.select(rows), numbers[rows]


def task_of(ids, numbers, weights=None, setting="none", probabilities=None):
    config = resolve(class_weight=setting, **SMALL, **STILL)
    rows = None if weights is None else weights.astype(float)
    train = Labelled(Encoded(ids), numbers, probabilities, rows)
    torch.manual_seed(0)
    network = build_network(config, int(ids.ids.max()) + 1, 3)
    return ClassificationTask(train, train, 3, config, Weights.of(setting, CLASSES, rows)), network.train()


def mean_gradient(task, network, batches):
    """Of the loss over batches, by the texts in each."""
    network.zero_grad()
    count = sum(map(len, batches))
    total = 0.0
    for batch in batches:
        loss, _, rows = task.loss(network, batch)
        (loss * rows / count).backward()
        total += float(loss.detach()) * rows / count
    return total, torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


@pytest.mark.parametrize("size", [1, 7, 60])
def test_in_the_loss_a_weight_of_two_is_the_row_twice(encoded, size):
    """Over an epoch, however its rows are dealt into batches, single ones too."""
    ids, numbers, counts = encoded
    batches = np.split(np.random.default_rng(0).permutation(60), range(size, 60, size))
    loss, gradient = mean_gradient(*task_of(ids, numbers, counts), batches)
    more_ids, more = repeated(ids, numbers, counts)
    expected_loss, expected = mean_gradient(*task_of(more_ids, more), [np.arange(len(more))])
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)
    unweighted = mean_gradient(*task_of(ids, numbers), batches)[0]
    assert abs(unweighted - loss) > 1e-4


def test_answers_and_validation_count_as_the_loss_does(encoded):
    ids, numbers, counts = encoded
    task, network = task_of(ids, numbers, counts)
    more = task_of(*repeated(ids, numbers, counts))[0]
    ours, theirs = task.validate(network), more.validate(network)
    assert ours == pytest.approx(theirs, rel=1e-5) and ours != task_of(ids, numbers)[0].validate(network)
    right = task.loss(network, np.arange(60))[1] / 60
    assert right == pytest.approx(theirs["accuracy"], rel=1e-5)


@pytest.mark.parametrize("setting", ["bad=2,good=3", "odd=0", "balanced"])
def test_the_weight_of_a_class_is_that_of_its_rows(encoded, setting):
    ids, numbers, counts = encoded
    numbers = np.where(counts == 3, 0, numbers)  # of unequal classes
    of_classes = Weights.of(setting, CLASSES, None).in_loss(numbers, 3)
    batches = np.split(np.arange(60), [20, 27])
    loss, gradient = mean_gradient(*task_of(ids, numbers, setting=setting), batches)
    by_row, expected = mean_gradient(*task_of(ids, numbers, of_classes[numbers]), batches)
    assert loss == pytest.approx(by_row, rel=1e-5)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)
    certain = np.eye(3, dtype=np.float32)[numbers]
    soft = mean_gradient(*task_of(ids, numbers, setting=setting, probabilities=certain), batches)
    assert soft[0] == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(soft[1], gradient, rtol=1e-4, atol=1e-6)


def test_weights_of_rows_and_classes_multiply(encoded):
    ids, numbers, counts = encoded
    whole = [np.arange(60)]
    both = mean_gradient(*task_of(ids, numbers, counts, "bad=2"), whole)
    product = mean_gradient(*task_of(ids, numbers, counts * np.array([2, 1, 1])[numbers]), whole)
    assert both[0] == pytest.approx(product[0], rel=1e-5)
    torch.testing.assert_close(both[1], product[1], rtol=1e-4, atol=1e-6)


def test_balanced_classes_weigh_alike_whatever_their_rows_count(encoded):
    _, numbers, counts = encoded
    numbers = np.where(counts == 3, 0, numbers)
    weights = Weights.of("balanced", CLASSES, counts.astype(float))
    of_classes = weights.in_loss(numbers, 3)
    sums = np.bincount(numbers, counts * of_classes[numbers])
    assert sums == pytest.approx([sums[0]] * 3)
    more = np.repeat(numbers, counts)
    assert of_classes == pytest.approx(Weights.of("balanced", CLASSES, None).in_loss(more, 3))
    own = numbers == 1
    sides = np.bincount(own, weights.of_sides(numbers, own))
    assert sides[0] == pytest.approx(sides[1]) and sides.sum() == pytest.approx(counts.sum())


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("setting", ["none", "balanced"])
def test_in_the_ngrams_a_weight_of_two_is_the_text_twice(encoded, num_classes, setting):
    ids, numbers, counts = encoded
    numbers = numbers % num_classes
    names = CLASSES[:num_classes]
    ours, evidence = NGrams.fit(
        ids, numbers, num_classes, 3, weights=Weights.of(setting, names, counts.astype(float)), seed=0
    )
    more_ids, more = repeated(ids, numbers, counts)
    theirs, _ = NGrams.fit(more_ids, more, num_classes, 3, weights=Weights.of(setting, names, None), seed=0)
    assert np.array_equal(ours.keys, theirs.keys)  # what is in one text of weight 2 occurs twice
    assert len(ours.keys) > len(NGrams.fit(ids, numbers, num_classes, 3, seed=0)[0].keys)
    np.testing.assert_allclose(ours.ratio, theirs.ratio, rtol=1e-5, atol=1e-6)
    places = ours.evidence(ids).places
    np.testing.assert_allclose(ours.logits(ids, places), theirs.logits(ids, places), atol=0.1)  # liblinear stops near
    has = np.zeros((60, len(ours.keys)), bool)
    row = np.repeat(np.arange(60), ids.lengths)
    for n in range(3):
        has[row[places[:, n] >= 0], places[places[:, n] >= 0, n]] = True
    for fold in range(10):
        logs = []
        for side in (numbers == 1, numbers != 1):
            seen = counts[side & (evidence.folds != fold)] @ has[side & (evidence.folds != fold)] + 1
            logs.append(np.log(seen / seen.sum()))
        column = 0 if num_classes == 2 else 1
        np.testing.assert_allclose(evidence.ratios[fold][:, column], logs[0] - logs[1], rtol=1e-4, atol=1e-5)


def test_in_the_calibration_a_weight_of_two_is_the_row_twice():
    generator = np.random.default_rng(0)
    network, wide = generator.normal(size=(2, 40, 3)).astype(np.float32)
    numbers, counts = generator.integers(0, 3, 40), generator.integers(1, 4, 40)
    rows = np.repeat(np.arange(40), counts)
    twice = fit_scales(network[rows], wide[rows], numbers[rows])
    assert fit_scales(network, wide, numbers, counts.astype(float)) == pytest.approx(twice, rel=1e-4)
    assert fit_scales(network, wide, numbers) != pytest.approx(twice, rel=1e-4)


def test_a_row_of_weight_0_is_not_there(reviews):
    texts, labels = reviews
    weights = np.arange(240) % 3
    whole = elman.TextClassifier(**SMALL).fit([*texts, "unheard words"], [*labels, "odd"], [*weights, 0])
    rows = np.flatnonzero(weights)
    some = elman.TextClassifier(**SMALL).fit([texts[r] for r in rows], [labels[r] for r in rows], weights[rows])
    assert np.array_equal(whole.predict_proba(texts), some.predict_proba(texts))
    assert whole.classes_.tolist() == ["bad", "good"]
    groups = [*range(240), "one"]
    grouped = elman.TextClassifier(**SMALL).fit(
        [*texts, "unheard words"], [*labels, "odd"], [*weights, 0], groups=groups
    )
    assert np.array_equal(grouped.predict_proba(texts), some.predict_proba(texts))


def test_weights_that_are_all_one_change_nothing(reviews):
    plain = elman.TextClassifier(**SMALL).fit(*reviews)
    for weights in (1, 1.0, [1] * 240, np.ones(240, np.float32), iter([1] * 240)):
        again = elman.TextClassifier(**SMALL).fit(*reviews, sample_weight=weights)
        assert np.array_equal(again.predict_proba(reviews[0]), plain.predict_proba(reviews[0]))


def test_texts_that_count_more_are_learned(reviews):
    """The same texts with both labels: the heavier one wins."""
    texts = reviews[0][:100]
    labels = ["yes"] * 100 + ["no"] * 100
    for heavy in ("yes", "no"):
        weights = np.where(np.array(labels) == heavy, 5.0, 1.0)
        model = elman.TextClassifier(**SMALL, validation_split=0.0).fit(texts + texts, labels, weights)
        assert (model.predict(texts) == heavy).mean() > 0.9
        assert model.score(texts + texts, labels, sample_weight=weights) > 0.8
        by_class = elman.TextClassifier(**SMALL, validation_split=0.0, class_weight={heavy: 5})
        assert (by_class.fit(texts + texts, labels).predict(texts) == heavy).mean() > 0.9


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, 2.0], r"one sample_weight per text, got shape \(2,\) and 240 texts"),
        (np.ones((240, 1)), r"one sample_weight per text, got shape \(240, 1\)"),
        ([1.0] * 239 + [-1], "row 240: expected a finite sample_weight from 0 on, got -1"),
        ([float("nan")] * 240, "row 1: expected a finite sample_weight from 0 on, got nan"),
        ([0] * 240, "expected a sample_weight above 0, got 0 for all rows"),
        (["a"] * 240, "expected sample_weight as 240 numbers, got list"),
        ("heavy", "expected sample_weight as 240 numbers, got str"),
    ],
)
def test_weights_that_are_none(reviews, weights, message):
    with pytest.raises(DataError, match=message):
        elman.TextClassifier(**SMALL).fit(*reviews, weights)


def test_rows_of_one_class_left(reviews):
    with pytest.raises(LabelError, match=r"two classes are needed, got only \['good'\]"):
        elman.TextClassifier(**SMALL).fit(*reviews, [label == "good" for label in reviews[1]])


@pytest.mark.parametrize(
    ("kind", "weights"),
    [
        (str, {"False": 2, "True": 0.5}),
        (bool, {False: 2, True: 0.5}),
        (bool, {0: 2, 1: 0.5}),
        (int, {np.int64(0): np.float32(2), 1: 0.5}),
        (int, {True: 0.5, False: 2}),
        (float, {0: 2, 1: 0.5}),
    ],
)
def test_classes_are_weighed_by_their_labels(reviews, kind, weights):
    labels = [kind(label == "good") for label in reviews[1]]
    model = elman.TextClassifier(**SMALL, class_weight=weights)
    assert model.fit(reviews[0], labels).get_params()["class_weight"] is weights
    names = [str(label) for label in model.classes_.tolist()]
    assert weights_by_class(model.config_.class_weight) == dict(zip(names, [2.0, 0.5], strict=True))


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("none", {}),
        ("balanced", {}),
        ("spam=5", {"spam": 5}),
        ("spam=5,ham=0.5", {"spam": 5, "ham": 0.5}),
        ("a=b=2, c = 1e2 ", {"a=b": 2, "c": 100}),
        ('{"a,b": 2, "=": 0}', {"a,b": 2, "=": 0}),
        ("差评=3", {"差评": 3}),
    ],
)
def test_forms_of_the_setting(setting, expected):
    assert weights_by_class(setting) == expected and ClassifierConfig(class_weight=setting)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("balancd", "class_weight must be none, balanced or weights by class such as spam=5,ham=1, got 'balancd'"),
        ("", "got ''"),
        ("a=2,b", "got 'a=2,b'"),
        ("a=2,a=3", "got 'a=2,a=3'"),
        ("a=x", "got 'a=x'"),
        ("{", "got '{'"),
        ('{"a": null}', "got '{\"a\": null}'"),
        ('{"a": true}', "a finite number from 0 on for 'a', got True"),
        ("a=-1", "a finite number from 0 on for 'a', got '-1'"),
        ("a=nan", "a finite number from 0 on for 'a', got 'nan'"),
        ({"a": "inf"}, "a finite number from 0 on for 'a', got 'inf'"),
        ({"a": {1, 2}}, "expected numbers by class, got"),
        ([1, 2], r"class_weight must be of type str, got \[1, 2\]"),
    ],
)
def test_forms_that_say_nothing(setting, message):
    with pytest.raises(UsageError, match=message):
        resolve(class_weight=setting)


def test_classes_that_are_not_there():
    """As scikit-learn has it, in whose cross-validation a part of the rows may lack a class."""
    check_class_weight("bad=2", CLASSES)
    check_class_weight("bad=2,good=1,odd=3,other=4", CLASSES)
    with pytest.raises(ValueError, match=r"The classes, \['good', 'odd'\], are not in class_weight: it has \['no'\]"):
        check_class_weight("bad=2,no=3", CLASSES)
    with pytest.raises(UsageError, match="expected a class that counts, got 0 for all"):
        check_class_weight("bad=0,good=0,odd=0", CLASSES)
    with pytest.raises(UsageError, match=r"The classes, .* are not in class_weight"):
        fit(Split(["a", "b"], np.array([0, 1])), None, np.array(["x", "y"]), resolve(class_weight="z=3"))
    assert as_setting("balanced") == "balanced" and as_setting(None) is None
    assert row_weights(None, 3) is None and row_weights(2, 3).tolist() == [2, 2, 2]


def test_on_the_command_line(tmp_path, capsys):
    texts, labels = make_reviews(80)
    data, out, file = tmp_path / "a.csv", tmp_path / "run", tmp_path / "a.toml"
    data.write_text("text,label\n" + "".join(f"{t},{y}\n" for t, y in zip(texts, labels, strict=True)))
    flags = [part for name, value in SMALL.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    once = ["train", str(data), "--out", str(out), "--overwrite", *flags]
    weights = {}
    for name, toml in {
        "flag": "",
        "text": 'class_weight = "bad=2"\n',
        "table": "[class_weight]\nbad = 2\n",
        "inline": "class_weight = {bad = 2.0}\n",
    }.items():
        file.write_text(toml)
        assert run([*once, "--class-weight", "bad=2"] if name == "flag" else [*once, "--config", str(file)]) == 0
        weights[name] = (out / "model.safetensors").read_bytes()
        assert resolve(file=out / "config.toml").class_weight in ("bad=2", '{"bad": 2}', '{"bad": 2.0}')
    assert len(set(weights.values())) == 1
    assert run(once) == 0 and (out / "model.safetensors").read_bytes() != weights["flag"]
    assert run([*once, "--class-weight", "odd=2"]) == 2
    assert "The classes, ['bad', 'good'], are not in class_weight" in capsys.readouterr().err
    assert json.loads((out / "config.json").read_text())["config"]["class_weight"] == "none"
