"""Selecting and cutting ragged ids, and finding n-grams, against plain lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from elman.text import RaggedIds, TextTokenizer, cache, frequent_ngrams, ngram_places

TEXTS = st.lists(st.lists(st.integers(0, 5), max_size=8), max_size=6)


def lists(ragged):
    return [ragged[row].tolist() for row in range(len(ragged))]


@given(TEXTS, st.data())
def test_select(texts, data):
    ragged = RaggedIds.from_lists(texts)
    assert lists(ragged) == texts
    rows = data.draw(st.lists(st.integers(0, len(texts) - 1))) if texts else []
    assert lists(ragged.select(np.array(rows, np.int64))) == [texts[row] for row in rows]


@given(TEXTS, st.integers(1, 6))
def test_cut(texts, most):
    ragged = RaggedIds.from_lists(texts)
    assert lists(ragged.cut(most, "start")) == [t[:most] for t in texts]
    assert lists(ragged.cut(most, "end")) == [t[-most:] for t in texts]
    head, tail = (most + 1) // 2, most // 2
    both = [t if len(t) <= most else t[:head] + t[len(t) - tail :] for t in texts]
    assert lists(ragged.cut(most, "both")) == both
    assert lists(ragged.cut(0, "start")) == texts


def ngram(text, end, n):
    """The n tokens up to `end`, the text's start among them; None if they reach back further."""
    started = ["start", *text]
    return tuple(started[end + 1 - n : end + 1]) if end + 1 >= n else None


@given(TEXTS, TEXTS, st.integers(1, 4))
def test_ngrams_are_found_where_they_end(texts, others, longest):
    ragged = RaggedIds.from_lists(texts)
    known = frequent_ngrams(ragged, longest, 1000)
    count = {}
    for text in texts:
        for n in range(1, longest + 1):
            for end in range(1, len(text) + 1):
                if gram := ngram(text, end, n):
                    count[gram] = count.get(gram, 0) + 1
    assert len(known) == sum(c >= 2 for c in count.values())
    places = ngram_places(RaggedIds.from_lists(others), longest, known)
    where = {}
    element = 0
    for text in others:
        for end in range(1, len(text) + 1):
            for n in range(1, longest + 1):
                gram = ngram(text, end, n)
                place = places[element, n - 1]
                assert (place >= 0) == (count.get(gram, 0) >= 2)
                if place >= 0:
                    assert where.setdefault(gram, place) == place
            element += 1
    assert len(set(where.values())) == len(where)


def test_the_more_frequent_ngrams_are_kept():
    ragged = RaggedIds.from_lists([[1, 2, 1, 2, 1, 3, 3]])
    assert len(frequent_ngrams(ragged, 1, 10)) == 3
    assert len(frequent_ngrams(ragged, 1, 2)) == 1


def test_the_cache_remembers_and_survives_damage(tmp_path, monkeypatch):
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    texts = ["one two", "two three"]
    settings = {"kind": "auto", "vocab_size": 10, "min_count": 1}
    tokenizer = cache.fit(texts, **settings)
    ids = cache.encode(tokenizer, texts)
    monkeypatch.setattr(TextTokenizer, "fit", lambda *a, **k: pytest.fail("learned again"))
    monkeypatch.setattr(TextTokenizer, "encode", lambda *a: pytest.fail("encoded again"))
    again = cache.encode(cache.fit(texts, **settings), texts)
    assert np.array_equal(again.ids, ids.ids) and np.array_equal(again.offsets, ids.offsets)
    monkeypatch.undo()
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "cache"))
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(path.read_bytes()[:10])
    again = cache.encode(cache.fit(texts, **settings), texts)
    assert np.array_equal(again.ids, ids.ids)
    assert cache.encode(tokenizer, ["two one"]).ids.tolist() != ids.ids.tolist()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:31],
        lambda content: content[:32],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:50] + bytes(byte ^ 1 for byte in content[50:51]) + content[51:],
        lambda content: b"[" * 100_000,
        lambda content: None,
    ],
    ids=["empty", "31", "32", "cut", "longer", "bit", "nested", "folder"],
)
def test_a_damaged_entry_is_passed_over_and_written_anew(tmp_path, monkeypatch, damage):
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path))
    texts = ["one two", "two three"]

    def ids():
        return cache.encode(cache.fit(texts, kind="auto", vocab_size=10, min_count=1), texts)

    expected, entries = ids(), {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(entries) == 2
    for path, content in entries.items():
        damaged = damage(content)
        path.unlink()
        if damaged is None:
            path.mkdir()
        else:
            path.write_bytes(damaged)
    assert np.array_equal(ids().ids, expected.ids) and np.array_equal(ids().offsets, expected.offsets)
    assert {*tmp_path.iterdir()} == {*entries}
    if damage(b"") is not None:
        assert {path: path.read_bytes() for path in tmp_path.iterdir()} == entries


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "pathlib.Path.home", "pathlib.Path.read_bytes"])
def test_a_cache_of_which_nothing_can_be_had_is_passed_over(tmp_path, monkeypatch, call):
    def fail(*arguments, **options):
        raise RuntimeError("no home") if call.endswith("home") else OSError(28, "No space left on device")

    monkeypatch.delenv("ELMAN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(call, fail)
    tokenizer = cache.fit(["one two"], kind="words", vocab_size=10, min_count=1)
    assert len(cache.encode(tokenizer, ["one two"]).ids) == 2
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert all(path.suffix in (".tokenizer", ".ids") for path in left)


def test_entries_that_a_killed_process_left_make_room_too(tmp_path, monkeypatch):
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path))
    for number in range(40):
        (tmp_path / f"{number}.ids.new").write_bytes(b"half")
    cache.fit(["one two"], kind="words", vocab_size=10, min_count=1)
    assert len([*tmp_path.iterdir()]) == 32


def test_a_cache_that_cannot_be_written_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ELMAN_CACHE", str(tmp_path / "file"))
    tokenizer = cache.fit(["one two"], kind="words", vocab_size=10, min_count=1)
    assert len(cache.encode(tokenizer, ["one two"]).ids) == 2
