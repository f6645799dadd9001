"""A long text is encoded in pieces, and only at its ends where nothing else is read: the ids are those of the whole."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.text import KEEP, TextTokenizer, _pieces

PARTS = [
    *"ab r.,'’_!-/<>()=?",
    *"房间很干净好，。！（）ＯＫ３",
    *["<br />", "<br", " />", "br/>", "＜br >", "<br\t", "\r\n", "\n", "  ", "\u3000", "\xa0"],
    *[
        "e\u0301",
        "\u0301",
        "ﬁ",
        "Σ",
        "İ",
        "´",
        "\u0338",
        "ﾊﾞ",
        "ﾞ",
        "ำ",
        "ก",
        "가",
        "\u1100",
        "\u1161",
        "\u11a8",
        "ﾡ",
        "\u3131",
    ],
    *[
        "\ud800",
        "\x00",
        "▁",
        "😀",
        "👩\u200d🚀",
        "[UNK]",
        "[END]",
        "word",
        "don't",
        "1.5",
        "ДА",
        "नि",
        "\u102e",
        "\u1025",
    ],
]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=40).map("".join)
KINDS = ["words", "bpe", "characters", "spaces", "jieba"]


@pytest.fixture(
    scope="module", params=[(kind, way) for kind in KINDS for way in ("fold", "nfc", "generative")], ids=str
)
def tokenizer(request):
    kind, way = request.param
    if kind == "jieba":
        pytest.importorskip("jieba")
    how = {"generative": True, "normalization": "fold"} if way == "generative" else {"normalization": way}
    return TextTokenizer.fit([part + " " + part for part in PARTS], kind=kind, **how)


def whole(tokenizer, texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pieces, "SIZE", 10**9)
        return tokenizer.encode(texts)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=4), st.integers(0, 7), st.sampled_from(KEEP), st.integers(1, 6))
def test_pieces_have_the_ids_of_the_whole(tokenizer, texts, most, keep, size):
    expected = whole(tokenizer, texts).cut(most, keep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_pieces, "SIZE", size)
        ids = tokenizer.encode(texts, most, keep)
    assert np.array_equal(ids.offsets, expected.offsets) and np.array_equal(ids.ids, expected.ids)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["a very good film, it's. ", "房间很干净，服务好。", "x", "好", "1,5 "], ids=str)
def test_long_texts(kind, text):
    if kind == "jieba":
        pytest.importorskip("jieba")
    tokenizer = TextTokenizer.fit([text * 3], kind=kind)
    texts = [text * 4000, text, ""]
    expected = whole(tokenizer, texts)
    assert np.array_equal(tokenizer.encode(texts).ids, expected.ids)
    for keep in KEEP:
        assert np.array_equal(tokenizer.encode(texts, 7, keep).ids, expected.cut(7, keep).ids)


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_does_not_depend_on_pieces(kind, monkeypatch):
    if kind == "jieba":
        pytest.importorskip("jieba")
    texts = ["a very good film, <br /> it isn't. 房间很干净，服务好。" * 5, "one\ttwo\r\nthree"]
    for generative in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(_pieces, "SIZE", 7)
            in_pieces = TextTokenizer.fit(texts, kind=kind, generative=generative)
        assert in_pieces.to_json() == TextTokenizer.fit(texts, kind=kind, generative=generative).to_json()


@pytest.mark.parametrize("kind", ["words", "spaces"])
def test_a_word_of_many_kilobytes_is_unknown_by_its_start(kind, monkeypatch):
    tokenizer = TextTokenizer.fit(["a good film"], kind=kind)
    seen = []
    prepared = TextTokenizer._prepared
    monkeypatch.setattr(TextTokenizer, "_prepared", lambda self, text: seen.append(len(text)) or prepared(self, text))
    texts = ["a " + "x" * 10**6 + " film", "好" * 10**6, "a " + "ＡB" * 10**5]
    assert tokenizer.encode(texts).lengths.tolist() == [3, 1, 2]
    assert sum(seen) < 4 * 10**5
    assert np.array_equal(tokenizer.encode(texts).ids, whole(tokenizer, texts).ids)


def test_only_the_ends_are_read(monkeypatch):
    tokenizer = TextTokenizer.fit(["a b c"])
    read = []
    prepared = TextTokenizer._prepared
    monkeypatch.setattr(TextTokenizer, "_prepared", lambda self, text: read.append(len(text)) or prepared(self, text))
    for keep in KEEP:
        read.clear()
        tokenizer.encode(["a b c " * 10**6], 400, keep)
        assert sum(read) < 3 * _pieces.SIZE


MEMORY = """
import resource, sys
from elman.text import TextTokenizer
text = "it was a very good film , and then not . " * 100_000
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
small = text[:100_000]
TextTokenizer.fit([small]).encode([small] * 30)
before = peak()
tokenizer = TextTokenizer.fit([text])
tokenizer.encode([text], 400, "both")
tokenizer.encode([text])
print((peak() - before) / len(text))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in other units elsewhere")
def test_memory_for_a_byte_of_text():
    """Of a vocabulary learned from one text of 4 MB, and of its ids: some 15 bytes; encoded whole they take 100."""
    run = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True)
    assert float(run.stdout) < 30
