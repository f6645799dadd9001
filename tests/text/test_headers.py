"""One answer a row, or a question: tables without a header, with the index of pandas, with a header twice."""

import gzip

import pytest

from elman.errors import ColumnError, DataError
from elman.text import Documents, read_labelled, read_texts


def table(tmp_path, content, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content.encode()) if name.endswith(".gz") else content.encode())
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
@pytest.mark.parametrize("first", ["I loved this film", "Great", "It was dull. Very.", "很好看"])
def test_one_column_without_a_header_is_a_question(tmp_path, name, first):
    path = table(tmp_path, f"{first}\nbad\nfine\n", name)
    for read in (read_texts, lambda path: Documents([path])):
        with pytest.raises(ColumnError, match=r"line 1: expected names of columns, got .* --text-column; .* \.txt"):
            list(read(path))
    assert list(read_texts(path, text_column=first)) == ["bad", "fine"]


def test_one_column_with_a_name_of_a_text_is_read(tmp_path):
    assert list(read_texts(table(tmp_path, "Review\ngood\nbad\n"))) == ["good", "bad"]
    assert list(read_texts(table(tmp_path, "\n\ntext\ngood\n"))) == ["good"]


@pytest.mark.parametrize(
    ("content", "need_label"),
    [
        ("I loved it a lot,y\nbad,n\n", True),  # a label that is also the name of a column
        ("good,y\nbad,n\nfine,y\n", True),
        ("Is it good?,no\nIs it bad,yes\n", False),
        ("fine,no\nIs it bad,yes\nso,no\n", False),
        ("good film,no\nbad film,yes\n", False),
        ("good film,label\nbad film,title\nsome film,label\n", False),
    ],
)
def test_a_first_row_that_looks_like_names_is_a_question(tmp_path, content, need_label):
    path = table(tmp_path, content)
    with pytest.raises(ColumnError, match=r"line \d: .*names"):
        read_labelled(path) if need_label else list(read_texts(path))


@pytest.mark.parametrize(
    "index", ["Unnamed: 0", "Unnamed: 0.1", "__index_level_0__", "", "level_0", "review_id", "Review ID", "reviewId"]
)
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_an_index_is_no_label_and_no_text(tmp_path, index, name):
    pyarrow = pytest.importorskip("pyarrow")
    import json

    from pyarrow import parquet

    columns = {index: [0, 1, 2], "text": ["a", "b", "c"], "mood": ["x", "y", "x"]}
    path = tmp_path / name

    def write(columns):
        rows = list(zip(*columns.values(), strict=True))
        if name == "a.parquet":
            parquet.write_table(pyarrow.table(columns), path)
        elif name == "a.jsonl":
            path.write_text("".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in rows))
        else:
            mark = "," if name == "a.csv" else "\t"
            path.write_text("".join(mark.join(map(str, row)) + "\n" for row in [tuple(columns), *rows]))

    write(columns)
    assert read_labelled(path).labels == ["x", "y", "x"]
    del columns["mood"]
    write(columns)
    with pytest.raises(ColumnError, match="which column is the label"):
        read_labelled(path)
    columns["phrase"] = columns.pop("text")
    write(columns)
    assert list(read_texts(path)) == ["a", "b", "c"]
    assert read_labelled(path, text_column="phrase", label_column=index).labels == ["0", "1", "2"]


def test_a_name_that_is_no_usual_one_is_taken_beside_one_that_is(tmp_path):
    for header in ("id,phrase", ",phrase", "phrase,label", "phrase,Unnamed: 0", "customer review,stars"):
        path = table(tmp_path, f"{header}\n1,2\n3,4\n")
        assert len(list(read_texts(path))) == 2
    path = table(tmp_path, "x,y\n1,2\n3,4\n")
    assert read_labelled(path, label_column="y").texts == read_labelled(path, text_column="x").texts == ["1", "3"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_a_header_in_mid_file_is_named(tmp_path, name):
    mark = "\t" if "tsv" in name else ","
    content = "text,label\na,x\nb,y\ntext,label\nc,x\n".replace(",", mark)
    for quoted in (content, "".join(mark.join(f'"{c}"' for c in r.split(mark)) + "\n" for r in content.splitlines())):
        path = table(tmp_path, quoted, name)
        for read in (read_labelled, lambda path: list(read_texts(path)), lambda path: list(Documents([path]))):
            with pytest.raises(DataError, match="line 4: the header of line 1 once more"):
                read(path)
    path = table(tmp_path, "label\ntext\n", name)
    with pytest.raises(ColumnError):
        read_labelled(path)


def test_a_class_may_have_the_name_of_its_column(tmp_path):
    path = table(tmp_path, "text,spam\nfree money,spam\nhello,ham\n")
    assert read_labelled(path).labels == ["spam", "ham"]
