"""Texts that trained classifiers label: what the student learns, what it never sees, what is refused."""

import numpy as np
import pytest

import elman
from elman import classify
from elman.classify import resolve
from elman.classify.split import Split
from elman.classify.teach import believed
from elman.errors import DataError, LabelError, UsageError
from elman.text import read_texts

KNOWN = (["bad", "poor", "dull"], ["good", "fine", "bright"])  # what the labels tell of
NEW = ([f"low{i}" for i in range(6)], [f"high{i}" for i in range(6)])  # what only the unlabelled texts do
FILLER = [f"word{i}" for i in range(20)]
QUICK = {"embedding_dim": 16, "hidden_size": 16, "tokenizer": "words", "min_count": 1, "dropout": 0.2}


def texts_of(kinds, count, seed):
    """Texts of both classes in turn; each has one word of every kind of its class and some that say nothing."""
    draws = np.random.default_rng(seed)
    texts, labels = [], []
    for row in range(count):
        number = row % 2
        words = [str(draws.choice(kind[number])) for kind in kinds] + [str(w) for w in draws.choice(FILLER, 4)]
        draws.shuffle(words)
        texts.append(" ".join(words))
        labels.append(number)
    return texts, labels


def table(path, texts, labels=None):
    rows = texts if labels is None else [f"{text}\t{label}" for text, label in zip(texts, labels, strict=True)]
    path.write_text("\n".join(rows if labels is None else ["text\tlabel", *rows]) + "\n", encoding="utf-8")
    return path


def test_a_student_learns_words_that_no_label_tells_of(tmp_path):
    data = table(tmp_path / "train.tsv", *texts_of([KNOWN], 120, 0))
    more = table(tmp_path / "more.txt", texts_of([KNOWN, NEW], 400, 1)[0])
    test = table(tmp_path / "test.tsv", *texts_of([NEW], 200, 2))
    config = resolve(**QUICK, epochs=12)
    teacher = classify.train(data, tmp_path / "teacher", config, test=test)
    student = classify.train(
        data, tmp_path / "student", config, test=test, teachers=[tmp_path / "teacher"], taught=[more]
    )
    assert teacher.metrics["test"]["accuracy"] < 0.7
    assert student.metrics["test"]["accuracy"] > 0.95
    assert student.fitted.summary["train"]["taught"] == 400
    assert "400 labelled by a trained classifier" in (tmp_path / "student" / "report.html").read_text(encoding="utf-8")


def test_certain_labels_are_labels():
    texts, labels = texts_of([KNOWN], 80, 0)
    watched = texts_of([KNOWN], 20, 1)
    settings = {**QUICK, "epochs": 2, "batch_size": 16}
    labelled = elman.TextClassifier(**settings).fit(texts, labels, validation=watched)
    certain = texts[50:], np.eye(2)[labels[50:]]
    taught = elman.TextClassifier(**settings).fit(texts[:50], labels[:50], validation=watched, taught=certain)
    assert [e.train_loss for e in taught.history_] == pytest.approx([e.train_loss for e in labelled.history_], rel=1e-5)
    assert np.allclose(taught.predict_proba(watched[0]), labelled.predict_proba(watched[0]), atol=1e-4)


def test_probabilities_are_what_is_learned():
    """Of the same text, three quarters of one class: the likeliest alone would be learned as certain."""
    texts, labels = texts_of([KNOWN], 60, 0)
    unsure = ["neither nor"] * 200, np.tile([0.75, 0.25], (200, 1))
    model = elman.TextClassifier(**QUICK, ngrams=0, epochs=20, calibrate=False, validation_split=0)
    model.fit(texts, labels, taught=unsure)
    assert model.predict_proba(["neither nor"])[0] == pytest.approx([0.75, 0.25], abs=0.1)


@pytest.mark.parametrize("given", [True, False], ids=["validation given", "held out"])
def test_the_estimator_is_not_taught_what_is_labelled_or_held_out(given):
    """In other letters and with the wrong labels, which would change the model."""
    texts, labels = texts_of([KNOWN], 60, 0)
    more = {"validation": (texts[40:], labels[40:])} if given else {}
    of_training = texts[:40] if given else texts, labels[:40] if given else labels
    new = texts_of([NEW], 20, 1)[0]

    def taught(texts):
        return texts, np.tile([0.9, 0.1], (len(texts), 1))

    models = [
        elman.TextClassifier(**QUICK, epochs=1).fit(*of_training, taught=taught(these), **more)
        for these in (new, [*map(str.upper, texts), *new])
    ]
    assert np.array_equal(*(model.predict_proba(texts + new) for model in models))


def test_what_is_labelled_or_held_out_is_not_taught(tmp_path, monkeypatch):
    texts, labels = texts_of([KNOWN], 60, 0)
    data, test = (
        table(tmp_path / "train.tsv", texts[:40], labels[:40]),
        table(tmp_path / "t.tsv", texts[40:], labels[40:]),
    )
    classify.train(data, tmp_path / "teacher", resolve(**QUICK, epochs=1))
    more = table(tmp_path / "more.txt", ["something new", *(text.upper() for text in texts), "Something  NEW"])
    seen = []
    monkeypatch.setattr("elman.classify.teach.persistence.load", lambda folder: _Teacher(seen))
    student = classify.train(
        data,
        tmp_path / "student",
        resolve(**QUICK, epochs=1),
        test=test,
        teachers=[tmp_path / "teacher"],
        taught=[more],
    )
    assert seen == ["something new"]
    assert student.fitted.summary["train"]["taught"] == 1


class _Teacher:
    classes = np.array(["0", "1"])

    def __init__(self, seen):
        self.seen = seen

    def probabilities(self, texts):
        self.seen.extend(texts)
        return np.full((len(texts), 2), 0.5, np.float32)


def test_teachers_are_averaged(monkeypatch):
    opinions = {"a": [[0.9, 0.1]], "b": [[0.3, 0.7]]}
    teacher = type("Teacher", (), {"classes": np.array([0, 1])})

    def load(folder):
        made = teacher()
        made.probabilities = lambda texts: np.array(opinions[folder])
        return made

    monkeypatch.setattr("elman.classify.teach.persistence.load", load)
    split = classify.teach.label(["a", "b"], ["text"], np.array([0, 1]), stage=lambda name: None)
    assert split.probabilities[0] == pytest.approx([0.6, 0.4])
    assert split.numbers.tolist() == [0]


def test_a_teacher_whose_labels_are_numbers(tmp_path):
    """A file's labels are strings, and in another order: "10" comes before "2"."""
    texts, labels = texts_of([KNOWN], 80, 0)
    teacher = elman.TextClassifier(**QUICK, epochs=4).fit(texts, [(2, 10)[label] for label in labels])
    teacher.save(tmp_path)
    split = classify.teach.label([tmp_path], texts, np.array(["10", "2"]), stage=lambda name: None)
    assert np.array_equal(split.numbers, 1 - np.array(labels))
    assert split.probabilities == pytest.approx(teacher.predict_proba(texts)[:, ::-1], abs=1e-6)


def test_refusals(tmp_path):
    data = table(tmp_path / "train.tsv", *texts_of([KNOWN], 40, 0))
    config = resolve(**QUICK, epochs=1)
    classify.train(data, tmp_path / "teacher", config)
    more = table(tmp_path / "more.txt", ["something new"])
    given = {"teachers": [tmp_path / "teacher"], "taught": [more]}
    for one in given:
        with pytest.raises(UsageError, match="trained classifiers and the texts"):
            classify.train(data, tmp_path / "student", config, **{one: given[one]})
    with pytest.raises(DataError, match="none that is new"):
        classify.train(
            data, tmp_path / "student", config, **{**given, "taught": [table(tmp_path / "o.txt", [*read_texts(data)])]}
        )
    other = table(tmp_path / "other.tsv", texts_of([KNOWN], 40, 0)[0], ["x", "y"] * 20)
    with pytest.raises(LabelError, match=r"knows the classes \['0', '1'\], the data has \['x', 'y'\]"):
        classify.train(other, tmp_path / "student", config, **given)
    assert not (tmp_path / "student").exists()


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        ([[0.5, 0.5]], r"expected probabilities \(2, 2\), got \(1, 2\)"),
        ([[0.5, 0.2, 0.3]] * 2, r"expected probabilities \(2, 2\), got \(2, 3\)"),
        ([[0.5, 0.5], [0.5, 0.6]], "row 2: expected probabilities that sum to 1"),
        ([[1.5, -0.5], [0.5, 0.5]], "row 1"),
        ([[np.nan, 0.5], [0.5, 0.5]], "row 1"),
        ([[0.5, 0.5], [1]], r"expected probabilities as a table of numbers \(2, 2\), got list"),
        ([["a", "b"], ["c", "d"]], r"expected probabilities as a table of numbers \(2, 2\), got list"),
        (None, r"expected probabilities \(2, 2\), got \(\)"),
    ],
)
def test_probabilities_that_are_none(probabilities, message):
    with pytest.raises(LabelError, match=message):
        believed(["a", "b"], probabilities, 2)


def test_taught_is_a_pair():
    texts, labels = texts_of([KNOWN], 20, 0)
    with pytest.raises(DataError, match=r"expected taught to be \(texts, probabilities\), got a tuple of 1"):
        elman.TextClassifier(**QUICK).fit(texts, labels, taught=(["a"],))


def test_a_part_of_a_split_keeps_its_probabilities():
    taught = believed(["b", "c"], np.array([[0.2, 0.8], [0.6, 0.4]]), 2)
    whole = Split(["a"], np.array([1])).with_taught(taught)
    assert whole.numbers.tolist() == [1, 1, 0]
    part = whole.select(np.array([2, 0]))
    assert (part.texts, part.numbers.tolist()) == (["c", "a"], [0, 1])
    assert part.probabilities.tolist() == [pytest.approx([0.6, 0.4]), [0.0, 1.0]]
