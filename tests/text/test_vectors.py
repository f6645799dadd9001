"""Every format gives the same vectors back; only those that are wanted are held; every bad file is named."""

import gzip
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.errors import DataError
from elman.text import read_vectors, vector_format, vectors

KINDS = {"glove": "GloVe text", "text": "word2vec text", "vec": "word2vec text"} | dict.fromkeys(
    ("binary", "binary with newlines"), "word2vec binary"
)


def content(words, matrix, kind):
    rows = []
    for word, row in zip(words, matrix, strict=True):
        if kind.startswith("binary"):
            rows.append(word.encode() + b" " + row.astype("<f4").tobytes() + b"\n" * ("newlines" in kind))
        else:
            end = " \n" if kind == "vec" else "\n"  # fastText leaves a space there
            rows.append(f"{word} {' '.join(map(repr, row.tolist()))}{end}".encode())
    header = b"" if kind == "glove" else f"{len(words)} {matrix.shape[1]}\n".encode()
    return header + b"".join(rows)


def write(path, data):
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def draw(rows, dim, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)


def found(path, words):
    read = read_vectors(path, words)
    return {words[place]: row.tolist() for place, row in zip(read.places, read.vectors, strict=True)}


def test_a_word_in_upper_case_takes_the_nearest_row(tmp_path):
    rows = {"good": [1.0], "GOOD": [2.0], "Film": [3.0], "ÄRA": [4.0], "éa": [5.0], "ÉA": [6.0]}
    path = write(tmp_path / "v", content(rows, np.array(list(rows.values()), np.float32), "text"))
    assert found(path, ["Good", "GOOD", "good", "film", "FILM", "Ära", "Éa", "ÉA", "none"]) == {
        **{"Good": [1.0], "GOOD": [2.0], "good": [1.0], "film": [3.0], "FILM": [3.0]},
        **{"Ära": [4.0], "Éa": [5.0], "ÉA": [6.0]},
    }


letters = st.characters(exclude_categories=["Cs"], exclude_characters=" \n\ufeff")
vocabularies = st.lists(st.text(letters, min_size=1, max_size=9), min_size=1, max_size=20, unique=True)


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=30)  # a machine under load is no failure
@given(words=vocabularies, dim=st.integers(4, 17), seed=st.integers(0, 99), data=st.data())
def test_what_is_written_is_read(kind, suffix, words, dim, seed, data, tmp_path_factory):
    matrix = draw(len(words), dim, seed)
    path = write(tmp_path_factory.getbasetemp() / f"vectors{suffix}", content(words, matrix, kind))
    wanted = data.draw(st.permutations(words))[: data.draw(st.integers(1, len(words)))]
    read = read_vectors(path, [*wanted, "in no file"])
    assert (read.kind, read.rows) == (KINDS[kind], len(words))
    assert read.places.tolist() == list(range(len(wanted)))
    assert read.vectors.dtype == np.float32
    assert (read.vectors == matrix[[words.index(word) for word in wanted]]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_many_chunks_is_not_held_in_memory(kind, tmp_path, monkeypatch):
    words, matrix = [f"word{i}" for i in range(20_000)], draw(20_000, 33)
    path = write(tmp_path / "vectors", content(words, matrix, kind))
    assert path.stat().st_size > 8 * vectors._CHUNK
    wanted = list(range(0, 20_000, 1999))
    tracemalloc.start()
    read = read_vectors(path, [words[i] for i in wanted])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (read.vectors == matrix[wanted]).all()
    assert peak < 4 * vectors._CHUNK


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_progress_counts_the_bytes_on_the_disk(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(vectors, "_REPORT_BYTES", 200_000)
    monkeypatch.setattr(vectors, "_REPORT_ROWS", 100)
    path = write(tmp_path / f"v{suffix}", content([f"w{i}" for i in range(9000)], draw(9000, 9), "glove"))
    told = []
    read_vectors(path, ["w1"], lambda done, total: told.append((done, total)))
    done = [d for d, _ in told]
    assert {total for _, total in told} == {path.stat().st_size}
    assert len(done) > 2 and all(b - a >= 200_000 for a, b in zip([0, *done], done, strict=False))
    assert done[-1] <= path.stat().st_size


def test_a_word_as_it_is_spelled_comes_before_another_case_and_the_first_of_equals_counts(tmp_path):
    words = ["The", "the", "THE", "the", "Éa", "ÉA", "Film", "FILM", "New"]
    matrix = draw(len(words), 5)
    path = write(tmp_path / "v", content(words, matrix, "text"))
    rows = {"the": 1, "éa": 4, "film": 6}
    assert found(path, ["new york", "film", "the", "éa"]) == {word: matrix[row].tolist() for word, row in rows.items()}
    path = write(tmp_path / "v", content(["a", "A", "a"], matrix[:3], "text"))
    assert found(path, ["a"]) == {"a": matrix[0].tolist()}


def test_words_with_spaces_are_cut_from_the_right(tmp_path):
    words = [". . .", "at name@x.org", "the", "of\u00a0the", "7"]
    matrix = draw(len(words), 4)
    path = write(tmp_path / "v", content(words, matrix, "glove"))
    assert vector_format(path) == ("GloVe text", 4, None)
    assert found(path, words) == {word: row.tolist() for word, row in zip(words, matrix, strict=True)}


def test_line_ends_a_byte_order_mark_and_bytes_that_are_not_utf8(tmp_path):
    path = write(tmp_path / "v", b"\xef\xbb\xbfthe 1 2\r\n\ncaf\xe9 3 4\r\n\xff 5 6\nof 7 8")
    assert found(path, ["the", "caf", "café", "\ufffd", "of"]) == {"the": [1, 2], "of": [7, 8]}
    path = write(tmp_path / "v", b"\xef\xbb\xbf2 2\nthe 1 2\nof 7 8")
    assert found(path, ["the", "of"]) == {"the": [1, 2], "of": [7, 8]}


def test_a_wanted_word_needs_no_row_and_the_numbers_of_others_are_not_read(tmp_path):
    path = write(tmp_path / "v", b"the 1 2\nof 1 x\n")
    read = read_vectors(path, ["nothing"])
    assert read.places.tolist() == [] and read.vectors.shape == (0, 2) and read.rows == 2


BINARY = content(["the", "of", "a"], draw(3, 6), "binary")
REFUSED = {
    "empty": (b"", "v: the file is empty"),
    "too few columns": (b"the 1 2 3\nof 1 2\n", "v, line 2: expected a word and 3 numbers, got 3 columns"),
    "too many columns": (b"the 1 2 3\nof 1 2 3 4\n", "v, line 2: expected a word and 3 numbers, got 5 columns"),
    "no columns": (b"the 1 2 3\nof\n", "v, line 2: expected a word and 3 numbers, got 1 columns"),
    "too many in the first": (b"the 1 x 3\nof 1 2 3\n", "v, line 1: expected a word and 1 numbers, got 4 columns"),
    "not a number": (b"the 1 2 3\nof 1 2,5 3\n", "v, line 2: expected a number, got '2,5'"),
    "two spaces": (b"the 1 2 3\nof 1  3\n", "v, line 2: expected a number, got ''"),
    "nan": (b"the 1 2 3\nof 1 nan 3\n", "v, line 2: expected finite numbers, got another in the vector of 'of'"),
    "infinite": (b"2 2\nthe 1 -inf\nof 1 2\n", "v, line 2: expected finite .* of 'the'"),
    "past float32": (b"the 1 2\nof 1 1e39\n", "v, line 2: expected finite .* of 'of'"),
    "words alone": (b"the\nof\n", "v, line 1: expected a word and its numbers, or a header of two integers; got 'the'"),
    "a table": (b"text,label\ngood,1\n", "v, line 1: expected a word and its numbers"),
    "a fastText model": (b"\xba\x16\x4f\x2f\x0c\x00\x00\x00", "v: this is a fastText model; wanted .* .vec"),
    "bytes": (bytes(range(256)) * 9, "v, line 1: expected a word and its numbers"),
    "no words": (b"0 5\n", "v: no words"),
    "header of no width": (b"2 0\nthe\nof\n", "v, line 1: expected 1 to 65536 numbers a word, the header says 0"),
    "header of a huge width": (b"2 99999999999\nthe 1\n", "line 1: .* the header says 99999999999"),
    "header wider": (b"2 4\nthe 1 2 3\nof 1 2 3\n", "v, line 2: expected a word and 4 numbers, got 4 columns"),
    "header narrower": (b"2 2\nthe 1 2 3\nof 1 2 3\n", "v, line 2: expected a word and 2 numbers, got 4 columns"),
    "cut off": (b"3 2\nthe 1 2\nof 1 2\n", "v: the header says 3 words, the file has 2; is it cut off"),
    "more than the header says": (b"1 2\nthe 1 2\nof 1 2\n", "v, line 3: the header says 1 words, here is another"),
    "binary cut off by a byte": (BINARY[:-1], "v, word 3: the file breaks off before its 6 numbers are complete"),
    "binary cut off in numbers": (BINARY[:-3], "v, word 3: the file breaks off before its 6 numbers are complete"),
    "binary cut off in a word": (BINARY[:-25], "v, word 3: the file breaks off"),
    "binary cut off between words": (BINARY[:-26], "v: the header says 3 words, the file has 2"),
    "binary with more": (BINARY.replace(b"3 6", b"2 6", 1), "v, word 3: the header says 2 words, here is another"),
    "binary of another width": (BINARY.replace(b"3 6", b"3 7", 1), "v, word [123]: "),
    "binary without spaces": (b"3 6\n" + b"\xff" * 200_000, "v, word 1: longer than 65536 bytes"),
    "binary not finite": (
        content(["the", "of"], np.array([[1, 2], [3, np.nan]], np.float32), "binary"),
        "v, word 2: expected finite numbers, got another in the vector of 'of'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_bad_file_is_refused_with_its_place(tmp_path, case, suffix):
    data, message = REFUSED[case]
    path = write(tmp_path / f"v{suffix}", data)
    with pytest.raises(DataError, match=message.replace("v", f"v{suffix}", 1)):
        read_vectors(path, ["the", "of", "a"])


def test_a_file_that_is_not_there_or_damaged(tmp_path):
    with pytest.raises(DataError, match=r"none\.txt: no such file"):
        read_vectors(tmp_path / "none.txt", ["the"])
    with pytest.raises(DataError, match="cannot be read"):
        vector_format(tmp_path)
    rows = content([f"w{i}" for i in range(9000)], draw(9000, 9), "glove")
    whole, packer = gzip.compress(rows), zlib.compressobj(wbits=31)
    garbage_behind = packer.compress(rows) + packer.flush(zlib.Z_FULL_FLUSH) + b"\xff" * 99
    path = tmp_path / "v.gz"
    for damaged in (whole[: len(whole) // 2], garbage_behind, whole[:10] + b"\xff" * 99, b"the 1 2\n"):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"v\.gz: cannot be read"):
            read_vectors(path, ["the"])
