"""Every format gives the same rows; every kind of bad file has an error that says where and what."""

import gzip
import io
import json

import pytest

from elman.errors import ColumnError, DataError, EncodingError, LabelError
from elman.text import Documents, lines_of, read_labelled, read_texts

ROWS = [("a good film", "pos"), ('said "no",\nthen left', "neg"), ("", "neg"), ("好看 é", "pos")]


def write(path, rows=ROWS):
    suffix = path.name.removesuffix(".gz").split(".")[-1]
    if suffix in ("csv", "tsv"):
        mark = "," if suffix == "csv" else "\t"
        lines = ["id", "text", "label"], *((str(i), t, y) for i, (t, y) in enumerate(rows))
        content = "".join(mark.join('"' + v.replace('"', '""') + '"' for v in line) + "\r\n" for line in lines)
    else:
        content = "".join(json.dumps({"text": t, "label": y}, ensure_ascii=False) + "\n" for t, y in rows)
    data = content.encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.jsonl.gz"])
def test_formats_give_the_same_rows(tmp_path, name):
    data = read_labelled(write(tmp_path / name))
    assert list(zip(data.texts, data.labels, strict=True)) == ROWS
    assert list(read_texts(tmp_path / name)) == [t for t, _ in ROWS]


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"label": [y for _, y in ROWS], "review": [t or None for t, _ in ROWS]})
    parquet.write_table(table, tmp_path / "a.parquet")
    data = read_labelled(tmp_path / "a.parquet")
    assert list(zip(data.texts, data.labels, strict=True)) == ROWS
    parquet.write_table(pyarrow.table({"label": [b"a"], "text": ["one"]}), tmp_path / "b.parquet")
    with pytest.raises(LabelError, match="line 1: the label must be a string or a number, got bytes"):
        read_labelled(tmp_path / "b.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_labelled(tmp_path / "b.parquet")


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_groups(tmp_path, kind):
    """What rows have in common is read from its column; an empty one is nothing in common."""
    path = tmp_path / f"a.{kind}"
    rows = [("one", "pos", "tt1"), ("two", "neg", ""), ("three", "pos", "tt1")]
    if kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        text, label, film = zip(*rows, strict=True)
        parquet.write_table(pyarrow.table({"film": [f or None for f in film], "text": text, "label": label}), path)
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"film": f or None, "text": t, "label": y}) + "\n" for t, y, f in rows))
    else:
        mark = "," if kind == "csv" else "\t"
        path.write_text("\n".join(mark.join(line) for line in [("text", "label", "film"), *rows]) + "\n")
    data = read_labelled(path, group_column="film")
    assert (data.texts, data.groups) == (["one", "two", "three"], ["tt1", None, "tt1"])
    assert read_labelled(path).groups is None
    with pytest.raises(ColumnError, match="no column 'author'"):
        read_labelled(path, group_column="author")


def test_a_group_is_not_taken_for_the_text_or_the_label(tmp_path):
    """Its column may have a name that these are guessed by."""
    (tmp_path / "a.csv").write_text("topic,title,content,stars\nfilm,tt1,one,5\nbook,tt2,two,1\n")
    for group, labels in (("topic", ["5", "1"]), ("stars", ["film", "book"])):
        data = read_labelled(tmp_path / "a.csv", group_column=group)
        assert (data.texts, data.labels) == (["one", "two"], labels)
    data = read_labelled(tmp_path / "a.csv", group_column="content", label_column="stars")
    assert (data.texts, data.groups) == (["tt1", "tt2"], ["one", "two"])


def test_a_number_may_name_a_group(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        '{"text": "one", "label": 1, "film": 3}\n{"text": "two", "label": 0, "film": 4}\n'
    )
    assert read_labelled(tmp_path / "a.jsonl", group_column="film").groups == ["3", "4"]


def test_class_folders(tmp_path):
    for i, (text, label) in enumerate(ROWS):
        (tmp_path / label).mkdir(exist_ok=True)
        (tmp_path / label / f"{i}.txt").write_text(text, encoding="utf-8")
    data = read_labelled(tmp_path)
    assert sorted(zip(data.texts, data.labels, strict=True)) == sorted(ROWS)


def test_text_lines_keep_empty_ones(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"one\r\n\ntwo")
    assert list(read_texts(tmp_path / "a.txt")) == ["one", "", "two"]


def test_the_built_in_data():
    data = read_labelled("imdb")
    assert len(data) == 25000 and sorted(set(data.labels)) == ["0", "1"]
    assert data.labels.count("1") == 12500 and max(map(len, data.texts)) > 10000
    assert len(read_labelled("rotten-tomatoes")) == 8530


@pytest.mark.parametrize("label", [1, True, 1.0, "1"])
def test_labels_are_strings(tmp_path, label):
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "x", "label": label}))
    assert read_labelled(tmp_path / "a.jsonl").labels == ["true" if label is True else "1"]


def test_columns_are_guessed_or_given(tmp_path):
    (tmp_path / "a.csv").write_text("Review;Sentiment;n\ngood;1;2\n")
    assert read_labelled(tmp_path / "a.csv").texts == ["good"]
    assert read_labelled(tmp_path / "a.csv", text_column="n", label_column="Review").labels == ["good"]
    (tmp_path / "b.csv").write_text("what,label\ngood,1\n")
    assert read_labelled(tmp_path / "b.csv").texts == ["good"]


def test_another_encoding_and_a_byte_order_mark(tmp_path):
    text = "text,label\n很好,是\n"
    for encoding in ("gb18030", "utf-16", "utf-8-sig"):
        (tmp_path / "a.csv").write_bytes(text.encode(encoding))
        given = "utf-8" if encoding == "utf-8-sig" else encoding
        assert read_labelled(tmp_path / "a.csv", encoding=given).texts == ["很好"]


def test_a_text_of_ten_megabytes(tmp_path):
    long = "word " * 2_000_000
    assert read_labelled(write(tmp_path / "a.csv", [(long, "x"), ("short", "y")])).texts[0] == long


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("a.csv", None, DataError, "no such file"),
        ("a.csv", b"", DataError, "the file is empty"),
        ("a.csv", b"text,label\n", DataError, "no rows"),
        ("a.csv", b"text,label\nfine,1\n\xff\xfe,2\n", EncodingError, "line 3: byte 0xff .*--encoding"),
        ("a.csv", b"\x89PNG\x00\x00,\n", DataError, "line 1: a zero byte.*binary"),
        ("a.csv", b"text,label\nfine,1\nonly one\n", DataError, "line 3: expected 2 columns, got 1"),
        ("a.csv", b"a,b,c\n1,2,3\n", ColumnError, "which column is the text.*found: a, b, c"),
        ("a.csv", b"text,label,text\n1,2,3\n", ColumnError, "2 columns are named 'text'; found: text, label, text"),
        ("a.csv", b"text,b,c\n1,2,3\n", ColumnError, "which column is the label.*found: text, b, c"),
        ("a.csv", b"id,text\n1,fine\n", ColumnError, "which column is the label.*found: id, text"),
        ("a.csv", b"text,label\nfine,\n", LabelError, "line 2: the label is missing"),
        ("a.csv", b"text,label\nfine,  \n", LabelError, "line 2: the label is missing"),
        ("a.jsonl", b'{"text": "x", "label": null}', LabelError, "line 1: the label is missing"),
        ("a.jsonl", b'{"text": "x", "label": NaN}', LabelError, "line 1: the label is missing"),
        ("a.jsonl", b'{"text": "x", "label": ["a"]}', LabelError, "line 1: the label must be a string or .*, got list"),
        ("a.jsonl", b'{"text": "x", "label": {"a": 1}}', LabelError, "line 1: the label must be .*, got dict"),
        ("a.jsonl", b'{"text": "x"}\n', ColumnError, "which column is the label"),
        ("a.jsonl", b'{"text": "x", "label": 1}\n{"text"', DataError, "line 2: not a JSON object"),
        ("a.jsonl", b"[1]\n", DataError, "line 1: expected a JSON object, got list"),
        ("a.jsonl", b'{"text": ["x"], "label": 1}', DataError, "line 1: the text must be a string, got list"),
        ("a.jsonl", b'{"text": "x", "label": 1}\n{"label": 1}', ColumnError, "line 2: no column 'text'"),
        ("a.csv.gz", b"not gzip at all", DataError, "cannot be read"),
        (
            "a.csv.gz",
            gzip.compress(b"text,label\n" + b"x,1\n" * 9999, mtime=0)[:-20],
            DataError,
            "cannot be read to its end",
        ),
        ("a.csv.gz", gzip.compress(b"text,label\n", mtime=0)[:10] + b"\xff" * 99, DataError, "cannot be read"),
        ("a.docx", b"text", DataError, r"wanted one of .csv, .tsv, .jsonl, .ndjson, .parquet \("),
        ("a.txt", b"text", DataError, "cannot read this kind of file"),
    ],
)
def test_bad_files(tmp_path, name, content, error, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message):
        read_labelled(tmp_path / name)


def test_bad_arguments(tmp_path):
    path = write(tmp_path / "a.csv")
    with pytest.raises(ColumnError, match="no column 'body'; the columns found are: id, text, label"):
        read_labelled(path, text_column="body")
    with pytest.raises(ColumnError, match="one of texts and one of labels, got 'text' for both"):
        read_labelled(path, text_column="text", label_column="text")
    for encoding in ("utf-9", "undefined", "rot13"):
        with pytest.raises(EncodingError, match=f"unknown encoding '{encoding}'"):
            read_labelled(path, encoding=encoding)
    with pytest.raises(EncodingError, match="line 1: bytes that are not valid punycode"):
        read_labelled(path, encoding="punycode")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="one sub-folder per class, found none"):
        read_labelled(tmp_path / "empty")
    with pytest.raises(ColumnError, match="no column 'film'; only a table has columns"):
        read_labelled(tmp_path / "empty", group_column="film")


def test_half_a_character_is_read_as_unknown(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a \\ud800 b \\ud83d\\ude00", "label": "\\udc00"}\n')
    rows = read_labelled(tmp_path / "a.jsonl")
    assert (rows.texts, rows.labels) == (["a \ufffd b \U0001f600"], ["\ufffd"])


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_lines_that_end_in_a_carriage_return_alone(tmp_path, name):
    content = write(tmp_path / name).read_bytes()
    content = (gzip.decompress(content) if name.endswith("gz") else content).replace(b"\r\n", b"\r")
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    data = read_labelled(tmp_path / name)
    assert list(zip(data.texts, data.labels, strict=True)) == ROWS
    (tmp_path / "b.csv").write_bytes(b"text,label\rfine,1\ra\r")
    with pytest.raises(DataError, match="line 3: expected 2 columns, got 1"):
        read_labelled(tmp_path / "b.csv")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r\n"])
def test_lines_of_text_end_as_those_of_a_table(tmp_path, end):
    (tmp_path / "a.txt").write_bytes(end.join(["one", "two", "three"]).encode())
    assert list(read_texts(tmp_path / "a.txt")) == ["one", "two", "three"]
    assert list(Documents([tmp_path / "a.txt"], "line")) == [("one", True), ("two", True), ("three", True)]
    assert list(lines_of(io.BytesIO((tmp_path / "a.txt").read_bytes()), "input")) == ["one", "two", "three"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
@pytest.mark.parametrize("blank", ["\n", "\r\n \r\n", "\ufeff\n\n"])
def test_blank_lines_before_the_header_are_passed_over(tmp_path, name, blank):
    content = write(tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(blank.encode() + content)
    data = read_labelled(tmp_path / name)
    assert list(zip(data.texts, data.labels, strict=True)) == ROWS
    (tmp_path / name).write_bytes(blank.encode() + content + b"x\r\n")
    line = (blank.encode() + content).count(b"\n") + 1
    with pytest.raises(DataError, match=f"line {line}: expected 3 columns, got 1"):
        read_labelled(tmp_path / name)


def test_a_carriage_return_within_quotes_is_of_the_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'text,label\n"a\rb",1\n"c\r\nd",2\n')
    assert read_labelled(tmp_path / "a.csv").texts == ["a\rb", "c\r\nd"]


@pytest.mark.parametrize("name", ["A.TXT", "a.jsonl.txt", "a.TXT.GZ", "a.csv.Txt"])
def test_the_last_ending_says_what_a_file_is(tmp_path, name):
    content = b"text\nb\n"
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("GZ") else content)
    assert list(read_texts(tmp_path / name)) == ["text", "b"]
    assert list(Documents([tmp_path / name])) == [("text", False), ("b", True)]
    (tmp_path / "a.txt.csv").write_bytes(content)
    assert list(Documents([tmp_path / "a.txt.csv"])) == [("b", True)]


@pytest.mark.parametrize("encoding", ["utf16", "UTF_16_LE", "utf-16-be", "utf32", "U16"])
def test_wide_encodings_by_any_name_and_without_their_mark(tmp_path, encoding):
    form = encoding if encoding[-1] in "Ee" and encoding[-2] in "LlBb" else ("utf-16" if "16" in encoding else "utf-32")
    mark = "\ufeff" if form == encoding else ""  # the codec writes its own otherwise
    (tmp_path / "a.txt").write_bytes((mark + "好 a\nb\n").encode(form))
    assert list(read_texts(tmp_path / "a.txt", encoding=encoding)) == ["好 a", "b"]


@pytest.mark.parametrize("last", ['"c d\ne f\n', '"c d\n\n"" x\n', 'e\n"c\nd\n'])
def test_a_quote_that_nothing_closes_is_named(tmp_path, last):
    (tmp_path / "a.csv").write_text("text\na b\n" + last)
    with pytest.raises(DataError, match=r"line \d: a quote that opens there is not closed"):
        list(read_texts(tmp_path / "a.csv"))


@pytest.mark.parametrize("content", ['"c\nd"\n', '"c\n""d"""\n', 'a 5" film\nb\n', '"c\nd"\n\n', '"a" b\n'])
def test_quotes_that_are_closed_or_are_none_are_read(tmp_path, content):
    (tmp_path / "a.csv").write_text("text\n" + content)
    assert list(read_texts(tmp_path / "a.csv"))
