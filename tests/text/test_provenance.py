"""What is read of a file: columns asked for, those of training, guessed ones; encodings; rows without a label."""

import csv
import gzip
import json

import pytest

from elman.errors import ColumnError, DataError, LabelError
from elman.text import (
    Documents,
    Provenance,
    ReadOptions,
    labelled_of,
    provenance_of,
    read_labelled,
    read_texts,
    texts_of,
)

COLUMNS = ("id", "title", "abstract", "label", "topic")
ROWS = [("1", "a title", "an abstract", "yes", "x"), ("2", "", "only this", "no", "y"), ("3", "b", "", "no", "x")]
KINDS = ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.parquet"]


def write(path, rows=ROWS, columns=COLUMNS):
    if path.suffix == ".parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        values = zip(*rows, strict=True)
        parquet.write_table(pyarrow.table(dict(zip(columns, map(list, values), strict=True))), path)
        return path
    if path.suffix == ".jsonl":
        content = "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows)
        path.write_text(content)
        return path
    lines = (("\t" if ".tsv" in path.name else ",").join(row) for row in [columns, *rows])
    content = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def options(**asked):
    said = []
    return ReadOptions(say=said.append, **asked), said


@pytest.mark.parametrize("name", KINDS)
def test_several_columns_are_joined_by_a_break(tmp_path, name):
    """In the order that is asked for; what is empty is left out."""
    path = write(tmp_path / name)
    both = ["a title\nan abstract", "only this", "b"]
    assert list(read_texts(path, text_column=["title", "abstract"])) == both
    turned = read_labelled(path, text_column=("abstract", "title"), label_column="topic")
    assert turned.texts == ["an abstract\na title", "only this", "b"] and turned.labels == ["x", "y", "x"]
    assert turned.provenance == Provenance(("abstract", "title"), "topic")
    lines = [("a title an abstract", True), ("only this", True), ("b", True)]
    assert list(Documents([path], text_column=["title", "abstract"])) == lines


@pytest.mark.parametrize("name", KINDS)
def test_the_columns_of_training_are_read_again(tmp_path, name):
    path = write(tmp_path / name)
    trained = Provenance(("abstract",), "topic")
    asked, said = options(trained_on=trained)
    rows = labelled_of(path, asked)
    assert (rows.texts, rows.labels) == (["an abstract", "only this", ""], ["x", "y", "x"])
    assert rows.provenance == trained and list(texts_of(path, asked)) == rows.texts and not said
    assert list(Documents([path], trained_on=trained)) == [("an abstract", True), ("only this", True)]
    guessed = read_labelled(path)
    assert guessed.texts == ["a title", "", "b"] and guessed.provenance == Provenance(("title",), "label")


def test_a_difference_is_said(tmp_path):
    """The text, the label, one of several; and where it was asked for."""
    path = write(tmp_path / "a.csv")
    asked, said = options(trained_on=Provenance(("body", "title"), "tag"))
    assert labelled_of(path, asked).texts == ["a title", "", "b"]
    assert said == [
        f"{path}: the text read is 'title'; in training it was 'body' and 'title'",
        f"{path}: the label read is 'label'; in training it was 'tag'",
    ]
    asked, said = options(trained_on=Provenance(("title",)), text_columns=("abstract",))
    assert list(texts_of(path, asked)) == ["an abstract", "only this", ""]
    assert said == [f"{path}: the text read is 'abstract'; in training it was 'title'"]
    asked, said = options(trained_on=Provenance(("body",)))  # none of them: guessed
    assert list(texts_of(path, asked)) == ["a title", "", "b"] and len(said) == 1


def test_a_column_of_training_is_not_taken_for_two_things(tmp_path):
    path = write(tmp_path / "a.csv")
    asked, _ = options(trained_on=Provenance(("title",), "topic"), text_columns=("topic",), label_column="label")
    rows = labelled_of(path, asked)
    assert (rows.texts, rows.labels) == (["x", "y", "x"], ["yes", "no", "no"])
    asked, _ = options(trained_on=Provenance(("title",), "topic"), group_column="topic")
    rows = labelled_of(path, asked)
    assert (rows.labels, rows.groups) == (["yes", "no", "no"], ["x", "y", "x"])
    asked, _ = options(trained_on=Provenance(("title", "abstract"), "label"), label_column="title")
    assert labelled_of(write(tmp_path / "b.csv", ROWS[:1]), asked).texts == ["an abstract"]


def test_columns_of_what_has_none(tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "folder" / "pos").mkdir(parents=True)
    (tmp_path / "folder" / "pos" / "a.txt").write_text("one")
    for source in (tmp_path / "a.txt", tmp_path / "folder", "imdb"):
        with pytest.raises(ColumnError, match=r"no column 'x'; only a table has columns \(CSV"):
            list(read_texts(source, text_column="x"))
    for source in (tmp_path / "folder", "imdb"):
        for name in ("text_column", "label_column", "group_column"):
            with pytest.raises(ColumnError, match="no column 'x'; only a table"):
                read_labelled(source, **{name: "x"})
    with pytest.raises(ColumnError, match="no column 'x'; only a table"):
        Documents([tmp_path / "a.txt", tmp_path / "folder"], text_column="x").check_columns()
    write(tmp_path / "folder" / "a.csv")
    Documents([tmp_path / "folder"], text_column="title").check_columns()


def test_names_of_columns(tmp_path):
    path = write(tmp_path / "a.csv")
    for names, message in (
        (["title", "body"], "no column 'body'; the columns found are: id, title"),
        (["title", "title"], "expected different columns, got 'title' 2 times"),
        ([1], "expected the name of a column, got 1"),
        (["title", "label"], "got 'label' for both"),
    ):
        with pytest.raises(ColumnError, match=message):
            read_labelled(path, text_column=names, label_column="label")
    (tmp_path / "b.csv").write_text("title,abstract,title,label\na,b,c,d\n")
    with pytest.raises(ColumnError, match="2 columns are named 'title'"):
        read_labelled(tmp_path / "b.csv", text_column=["abstract", "title"])


def test_a_record_may_lack_some_of_the_columns(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"title": "a"}\n{"abstract": "b", "label": 1}\n{"title": "c", "label": 0}\n')
    assert list(read_texts(tmp_path / "a.jsonl", text_column=["title", "abstract"])) == ["a", "b", "c"]
    with pytest.raises(ColumnError, match="line 2: no column 'title'"):
        list(read_texts(tmp_path / "a.jsonl", text_column="title"))


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "gbk"])
def test_the_encoding_of_training_is_used_where_a_file_is_not_utf8(tmp_path, encoding):
    content = "text,label\n很好 而且 便宜,是\n"
    for name in ("a.csv", "b.csv.gz"):
        data = content.encode(encoding)
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        asked, said = options(trained_on=Provenance(("text",), "label", encoding))
        rows = labelled_of(tmp_path / name, asked)
        assert rows.texts == ["很好 而且 便宜"] and rows.provenance.encoding == encoding
        assert said == [f"{tmp_path / name}: is not utf-8 and is read as {encoding}, as in training"]
        with pytest.raises(DataError):
            labelled_of(tmp_path / name, options(encoding="ascii", trained_on=asked.trained_on)[0])
    (tmp_path / "c.csv").write_text(content)
    asked, said = options(trained_on=Provenance(("text",), "label", encoding))
    assert labelled_of(tmp_path / "c.csv", asked).texts == ["很好 而且 便宜"]
    assert said == [f"{tmp_path / 'c.csv'}: is read as utf-8; in training it was {encoding}"]
    (tmp_path / "folder" / "是").mkdir(parents=True)
    for number in range(2):
        (tmp_path / "folder" / "是" / f"{number}.txt").write_bytes("很好".encode(encoding))
    asked, said = options(trained_on=Provenance((), None, encoding))
    assert labelled_of(tmp_path / "folder", asked).texts == ["很好"] * 2 and len(said) == 1


def test_utf8_by_another_name_is_no_difference(tmp_path):
    path = write(tmp_path / "a.csv")
    for one, other in (("UTF8", None), ("utf-8", "utf_8")):
        asked, said = options(encoding=other, trained_on=Provenance(("title",), "label", one))
        assert len(labelled_of(path, asked)) == 3 and not said


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_rows_without_a_label(tmp_path, kind):
    """They are counted, and left out where that is asked for, their group with them."""
    path = tmp_path / f"a.{kind}"
    rows = [("one", None, "a"), ("two", "yes", "b"), ("three", None, "c"), ("four", "no", "d")]
    if kind == "csv":
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("text", "label", "film"), *((t, y or "", g) for t, y, g in rows)])
    elif kind == "jsonl":
        names = ("text", "label", "film")
        records = [{n: v for n, v in zip(names, row, strict=True) if v is not None} for row in rows]
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(
            pyarrow.table(dict(zip(("text", "label", "film"), zip(*rows, strict=True), strict=True))), path
        )
    with pytest.raises(
        LabelError, match=r"line \d: the label is missing; 2 of 4 rows have no label.*--skip-unlabelled"
    ):
        read_labelled(path)
    asked, said = options(skip_unlabelled=True, group_column="film")
    data = labelled_of(path, asked)
    assert (data.texts, data.labels, data.groups) == (["two", "four"], ["yes", "no"], ["b", "d"])
    assert len(said) == 1 and "2 of 4 rows have no label and are left out, the first in line" in said[0]
    with pytest.warns(UserWarning, match="2 of 4 rows have no label and are left out"):
        read_labelled(path, skip_unlabelled=True)


def test_no_row_with_a_label(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na,\nb,\n")
    with pytest.raises(LabelError, match="2 of 2 rows have no label, so none is left"):
        read_labelled(tmp_path / "a.csv", skip_unlabelled=True)


def test_provenance_of_a_file_and_in_words(tmp_path):
    path = write(tmp_path / "a.csv")
    assert provenance_of(path, ReadOptions(("title", "abstract"))) == Provenance(("title", "abstract"))
    assert Documents([tmp_path]).provenance == Provenance(("title",))
    assert str(read_labelled(path)) == f"{path}: 3 rows; text column 'title', label column 'label', utf-8"
    described = Provenance(("a", "b"), None, "gbk")
    assert Provenance.of_json(json.loads(json.dumps(described.to_json()))) == described


def test_a_column_of_training_in_other_case(tmp_path):
    """Abstract is abstract, unless there are both."""
    (tmp_path / "a.csv").write_text("title, Abstract,LABEL\na,b,c\n")
    asked, _ = options(trained_on=Provenance(("abstract",), "label"))
    rows = labelled_of(tmp_path / "a.csv", asked)
    assert (rows.texts, rows.labels, rows.provenance.text_columns) == (["b"], ["c"], (" Abstract",))
    (tmp_path / "b.csv").write_text("title,Abstract,ABSTRACT,label\na,b,c,d\n")
    assert labelled_of(tmp_path / "b.csv", asked).texts == ["a"]
