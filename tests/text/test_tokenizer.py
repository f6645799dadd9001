"""Text to ids: what a token is, which are kept, and that a saved tokenizer is the same tokenizer."""

import copy
import pickle

import joblib
import numpy as np
import pytest

from elman.errors import ModelFolderError, UsageError
from elman.text import PAD_ID, UNKNOWN_ID, TextTokenizer

ENGLISH = ["It's GOOD, isn't it?<br /><br />Très bon!", "good good film", "it was bad"]
WRITTEN = "房间，很好！（OK）：１２３"
CHINESE = ["房间很干净，服务也很好。", "房间太小，价格太贵。"]


def test_words():
    tokenizer = TextTokenizer.fit(ENGLISH)
    assert tokenizer.kind == "words"
    tokens = ["it's", "good", ",", "isn't", "it", "?", "très", "bon", "!"]
    assert tokenizer.tokens(ENGLISH[0]) == tokens
    assert UNKNOWN_ID not in tokenizer.encode(ENGLISH).ids
    assert tokenizer.tokens("an ODD word") == ["an", "ODD", "word"]
    assert tokenizer.encode(["zzz"]).ids.tolist() == [UNKNOWN_ID]


def test_normal_forms_are_one_token():
    tokenizer = TextTokenizer.fit(["café ﬁlm"])
    assert np.array_equal(tokenizer.encode(["cafe\u0301 film"]).ids, tokenizer.encode(["café ﬁlm"]).ids)


def test_the_most_frequent_are_kept():
    texts = ["a a a b b c", "a b d"]
    assert TextTokenizer.fit(texts, vocab_size=4).encode(["a b c"]).ids.tolist() == [2, 3, UNKNOWN_ID]
    assert TextTokenizer.fit(texts, min_count=2).vocab_size == 4
    assert PAD_ID not in TextTokenizer.fit(texts).encode(texts).ids


def test_the_vocabulary_does_not_depend_on_chance():
    texts = [f"word{i} word{i % 7}" for i in range(500)]
    assert TextTokenizer.fit(texts).to_json() == TextTokenizer.fit(texts).to_json()


def test_chinese_is_seen_and_cut(monkeypatch):
    pytest.importorskip("jieba")
    tokenizer = TextTokenizer.fit(CHINESE)
    assert tokenizer.kind == "jieba" and "房间" in tokenizer.tokens(CHINESE[0])
    monkeypatch.setitem(__import__("sys").modules, "jieba", None)
    assert TextTokenizer.fit(CHINESE).kind == "characters"


@pytest.mark.parametrize(
    "texts", [["สวัสดีครับ"], ["これはとても良い映画です"], CHINESE], ids=["thai", "japanese", "chinese"]
)
def test_characters_for_scripts_without_spaces(texts):
    tokenizer = TextTokenizer.fit(texts, kind="characters")
    assert "".join(tokenizer.tokens(texts[0])) == "".join(texts[0].replace("，", ",").split())
    if texts is not CHINESE:
        assert TextTokenizer.fit(texts).kind == "characters"


def test_bpe_leaves_no_known_character_out():
    tokenizer = TextTokenizer.fit(["low lower lowest newest widest"] * 5, kind="bpe", vocab_size=40)
    assert UNKNOWN_ID not in tokenizer.encode(["slowest newts"]).ids


@pytest.mark.parametrize("kind", ["words", "bpe", "characters"])
def test_saved_and_loaded_is_the_same(kind):
    tokenizer = TextTokenizer.fit(ENGLISH, kind=kind)
    again = TextTokenizer.from_json(tokenizer.to_json(), kind)
    texts = [*ENGLISH, "", "new words"]
    assert np.array_equal(again.encode(texts).ids, tokenizer.encode(texts).ids)


def test_odd_texts():
    tokenizer = TextTokenizer.fit(ENGLISH)
    ids = tokenizer.encode(["", "   ", "\ud800 good", "good\0bad", "good " * 100000])
    assert ids.lengths.tolist()[:2] == [0, 0] and ids.lengths[4] == 100000


def test_refusals():
    with pytest.raises(UsageError, match="unknown tokenizer 'word'"):
        TextTokenizer.fit(ENGLISH, kind="word")
    with pytest.raises(UsageError, match="at least 3 entries, got 2"):
        TextTokenizer.fit(ENGLISH, vocab_size=2)
    with pytest.raises(ModelFolderError, match="cannot be read"):
        TextTokenizer.from_json("{}", "words")


@pytest.mark.parametrize("generative", [False, True])
def test_words_between_spaces_may_be_written_as_special_ones_are(generative):
    texts = ["the [UNK] film", "[PAD] [END] [UNK]"]
    tokenizer = TextTokenizer.fit(texts, kind="spaces", generative=generative)
    again = TextTokenizer.from_json(tokenizer.to_json(), "spaces")
    for fitted in (tokenizer, again):
        ids = fitted.encode(texts)
        assert [fitted.words()[i] for i in ids.ids] == " ".join(texts).split()
        assert ids.ids.min() >= 2 + generative and fitted.encode(["nowhere"]).ids.tolist() == [UNKNOWN_ID]
        assert fitted.tokens(texts[0]) == texts[0].split()
        assert fitted.end_id == (2 if generative else None)
    if generative:
        assert tokenizer.text_of([*ids[0].tolist(), 2, UNKNOWN_ID]) == "the [UNK] film\n[UNK]"


@pytest.mark.parametrize("texts", [ENGLISH, CHINESE])
def test_pieces_keep_to_the_size_of_the_vocabulary(texts):
    tokenizer = TextTokenizer.fit(texts, kind="bpe", vocab_size=8, generative=True)
    assert tokenizer.vocab_size <= 8 and UNKNOWN_ID in tokenizer.encode(texts).ids


KINDS = ["words", "bpe", "characters", "spaces", "jieba"]


def through_a_file(value, folder):
    joblib.dump(value, folder / "value")
    return joblib.load(folder / "value")


COPIES = {
    "pickle": lambda value, folder: pickle.loads(pickle.dumps(value)),
    "deepcopy": lambda value, folder: copy.deepcopy(value),
    "copy": lambda value, folder: copy.copy(value),
    "joblib": through_a_file,
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("generative", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_reads_special_tokens_as_it_did(kind, generative, way, tmp_path):
    if kind == "jieba":
        pytest.importorskip("jieba")
    texts = ["the [UNK] film 房间 [PAD]", "[END] of it [PAD] [UNK]", "good"]
    tokenizer = TextTokenizer.fit(texts, kind=kind, generative=generative)
    again = COPIES[way](tokenizer, tmp_path)
    others = [*texts, "another [MASK] [UNK][PAD]", WRITTEN, "", "\ud800 x"]
    assert np.array_equal(again.encode(others).ids, tokenizer.encode(others).ids)
    assert [again.tokens(text) for text in others] == [tokenizer.tokens(text) for text in others]
    assert again.to_json() == tokenizer.to_json()
    assert (again.kind, again.normalization, again.end_id) == (kind, tokenizer.normalization, tokenizer.end_id)
    rows = tokenizer.encode(others)
    assert [again.text_of(rows[row]) for row in range(7)] == [tokenizer.text_of(rows[row]) for row in range(7)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "text", [WRITTEN, "I SAW café “Ça”… (Straße)!", "今天 very Good，天气。 「好」", "ﬁlm №５ ½"], ids=str
)
def test_what_is_generated_is_as_it_was_written(kind, text):
    if kind == "jieba":
        pytest.importorskip("jieba")
    tokenizer = TextTokenizer.fit([text], kind=kind, generative=True)
    again = TextTokenizer.from_json(tokenizer.to_json(), kind)
    for each in (tokenizer, again):
        written = each.text_of(each.encode([text])[0])
        if kind == "words":  # whose spaces are the usual ones
            assert written.replace(" ", "") == text.replace(" ", "")
        else:
            assert written.strip() == text
    assert tokenizer.normalization == ("none" if kind == "spaces" else "nfc")


def test_words_stand_beside_wide_marks_without_a_space():
    tokenizer = TextTokenizer.fit([WRITTEN], kind="words", generative=True)
    assert tokenizer.text_of(tokenizer.encode([WRITTEN])[0]) == WRITTEN


@pytest.mark.parametrize("kind", KINDS)
def test_normalization_is_what_was_asked_for_and_comes_with_the_tokenizer(kind):
    if kind == "jieba":
        pytest.importorskip("jieba")
    texts = ["Good ＧＯＯＤ good cafe\u0301 café"]
    number = {}
    for normalization in ("fold", "nfc", "none"):
        tokenizer = TextTokenizer.fit(texts, kind=kind, normalization=normalization)
        again = TextTokenizer.from_json(tokenizer.to_json(), kind)
        assert tokenizer.normalization == again.normalization == normalization
        number[normalization] = len(np.unique(again.encode(texts).ids))
    assert number["fold"] < number["nfc"] <= number["none"]
    assert TextTokenizer.fit(texts, kind=kind).normalization == ("none" if kind == "spaces" else "fold")
    with pytest.raises(UsageError, match="normalization must be one of auto, fold, nfc, none, got 'lower'"):
        TextTokenizer.fit(texts, kind=kind, normalization="lower")


def test_a_generative_tokenizer_of_before_folds():
    """Its file says so, whatever is the default today."""
    before = TextTokenizer.fit([WRITTEN], kind="characters", generative=True, normalization="fold")
    again = TextTokenizer.from_json(before.to_json(), "characters")
    assert again.text_of(again.encode([WRITTEN])[0]) == "房间,很好!(ok):123"


def test_chinese_words_of_before_have_no_spaces_between_them():
    pytest.importorskip("jieba")
    tokenizer = TextTokenizer.fit(["房间 OK"], kind="jieba")
    assert tokenizer.tokens("房间 OK") == ["房间", "ok"]
    assert UNKNOWN_ID not in tokenizer.encode(["房间 ok"]).ids
