"""A language model writes and fills what it has read: upper case, wide marks; models of before by their own rule."""

import json

import pytest

import elman
from elman import language
from elman.errors import UsageError
from elman.language.fit import adopt
from elman.settings import to_dict
from elman.text import KINDS, TextTokenizer

SMALL = {"embedding_dim": 4, "hidden_size": 4, "num_layers": 1, "epochs": 1, "batch_size": 2, "bptt": 9, "min_count": 1}
TEXT = "房间 ，很好！（OK） ：１２３"


def fitted(**settings):
    return elman.LanguageModel(**SMALL, validation_split=0.0, **settings).fit([TEXT] * 4)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_it_fills_in_and_writes_what_it_has_read(kind):
    if kind == "jieba":
        pytest.importorskip("jieba")
    model = fitted(tokenizer=kind, vocab_size=60)
    [words] = model.fill("房间 ___ ：", top=99)
    proposed = "".join(word for word, _ in words)
    assert all(mark in proposed for mark in "，！（）：１OK") and not set(",!():1ok") & set(proposed)
    written = model.generate(max_tokens=200, temperature=5.0)
    assert any(mark in written for mark in "，！（）：") and not set(",!():1ok") & set(written)


def test_one_may_be_made_that_folds(tmp_path):
    model = fitted(tokenizer="characters", normalization="fold")
    [words] = model.fill("房间___", top=99)
    assert not set("，！：１OK") & {word for word, _ in words}
    model.save(tmp_path)
    again = elman.LanguageModel.load(tmp_path)
    assert again.fill("房间___", top=99) == [words]
    assert json.loads((tmp_path / "config.json").read_text())["normalization"] == "fold"


def of_before(folder):
    """As versions wrote it that had no such setting."""
    model = fitted(tokenizer="characters", normalization="fold")
    model.save(folder)
    description = json.loads((folder / "config.json").read_text())
    del description["normalization"], description["config"]["normalization"], description["sha256"]
    (folder / "config.json").write_text(json.dumps(description))
    return model


def test_a_model_of_before_answers_as_it_did(tmp_path):
    before = of_before(tmp_path)
    again = elman.LanguageModel.load(tmp_path)
    assert again.fill("ＯＫ___", top=99) == before.fill("ok___", top=99)
    assert again.perplexity([TEXT]) == before.perplexity([TEXT])


def test_going_on_from_a_model_of_before_goes_on_by_its_rule(tmp_path):
    of_before(tmp_path)
    start = language.load(tmp_path)
    config = adopt(start, language.resolve())
    assert config.normalization == "fold"
    assert adopt(start, language.resolve(normalization="fold")) == config
    with pytest.raises(UsageError, match="normalization: the language model has 'fold', got 'nfc'"):
        adopt(start, language.resolve(normalization="nfc"))


def test_a_classifier_reads_as_its_language_model_does(tmp_path):
    texts, labels = ["GOOD film", "good Film"] * 20, ["loud", "low"] * 20
    model = elman.LanguageModel(**SMALL, validation_split=0.0).fit(texts)
    few = {"epochs": 1, "validation_split": 0.0}  # the two texts count as equal where some are held out
    classifier = elman.TextClassifier(pretrained=model, normalization="auto", **few).fit(texts, labels)
    assert classifier.config_.normalization == "nfc"
    assert classifier.classifier_.tokenizer.tokens("GOOD Film") == ["GOOD", "Film"]
    usual = elman.TextClassifier(**few).fit(texts, labels)
    assert usual.classifier_.tokenizer.words()[2:] == ["film", "good"]
    told_apart = elman.TextClassifier(normalization="nfc", **{**few, "epochs": 20}).fit(texts, labels)
    assert told_apart.score(texts, labels) == 1.0
    assert to_dict(told_apart.config_)["normalization"] == "nfc"


def test_the_tokenizer_says_so():
    assert TextTokenizer.fit([TEXT], kind="characters", generative=True).unit == "characters, case kept"
    assert TextTokenizer.fit([TEXT], kind="characters").unit == "characters"
    assert TextTokenizer.fit([TEXT], kind="spaces", generative=True).unit == "words between spaces"
