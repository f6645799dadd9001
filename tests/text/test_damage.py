"""Whatever bytes a data file holds: its rows, or one named line of sane length; never an end of input, never a bomb."""

import bz2
import gzip
import json
import random

import numpy as np
import pytest

from elman.errors import ColumnError, DataError, ElmanError, EncodingError, LabelError
from elman.text import Documents, read_labelled, read_texts, read_vectors, vector_format

LONGEST = 2100  # characters of a message
ROWS = [(f"text {number} of a table, with words", "ab"[number % 2]) for number in range(300)]


def parquet_bytes(compression="snappy", **columns):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(columns), sink, compression=compression)
    return sink.getvalue().to_pybytes()


def contents():
    texts, labels = zip(*ROWS, strict=True)
    return {
        "csv": "".join(f'"{text}",{label}\n' for text, label in [("text", "label"), *ROWS]).encode(),
        "tsv": "".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *ROWS]).encode(),
        "jsonl": "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in ROWS).encode(),
        "parquet": parquet_bytes(text=texts, label=labels),
        "txt": "".join(f"{text}\n" for text in texts).encode(),
    }


def named(read, path):
    """Rows, or an error of the library with the file's name, in one line."""
    try:
        return list(read(path))
    except ElmanError as error:
        assert path.name in str(error) and "\n" not in str(error) and len(str(error)) < LONGEST
        return error


def texts_of(path):
    return read_labelled(path).texts if ".txt" not in path.name else list(read_texts(path))


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "txt"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_file_that_breaks_off(tmp_path, kind, ending):
    whole = contents()[kind]
    whole = gzip.compress(whole) if ending else whole
    path = tmp_path / f"a.{kind}{ending}"
    path.write_bytes(whole)
    assert named(texts_of, path) == [text for text, _ in ROWS]
    for size in sorted({0, 1, 2, 9, 10, 11, 18, len(whole) // 3, len(whole) // 2, *range(len(whole) - 12, len(whole))}):
        path.write_bytes(whole[:size])
        outcome = named(texts_of, path)
        if ending or kind == "parquet":  # plain lines may end anywhere
            assert isinstance(outcome, DataError), size
        named(lambda path: Documents([path]), path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "txt"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_file_with_another_byte(tmp_path, kind, ending):
    whole = contents()[kind]
    whole = bytearray(gzip.compress(whole) if ending else whole)
    path = tmp_path / f"a.{kind}{ending}"
    chooser = random.Random(0)
    for _ in range(60):
        place, byte = chooser.randrange(len(whole)), chooser.randrange(256)
        damaged = whole.copy()
        damaged[place] = byte
        path.write_bytes(damaged)
        named(texts_of, path)


def test_an_archive_is_no_gz(tmp_path):
    for content in (bz2.compress(b"text,label\na,b\n"), b"PK\x03\x04" + bytes(30), gzip.compress(b"a,b\n") + b"more"):
        (tmp_path / "a.csv.gz").write_bytes(content)
        assert isinstance(named(texts_of, tmp_path / "a.csv.gz"), DataError)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "txt", "parquet", "vec"])
def test_a_small_file_that_unpacks_to_much(tmp_path, kind):
    path = tmp_path / f"a.{kind}.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(24):
            file.write(b"ab " * 2**19)
    assert path.stat().st_size < 300_000
    read = (lambda path: read_vectors(path, ["ab"])) if kind == "vec" else read_texts
    with pytest.raises(DataError, match=r"at most 200 bytes of text for each compressed one|1 MB|a word and its"):
        list(read(path))
    if kind == "txt":
        path.write_bytes(gzip.compress(b"ab " * 2**21))
        assert len(next(read_texts(path))) == 3 * 2**21


def test_a_line_beyond_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("elman.text._open.LONGEST_LINE", 2**20)
    for kind, encoding in (("txt", "utf-8"), ("csv", "utf-8"), ("jsonl", "utf-16")):
        path = tmp_path / f"a.{kind}"
        path.write_bytes(("text\n" + "a" * (2**20 + 1)).encode(encoding))
        with pytest.raises(DataError, match=r"line [12]: "):
            list(read_texts(path, encoding=encoding))


def test_very_many_columns(tmp_path):
    names = [f"column{number}" for number in range(100_000)]
    (tmp_path / "a.csv").write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    (tmp_path / "a.jsonl").write_text(json.dumps(dict.fromkeys(names, 1)) + "\n")
    for kind in ("csv", "jsonl"):
        for options in ({}, {"text_column": "no" * 5000}, {"label_column": "column7"}):
            with pytest.raises(ColumnError) as caught:
                read_labelled(tmp_path / f"a.{kind}", **options)
            assert len(str(caught.value)) < LONGEST
        assert "column19 and 99,980 more" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        '{"text": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a": ' * 100_000,
        '{"text": "a", "label": ' + "9" * 5000 + "}",
        '{"text": ' + "9" * 5000 + ', "label": 1}',
        "9" * 5000,
        '{"text": "a", "label": 1e999999}x',
        "\0" * 100,
    ],
    ids=["deep list", "deep object", "label", "text", "number", "behind", "zeros"],
)
def test_json_of_any_depth_and_size(tmp_path, line):
    (tmp_path / "a.jsonl").write_text(line + "\n")
    outcome = named(texts_of, tmp_path / "a.jsonl")
    assert isinstance(outcome, DataError) and "line 1" in str(outcome)


def test_parquet_of_bytes_that_are_no_text(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    bad = pyarrow.array([b"fine", b"\xff\xfe"], pyarrow.binary()).cast(pyarrow.string(), safe=False)
    for columns in ({"text": bad, "label": ["a", "b"]}, {"text": ["a", "b"], "label": bad}):
        (tmp_path / "a.parquet").write_bytes(parquet_bytes(**columns))
        with pytest.raises(EncodingError, match="byte 0xff is not valid utf-8"):
            read_labelled(tmp_path / "a.parquet")


def test_a_small_parquet_file_that_comes_to_much(tmp_path):
    """A value in many rows, and a page that unpacks to much."""
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    for texts in (["ab " * 2**18] * 100, ["ab " * 2**23]):
        path.write_bytes(parquet_bytes(compression="zstd", text=texts, label=["x"] * len(texts)))
        assert path.stat().st_size < 10_000
        with pytest.raises(DataError, match="at most 200 bytes of text for each compressed one"):
            read_labelled(path)


@pytest.mark.parametrize("column", ["text", "label", "film"])
def test_parquet_of_lists_is_refused_before_they_are_read(tmp_path, column):
    pyarrow = pytest.importorskip("pyarrow")
    lists = pyarrow.array([list(range(1000))] * 3)
    columns = {name: lists if name == column else ["a", "b", "c"] for name in ("text", "label", "film")}
    (tmp_path / "a.parquet").write_bytes(parquet_bytes(**columns))
    with pytest.raises(DataError, match=rf"column {column}: .*, got list<"):
        read_labelled(tmp_path / "a.parquet", group_column="film")


def test_a_class_that_is_called_nan_or_null(tmp_path):
    """Of text only an empty cell is a missing label, of JSON and Parquet null and NaN."""
    names = ["nan", "NaN", "None", "null", "NA", "N/A"]
    rows = [(f"text {number}", name) for number, name in enumerate(names)]
    for mark, kind in ((",", "csv"), ("\t", "tsv")):
        (tmp_path / f"a.{kind}").write_text("".join(mark.join(row) + "\n" for row in [("text", "label"), *rows]))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": t, "label": name}) + "\n" for t, name in rows))
    texts, labels = zip(*rows, strict=True)
    (tmp_path / "a.parquet").write_bytes(parquet_bytes(text=texts, label=labels))
    for name in names:
        folder = tmp_path / "folder" / name.replace("/", "-")
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text("a")
    for kind in ("csv", "tsv", "jsonl", "parquet"):
        assert read_labelled(tmp_path / f"a.{kind}").labels == names
    assert "nan" in read_labelled(tmp_path / "folder").labels
    (tmp_path / "a.jsonl").write_text('{"text": "x", "label": NaN}\n')
    (tmp_path / "b.parquet").write_bytes(parquet_bytes(text=["x"], label=[float("nan")]))
    (tmp_path / "a.csv").write_text("text,label\nx,\n")
    for name in ("a.jsonl", "b.parquet", "a.csv"):
        with pytest.raises(LabelError, match="the label is missing"):
            read_labelled(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [
        b"9" * 5000 + b" 3\na 1 2 3\n",
        b"3 " + b"9" * 5000 + b"\na 1 2 3\n",
        b"1 3\na 1 2 " + b"x" * 10**6 + b"\n",
        b"a 1 2 3\n" + b"b" * 10**6 + b" 1 2 inf\n",
        b"a 1 2 3\n" + b"b 1" + b" 2" * 2**21,
        b"x" * 10**6,
    ],
    ids=["words", "width", "number", "word", "row", "line"],
)
def test_word_vectors_of_any_size(tmp_path, content):
    path = tmp_path / "v.vec"
    path.write_bytes(content)
    named(lambda path: [vector_format(path)], path)
    assert isinstance(named(lambda path: read_vectors(path, ["a", "b" * 10**6]).places, path), DataError)


def test_vectors_that_break_off(tmp_path):
    rows = np.random.default_rng(0).normal(size=(200, 5))
    text = "200 5\n" + "".join(f"w{n} {' '.join(f'{x:.4f}' for x in row)}\n" for n, row in enumerate(rows))
    whole = gzip.compress(text.encode())
    path = tmp_path / "v.vec.gz"
    path.write_bytes(whole)
    assert len(read_vectors(path, ["w1", "w2"]).places) == 2
    for size in (1, 10, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert isinstance(named(lambda path: read_vectors(path, ["w1"]).places, path), DataError)


def test_a_data_file_whose_name_is_no_text(tmp_path):
    path = tmp_path / "caf\udce9.csv"
    path.write_text("text,label\na,x\nb,y\n")
    assert read_labelled(path).source.endswith("caf\\udce9.csv")
    path.write_text("nothing\n")
    with pytest.raises(ColumnError):
        read_labelled(path)
