"""Raw text: what is a document, what is held out and left out, and how it is encoded."""

import gzip
import json

import numpy as np
import pytest

from elman.errors import ColumnError, DataError, RunFolderError, UsageError
from elman.text import END_ID, Documents, LeftOut, TextTokenizer, corpus, read_labelled, read_texts

POEM = "one two\n\n  three   four \nfive\n\n\nsix\n"


@pytest.fixture
def poem(tmp_path):
    (tmp_path / "poem.txt").write_text(POEM)
    return tmp_path / "poem.txt"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("auto", [("one two", False), ("three   four", False), ("five", False), ("six", True)]),
        ("file", [("one two", False), ("three   four", False), ("five", False), ("six", True)]),
        ("line", [("one two", True), ("three four", True), ("five", True), ("six", True)]),
        ("blank", [("one two", True), ("three four five", True), ("six", True)]),
    ],
)
def test_what_is_a_document(poem, kind, expected):
    documents = Documents([poem], kind)
    assert list(documents) == expected == list(documents)  # as often as wanted
    packed = poem.with_name("poem.txt.gz")
    packed.write_bytes(gzip.compress(POEM.encode()))
    assert list(Documents([packed], kind)) == expected
    assert list(Documents([poem, packed], kind)) == expected * 2


@pytest.mark.parametrize("kind", ["auto", "file", "line", "blank"])
def test_a_row_of_a_table_is_a_document(tmp_path, kind):
    (tmp_path / "a.csv").write_text('text,n\n"one\ntwo",1\n"   ",2\nthree,3\n')
    (tmp_path / "b.jsonl").write_text(json.dumps({"n": "x", "text": "four  five"}) + "\n")
    assert list(Documents([tmp_path / "a.csv", tmp_path / "b.jsonl"], kind)) == [
        ("one two", True),
        ("three", True),
        ("four five", True),
    ]
    assert list(Documents([tmp_path / "b.jsonl"], kind, text_column="n")) == [("x", True)]
    with pytest.raises(ColumnError, match="m"):
        list(Documents([tmp_path / "a.csv"], kind, text_column="m"))


def test_a_folder_is_the_files_in_it_that_can_be_read(tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "b.txt").write_text("b\n")
    (tmp_path / "in" / "deep" / "a.txt.gz").write_bytes(gzip.compress(b"a\naa\n"))
    (tmp_path / "in" / "c.csv").write_text("text\nc\n")
    (tmp_path / "in" / "note.md").write_text("not read")
    (tmp_path / "in" / "data.tar.gz").write_bytes(b"not read")
    (tmp_path / "in" / "._b.txt").write_bytes(b"\0not read")
    (tmp_path / "in" / ".hidden").mkdir()
    (tmp_path / "in" / ".hidden" / "c.txt").write_text("not read")
    (tmp_path / "in" / "empty.txt").write_text("")
    assert list(Documents([tmp_path / "in"])) == [("b", True), ("c", True), ("a", False), ("aa", True)]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"none: no file in it with text ends in .*\.txt"):
        list(Documents([tmp_path / "none"]))


def test_mistakes_are_named(poem):
    with pytest.raises(UsageError, match="auto, file, line, blank, got 'page'"):
        Documents([poem], "page")
    with pytest.raises(DataError, match="no such file"):
        list(Documents([poem.with_name("other.txt")]))


@pytest.mark.parametrize(
    ("left_out", "expected"),
    [
        (["Three  FOUR"], [("one two", False), ("five", False), ("six", True), ("one two", True)]),
        (["six"], [("one two", False), ("three   four", False), ("five", True), ("one two", True)]),
        (["one two"], [("three   four", False), ("five", False), ("six", True)]),
        (["one two", "three four", "five", "six"], []),
        (["two"], [("one two", False), ("three   four", False), ("five", False), ("six", True), ("one two", True)]),
    ],
)
def test_texts_are_left_out_and_the_ends_stay(poem, left_out, expected):
    other = poem.with_name("other.txt")
    other.write_text("one two\n")
    assert list(Documents([poem, other], leave_out=LeftOut.of(left_out))) == expected


PROSE = "It was  good.\nI saw\nit twice.\n\nA bore.\nTruly.\n"


@pytest.mark.parametrize("kind", ["auto", "file", "line", "blank"])
@pytest.mark.parametrize("form", ["rows", "one line a text", "as it is", "one line", "between blank lines", "a folder"])
def test_a_text_is_left_out_in_whatever_form_it_comes(tmp_path, kind, form):
    """Two texts of a test set, one of them in several lines, and a third that is alone in the corpus."""
    texts = ["It was good.\nI saw\nit twice.", "a bore. truly."]
    test, corpus_of_it = tmp_path / "test.txt", tmp_path / "corpus.txt"
    corpus_of_it.write_text("alone\nhere\n\n" + PROSE)
    if form == "rows":
        test = tmp_path / "test.jsonl"
        test.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    elif form == "one line a text":
        test.write_text("\n".join(" ".join(text.split()) for text in texts))
    elif form == "one line":
        corpus_of_it.write_text("alone here\n" + "\n".join(" ".join(text.split()) for text in texts))
        test.write_text("\n\n".join(texts))
    elif form == "a folder":
        test = tmp_path / "test"
        test.mkdir()
        for number, text in enumerate(texts):
            (test / f"{number}.txt").write_text(text)
    else:
        test.write_text(PROSE)
    left_out = Documents([test], "file" if form == "as it is" else "auto").as_left_out()
    found = " ".join(text for text, _ in Documents([corpus_of_it], kind, leave_out=left_out))
    assert found == "alone here"


def test_a_text_is_left_out_where_it_is_the_whole_document_alone():
    left_out = LeftOut.of(["a b c", "d"])
    lines = [("a", False), ("B  c", True), ("a", False), ("b", False), ("c", False), ("e", True), ("a", False)]
    assert list(left_out.passed_over(lines)) == [*lines[2:6], lines[6]]
    assert "D " in left_out and "a b" not in left_out


@pytest.mark.parametrize(("share", "size"), [(0.25, 5), (0.01, 1), (0.99, 19)])
def test_documents_are_held_out_whole_and_at_random(share, size):
    lines = [(f"{number} {line}", line == number % 3) for number in range(20) for line in range(number % 3 + 1)]
    train, held = corpus.hold_out(lines, share, seed=1)
    assert list(train) == list(train)
    numbers = {text.split()[0] for text, _ in held}
    assert len(numbers) == size and numbers.isdisjoint(text.split()[0] for text, _ in train)
    assert list(held) == [line for line in lines if line[0].split()[0] in numbers]
    assert list(train) == [line for line in lines if line[0].split()[0] not in numbers]
    assert list(corpus.hold_out(lines, share, seed=1)[1]) == list(held)
    if size == 5:
        assert list(corpus.hold_out(lines, share, seed=2)[1]) != list(held)


@pytest.mark.parametrize(("share", "size"), [(0.3, 3), (0.001, 1), (0.99, 9)])
def test_of_a_single_document_the_last_lines_are_held_out(share, size):
    lines = [(str(number), number == 9) for number in range(10)]
    train, held = corpus.hold_out(lines, share, seed=0)
    assert list(train) == [(str(i), i == 9 - size) for i in range(10 - size)]
    assert list(held) == lines[10 - size :]


def test_one_line_cannot_be_divided():
    with pytest.raises(DataError, match=r"at least 2 different documents, or 2 lines of one, .* got 1"):
        corpus.hold_out([("one", True)] * 3, 0.5, 0)
    with pytest.raises(DataError, match="got 0"):
        corpus.hold_out([], 0.5, 0)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("share", [0.02, 0.2])
@pytest.mark.parametrize("others", [1, 3, 300])
def test_about_the_share_of_the_text_is_held_out(order, share, others):
    """Beside a book: of notes that are less than the share lines of the book, of many that are more whole ones."""
    book = [(f"line {number} of the book", number == 1999) for number in range(2000)]
    notes = [[(f"note {number} of a few words", False), ("and its end", True)] for number in range(others)]
    lines = [line for document in [book, *notes][::order] for line in document]
    for seed in range(5):
        train, held = (list(part) for part in corpus.hold_out(lines, share, seed))
        assert sorted(text for text, _ in train + held) == sorted(text for text, _ in lines)
        size = sum(len(text) for text, _ in held) / sum(len(text) for text, _ in lines)
        assert 0.5 * share < size < 1.5 * share
        in_notes = {text.split()[0] for text, _ in held} == {"note", "and"}
        assert in_notes == (others == 300 and share == 0.02)
        assert sum(is_last for _, is_last in train + held) == others + (1 if in_notes else 2)
        assert train[-1][1] and held[-1][1]


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_no_document_is_learned_from_and_held_out(share):
    documents = [[(f"text {number}", False), (f"end {number}", True)] for number in range(50)]
    again = [[(text.upper(), is_last) for text, is_last in document] for document in documents[::2]]
    lines = [line for document in documents + again + documents[::5] for line in document]
    for seed in range(5):
        train, held = ({text.lower() for text, _ in part} for part in corpus.hold_out(lines, share, seed))
        assert not train & held
        assert 0.8 * share < sum(text.lower() in held for text, _ in lines) / len(lines) < 1.5 * share
    book = [("a", False), ("b", False), ("c", True)]
    train, held = corpus.hold_out(book * 3, 0.1, 0)
    assert (list(train), list(held)) == ([("a", False), ("b", True)] * 3, [("c", True)] * 3)


def test_encoded_text_is_the_lines_ids_with_an_end_after_each(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus, "_LINES", 3)  # several blocks
    lines = [(f"w{i} w{i % 3} other", i % 4 == 3 or i == 9) for i in range(10)]
    tokenizer = TextTokenizer.fit([text for text, _ in lines[:7]], generative=True)
    reached = []
    ids = corpus.encode(lines, tokenizer, tmp_path / "new" / "text", reached.append)
    assert [len(ids), ids.lengths.tolist()] == [3, [16, 16, 8]]
    expected = [[*tokenizer.encode([text])[0], END_ID] for text, _ in lines]
    assert ids.ids.tolist() == [i for line in expected for i in line]
    assert reached == [12, 24, 36, 40]
    again = corpus.opened(tmp_path / "new" / "text")
    assert isinstance(again.ids, np.memmap)
    assert (again.ids == ids.ids).all() and (again.offsets == ids.offsets).all()
    names = {corpus.ids_path(tmp_path / "text").name, corpus.offsets_path(tmp_path / "text").name}
    assert {path.name for path in (tmp_path / "new").iterdir()} == names


def test_nothing_to_encode_and_nowhere_to_write(tmp_path):
    tokenizer = TextTokenizer.fit(["a b c"], generative=True)
    with pytest.raises(DataError, match="no word in it"):
        corpus.encode([], tokenizer, tmp_path / "text")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="file: cannot be written"):
        corpus.encode([("a", True)], tokenizer, tmp_path / "file" / "text")


@pytest.mark.parametrize(
    ("left_out", "written"),
    [
        ("one<br /><br />two three", "one two three"),
        ("caf\u00e9 one two", "cafe\u0301 ONE two"),
        ("the film\u2026", "the \ufb01lm..."),
        ("it's good.", "it 's good ."),
        ("STRASSE", "stra\u00dfe"),
        *(("a good film", f"a go{invisible}od film") for invisible in "\u00ad\u200b\u200c\u200d\u2060\ufeff"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_text_is_left_out_however_it_is_written(left_out, written, turned):
    if turned:
        left_out, written = written, left_out
    other = "another text"
    assert written in LeftOut.of([left_out]) and other not in LeftOut.of([left_out])
    documents = Documents([], at_hand=[written, other], leave_out=LeftOut.of([left_out]))
    assert list(documents) == [(other, True)]


def test_a_source_without_a_name_is_no_folder(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one two")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="got an empty one"):
        list(Documents([""]))
    for read in (read_labelled, lambda source: read_labelled(source, group_column="film"), read_texts):
        with pytest.raises(DataError, match="got an empty one"):
            list(read(""))
