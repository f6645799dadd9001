"""A quote holds a field together only where nothing else can be meant; what is in doubt is named with its line."""

import csv
import gzip
import io
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.errors import DataError, UsageError
from elman.text import Documents, read_labelled, read_texts
from elman.text._delimited import records

STRAY = 'text\tlabel\n"Hello there, he said\tpos\nI like it\tneg\nit is bad\tneg\nhe said "so" and left\tpos\n'
STRAY_ROWS = [("text", "label"), *(tuple(line.split("\t")) for line in STRAY.splitlines()[1:])]


def table(tmp_path, content, name="a.csv"):
    path = tmp_path / name
    data = content.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


cells = st.text(st.sampled_from('ab",;\t\n\r \\é'), max_size=8)


@given(
    st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=5), st.sampled_from(",;\t"), st.booleans()
)
def test_what_csv_writes_is_read_as_it_was(rows, delimiter, quote_all):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL).writerows(rows)
    lines = io.StringIO(file.getvalue(), newline="")
    assert [record.fields for record in records(lines, delimiter, "a")] == rows


@given(st.lists(st.text(st.sampled_from('ab", \\'), min_size=1, max_size=8), min_size=1, max_size=5))
def test_without_quoting_a_row_is_a_line(texts):
    lines = io.StringIO("".join(f"{text}\tx\n" for text in texts))
    assert [record.fields for record in records(lines, "\t", "a", "none")] == [[text, "x"] for text in texts]


@pytest.mark.parametrize("name", ["a.tsv", "a.csv", "a.tsv.gz", "a.csv.gz"])
def test_a_quote_that_another_row_closes_is_named(tmp_path, name):
    path = table(tmp_path, STRAY, name)
    for read in (read_labelled, lambda path: list(read_texts(path)), lambda path: list(Documents([path]))):
        with pytest.raises(DataError, match="line 2: a quote that opens there is closed in line 5 in the middle of a "):
            read(path)
    data = read_labelled(path, quoting="none")
    assert list(zip(data.texts, data.labels, strict=True)) == STRAY_ROWS[1:]
    assert list(read_texts(path, quoting="none")) == [text for text, _ in STRAY_ROWS[1:]]
    assert [line for line, _ in Documents([path], quoting="none")] == [text for text, _ in STRAY_ROWS[1:]]


@pytest.mark.parametrize(
    "content",
    [
        'text,label\n"He said \\"no\\" and left",pos\nfine,neg\n',
        'text,label\n"He said \\"no\\", and left",pos\nfine,neg\n',
        'text,label\n"\\"Great\\"",pos\n"fine",neg\n',
        'text,label\n"He said \\"so\\"",pos\n"fine",neg\n',
        'text,label\n"a, b" c,pos\nfine,neg\n',
        'text,label\n"a\nb" c,pos\nfine,neg\n',
        'text,label\nfine,neg\n"a,pos\nx "b" y,neg\n',
        'text;label\n"He said \\"no\\" and left";pos\nfine;neg\n',
        'label\ttext\npos\t"a\nneg\tb\npos\tc "d"\n',
    ],
)
def test_what_stands_behind_a_closing_quote_is_refused(tmp_path, content):
    path = table(tmp_path, content)
    with pytest.raises(DataError, match=r"line \d: a quote that opens there is closed .* --quoting none"):
        read_labelled(path)


@pytest.mark.parametrize("quoting", ["auto", "standard"])
def test_a_lone_quote_as_the_last_cell(tmp_path, quoting):
    path = table(tmp_path, 'label\ttext\npos\ta\nneg\t"\npos\tb\n', "a.tsv")
    with pytest.raises(DataError, match="line 3: a quote that opens there is not closed by the end of the file"):
        read_labelled(path, quoting=quoting)
    assert read_labelled(path, quoting="none").texts == ["a", '"', "b"]


CHANCE = {
    "label last": 'text\tlabel\n"Hello there\tpos\nI like it\tneg\nhe said"\tpos\n',
    "label first": 'label\ttext\npos\t"Hello there\nneg\tI like it\npos\the said"\n',
    "two lone cells": 'text\tlabel\n"\tpos\nI like it\tneg\n"\tpos\n',
    "commas, label last": 'text,label\n"Hello there,pos\nI like it,neg\nhe said",pos\nfine,neg\n',
    "commas, label first": 'label,text\npos,"Hello there\nneg,I like it\npos,he said"\nneg,fine\n',
    "semicolons, labels seen before": 'text;label\na;pos\nb;neg\n"Hello there;pos\nhe said";neg\n',
}


@pytest.mark.parametrize("content", CHANCE.values(), ids=CHANCE)
def test_a_quote_closed_by_chance_at_a_cells_end_is_a_doubt(tmp_path, content):
    path = table(tmp_path, content)
    with pytest.raises(DataError, match=r"lines \d to \d: .* may be rows; --quoting none .* --quoting standard"):
        read_labelled(path)
    rows = content.count("\n") - 1
    assert len(read_labelled(path, quoting="none")) == rows
    spanned = content.split('"')[1].count("\n")
    assert len(list(read_texts(path, quoting="standard"))) == rows - spanned


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('text,label\n"Dear all, thanks\nI came, and saw",pos\nfine,neg\n', 2),
        ('label,text\npos,"Well, well\nI came, and saw"\nneg,fine\n', 2),
        ('label,text\npos,"Well\nI came, and saw"\nneg,fine\n', 2),
        ('text,label\n"one\n\n""two"", three\n",pos\nfine,neg\n', 2),
        ('text\tlabel\n"one\ttab\ntwo\nthree"\tpos\nfine\tneg\n', 2),
        ('text\tlabel\na 5" film\tpos\n"quoted" and on\tneg\n', 2),
    ],
)
def test_fields_over_lines_are_read(tmp_path, content, rows):
    assert len(read_labelled(table(tmp_path, content))) == rows


def test_quotes_in_the_middle_stay(tmp_path):
    path = table(tmp_path, 'text,label\n"Great" she said,pos\na 5" film,neg\n"fine" ,pos\n"",neg\n')
    assert read_labelled(path).texts == ['"Great" she said', 'a 5" film', "fine", ""]


def test_how_many_rows_span_lines_is_said(tmp_path, caplog):
    path = table(tmp_path, 'text,label\n"one\ntwo",pos\nfine,neg\n')
    with caplog.at_level(logging.INFO, "elman.text"):
        read_labelled(path)
    assert caplog.messages == [f"{path}: 2 rows, 1 of them over several lines"]


def test_a_row_of_another_width_tells_of_its_quote(tmp_path):
    path = table(tmp_path, 'text,label\n"a,pos\nb,neg\n",x,y\n')
    with pytest.raises(DataError, match="lines 2 to 4: expected 2 columns, got 3; --quoting none"):
        read_labelled(path)


def test_an_unknown_quoting_is_refused(tmp_path):
    path = table(tmp_path, "text,label\na,b\n")
    for read in (read_labelled, lambda path, quoting: list(read_texts(path, quoting=quoting))):
        with pytest.raises(UsageError, match="quoting must be one of auto, standard, none, got 'all'"):
            read(path, quoting="all")
    with pytest.raises(UsageError, match="quoting must be"):
        Documents([path], quoting="all")
