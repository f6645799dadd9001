"""What training read is kept in the model and read again; rows that were learned from are counted where measured."""

import csv
import json

import numpy as np
import pytest

import elman
from conftest import make_reviews
from elman import classify, language
from elman.classify import resolve
from elman.errors import ColumnError, LabelError, ModelFolderError
from elman.text import Provenance
from elman.training import FitEvents

SMALL = {"embedding_dim": 8, "hidden_size": 6, "batch_size": 16, "epochs": 2, "learning_rate": 0.02, "min_count": 1}
CONFIG = resolve(**SMALL)


class Heard(FitEvents):
    def __init__(self):
        self.sentences = []

    def found(self, sentence):
        self.sentences.append(sentence)


def table(path, columns, *values):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *zip(*values, strict=True)])
    return path


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """The class is in the abstract alone; titles are of other texts."""
    folder = tmp_path_factory.mktemp("papers")
    (abstracts, labels), titles = make_reviews(160), ["words alone"] * 160
    table(folder / "train.csv", ("title", "abstract", "label"), titles, abstracts, labels)
    (abstracts, labels), titles = make_reviews(60, seed=1), ["other words"] * 60
    table(folder / "test.csv", ("title", "abstract", "label", "y"), titles, abstracts, labels, ["?"] * 60)
    table(folder / "titles.csv", ("title", "label"), titles, labels)
    return folder


@pytest.fixture(scope="module")
def run(papers):
    heard = Heard()
    classify.train(papers / "train.csv", papers / "run", CONFIG, text_column="abstract", events=heard)
    return papers / "run", heard.sentences


def test_the_column_is_said_kept_and_read_again(papers, run):
    """Without it the titles were read, which say nothing."""
    folder, sentences = run
    assert sentences[0] == f"{papers / 'train.csv'}: 160 rows; text column 'abstract', label column 'label', utf-8"
    assert sentences[0] in (folder / "report.html").read_text().replace("&#39;", "'")
    assert classify.load(folder).provenance == Provenance(("abstract",), "label")
    assert classify.evaluate(folder, papers / "test.csv")["accuracy"] > 0.9
    answers = [row["label"] for row in classify.predict(folder, papers / "test.csv")]
    assert answers == [row["label"] for row in classify.predict(folder, make_reviews(60, seed=1)[0])]
    diagnosis = classify.diagnose(folder, papers / "test.csv", sample=4)
    assert not set(diagnosis["examples"][0]["tokens"]) & {"other", "words"}


def test_a_difference_is_said(papers, run):
    folder, _ = run
    difference = "the text read is 'title'; in training it was 'abstract'"
    with pytest.warns(UserWarning, match=difference):
        assert classify.evaluate(folder, papers / "titles.csv")["accuracy"] < 0.7
    said = []
    classify.evaluate(folder, papers / "test.csv", text_column="title", label_column="label", say=said.append)
    next(classify.predict(folder, papers / "titles.csv", say=said.append))
    classify.diagnose(folder, papers / "titles.csv", sample=4, say=said.append)
    assert len(said) == 3 and all(sentence.endswith(difference) for sentence in said)


def test_several_columns(papers):
    both = ["title", "abstract"]
    heard = Heard()
    classify.train(
        papers / "train.csv", papers / "both", CONFIG, text_column=both, test=papers / "test.csv", events=heard
    )
    tested = json.loads((papers / "both" / "metrics.json").read_text())["test"]
    assert tested == classify.evaluate(papers / "both", papers / "test.csv")
    assert classify.load(papers / "both").provenance.text_columns == tuple(both)
    assert any("text columns 'title' and 'abstract'" in sentence for sentence in heard.sentences)


def test_a_run_of_before_is_read_as_before(papers, run, tmp_path):
    """It has no such key and no marks of its texts: columns are guessed, nothing is counted."""
    folder, _ = run
    old = tmp_path / "old"
    old.mkdir()
    for name in ("model.safetensors", "tokenizer.json"):
        (old / name).write_bytes((folder / name).read_bytes())
    described = json.loads((folder / "config.json").read_text())
    del described["provenance"], described["sha256"]
    (old / "config.json").write_text(json.dumps(described))
    assert "in_training" not in classify.evaluate(old, papers / "titles.csv")
    described["provenance"] = {"text_columns": "abstract"}
    (old / "config.json").write_text(json.dumps(described))
    with pytest.raises(ModelFolderError, match="expected the names of columns"):
        classify.load(old)


def test_a_column_where_nothing_has_columns(papers, tmp_path):
    for label, words in (("pos", "great"), ("neg", "awful")):
        (tmp_path / "data" / label).mkdir(parents=True)
        for number in range(20):
            (tmp_path / "data" / label / f"{number}.txt").write_text(f"{words} {number}")
    with pytest.raises(ColumnError, match="no column 'abstract'; only a table has columns"):
        classify.train(tmp_path / "data", tmp_path / "run", CONFIG, text_column="abstract")
    test = table(tmp_path / "test.csv", ("title", "abstract", "label"), ["x"] * 2, ["great", "awful"], ["pos", "neg"])
    run = classify.train(tmp_path / "data", tmp_path / "run", CONFIG, text_column="abstract", test=test)
    assert run.metrics["test"]["rows"] == 2  # of the test file it is


def test_a_language_model_keeps_its_column(papers, tmp_path):
    config = language.resolve(embedding_dim=8, hidden_size=8, epochs=1, min_count=1, num_layers=1)
    heard = Heard()
    papers_table, titles = papers / "train.csv", papers / "titles.csv"
    language.pretrain([papers_table], tmp_path / "lm", config, text_column="abstract", events=heard)
    assert f"{papers_table}: text column 'abstract', utf-8" in heard.sentences
    model = language.load(tmp_path / "lm")
    assert model.provenance == Provenance(("abstract",))
    asked = language.perplexity(model, [papers / "test.csv"], text_column="abstract")
    assert language.perplexity(model, [papers / "test.csv"]).loss == asked.loss
    said = []
    language.perplexity(model, [titles], say=said.append)
    language.accuracy(model, [titles], say=said.append)
    assert said == [f"{titles}: the text read is 'title'; in training it was 'abstract'"] * 2
    (tmp_path / "a.txt").write_text("word1 word2\n")
    for measure in (language.perplexity, language.accuracy):
        with pytest.raises(ColumnError, match="only a table has columns"):
            measure(model, [tmp_path / "a.txt"], text_column="abstract")
    with pytest.raises(ColumnError, match="only a table has columns"):
        language.pretrain([tmp_path / "a.txt"], tmp_path / "other", config, text_column="abstract")
    further = language.pretrain([papers_table], tmp_path / "further", config, start=model)
    assert further.fitted.model.provenance == Provenance(("abstract",))
    fine_tuned = classify.train(papers_table, tmp_path / "fine", resolve("fine-tuned", epochs=1), start=[model])
    assert fine_tuned.fitted.classifier.provenance == Provenance(("abstract",), "label")


def test_further_texts_are_read_from_the_same_column(papers, run, tmp_path):
    """Those that a teacher labels, and those that a language model is trained on."""
    texts, _ = make_reviews(80, seed=3)
    more = table(tmp_path / "more.csv", ("text", "abstract"), ["nothing"] * 80, texts)
    taught = {"teachers": [run[0]], "taught": [more]}
    student = classify.train(papers / "train.csv", tmp_path / "s", CONFIG, text_column="abstract", **taught)
    assert student.fitted.summary["train"]["taught"] > 40  # and not one, "nothing"
    config = language.resolve(embedding_dim=8, hidden_size=8, epochs=1, min_count=1, num_layers=1)
    how = {"unlabelled": [more], "language_config": config, "text_column": "abstract"}
    classify.train(papers / "train.csv", tmp_path / "f", resolve("fine-tuned", epochs=1), **how)
    assert language.load(tmp_path / "f" / "language-model").provenance == Provenance(("abstract",))


def test_the_encoding_of_training_is_used_again(tmp_path):
    texts, labels = make_reviews(80)
    data = table(tmp_path / "a.csv", ("text", "label"), [f"{t} 好" for t in texts], labels)
    (tmp_path / "b.csv").write_bytes(data.read_text().encode("gb18030"))
    classify.train(tmp_path / "b.csv", tmp_path / "run", CONFIG, encoding="gb18030")
    with pytest.warns(UserWarning) as caught:
        again = classify.evaluate(tmp_path / "run", tmp_path / "b.csv")
    assert any("is not utf-8 and is read as gb18030" in str(each.message) for each in caught)
    said = []
    assert classify.evaluate(tmp_path / "run", data, say=said.append) == again


def test_labels_of_one_rule_in_a_run(tmp_path):
    """Learned from True and 1.0 in a CSV, measured on the values of JSON, and the other way round."""
    texts, labels = make_reviews(80)
    good = [label == "good" for label in labels]
    table(tmp_path / "text.csv", ("text", "label"), texts, good)
    table(tmp_path / "float.csv", ("text", "label"), texts, map(float, good))
    rows = [json.dumps({"text": text, "label": label}) for text, label in zip(texts, good, strict=True)]
    (tmp_path / "bool.jsonl").write_text("\n".join(rows))
    for data, other in (("text.csv", "bool.jsonl"), ("bool.jsonl", "text.csv"), ("float.csv", "bool.jsonl")):
        held_out = {"validation": tmp_path / other, "test": tmp_path / other}
        run = classify.train(tmp_path / data, tmp_path / "run", CONFIG, **held_out, overwrite=True)
        assert run.metrics["test"]["accuracy"] > 0.9
    teacher = {"teachers": [tmp_path / "run"], "taught": [tmp_path / "more.txt"]}
    (tmp_path / "more.txt").write_text("\n".join(make_reviews(20, seed=2)[0]))
    assert classify.train(tmp_path / "bool.jsonl", tmp_path / "student", CONFIG, **teacher)


@pytest.mark.parametrize("kind", [bool, int, float, np.float32, np.bool_])
def test_a_model_of_python_is_measured_on_its_own_table(tmp_path, kind):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    texts, labels = make_reviews(80)
    values = [kind(label == "good") for label in labels]
    model = elman.TextClassifier(**SMALL).fit(texts, values)
    assert model.predict(texts).dtype == np.asarray(values).dtype
    model.save(tmp_path / "model")
    parquet.write_table(pyarrow.table({"text": texts, "label": np.asarray(values)}), tmp_path / "a.parquet")
    table(tmp_path / "a.csv", ("text", "label"), texts, values)
    for name in ("a.parquet", "a.csv"):
        assert classify.evaluate(tmp_path / "model", tmp_path / name)["accuracy"] > 0.9


def test_labels_in_two_normal_forms(tmp_path):
    texts, labels = make_reviews(80)
    spelled = [("café", "cafe\u0301", "caf\u00e9\u200b")[at % 3] if y == "good" else y for at, y in enumerate(labels)]
    data = table(tmp_path / "a.csv", ("text", "label"), texts, spelled)
    heard = Heard()
    run = classify.train(data, tmp_path / "run", CONFIG, test=data, events=heard)
    assert run.fitted.classifier.classes.tolist() == ["bad", "café"]
    [sentence] = [each for each in heard.sentences if "are one class" in each]
    assert ascii("cafe\u0301") in sentence and ascii("caf\u00e9\u200b") in sentence
    with pytest.warns(UserWarning, match="classes of their own"):
        model = elman.TextClassifier(**SMALL).fit(texts, spelled)
    assert len(model.classes_) == 4  # the caller's strings, which scikit-learn's tools compare


def test_rows_that_were_learned_from_are_counted(papers, run, tmp_path):
    """In other case and spaces too; and by evaluate, which knows them from the run's folder."""
    texts, labels = make_reviews(60, seed=1)
    old, old_labels = make_reviews(20)
    mixed = table(
        tmp_path / "a.csv", ("abstract", "label"), [*texts, *(f" {t.upper()}" for t in old)], labels + old_labels
    )
    heard = Heard()
    made = classify.train(
        mixed,
        tmp_path / "run",
        CONFIG,
        validation=papers / "test.csv",
        test=mixed,
        text_column="abstract",
        events=heard,
    )
    assert made.metrics["test"]["in_training"] == 80 and made.metrics["validation"]["in_training"] == 60
    counted = [sentence for sentence in heard.sentences if "are training texts too" in sentence]
    assert [sentence.split(" texts")[0] for sentence in counted] == ["validation: 60 of 60", "test: 80 of 80"]
    assert counted[1] in (tmp_path / "run" / "report.html").read_text()
    split = classify.train(papers / "train.csv", tmp_path / "split", CONFIG, text_column="abstract")
    assert split.metrics["validation"]["in_training"] == 0  # equal texts are on one side
    said = []
    measured = classify.evaluate(run[0], mixed, say=said.append)["in_training"]
    assert 10 < measured <= 20 + 60 and any(f"{measured} of 80 texts are training texts too" in each for each in said)


def test_marks_of_another_model_do_not_stay(run, reviews, tmp_path):
    folder, _ = run
    model = elman.TextClassifier.load(folder)
    model.save(tmp_path / "model")
    assert not (tmp_path / "model" / "training-texts.npy").exists()
    (tmp_path / "model" / "training-texts.npy").write_bytes(b"none")
    table(tmp_path / "a.csv", ("abstract", "label"), reviews[0], reviews[1])
    with pytest.raises(ModelFolderError, match=r"training-texts\.npy: damaged"):
        classify.evaluate(tmp_path / "model", tmp_path / "a.csv")
    model.save(tmp_path / "model")
    assert not (tmp_path / "model" / "training-texts.npy").exists()


def test_rows_without_a_label(papers, run, tmp_path):
    texts, labels = make_reviews(80)
    data = table(tmp_path / "a.csv", ("abstract", "label"), texts, ["", *labels[1:]])
    skip = {"skip_unlabelled": True}
    for function in (classify.evaluate, classify.diagnose):
        with pytest.raises(LabelError, match=r"1 of 80 rows have no label: .*--skip-unlabelled"):
            function(run[0], data)
    with pytest.raises(LabelError, match="1 of 80 rows have no label"):
        classify.train(data, tmp_path / "run", CONFIG)
    heard = Heard()
    assert classify.train(data, tmp_path / "run", CONFIG, **skip, events=heard).metrics["validation"]["rows"] == 8
    said = [sentence for sentence in heard.sentences if "1 of 80 rows have no label and are left out" in sentence]
    assert len(said) == 1
    said = []
    assert classify.evaluate(run[0], data, **skip, say=said.append)["rows"] == 79
    classify.diagnose(run[0], data, sample=4, **skip, say=said.append)
    assert sum("left out" in sentence for sentence in said) == 2
    classify.compare(data, tmp_path / "c", ["gru"], settings={"epochs": 1}, **skip)
