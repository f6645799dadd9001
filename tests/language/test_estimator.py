"""`elman.LanguageModel` learns, measures, writes, and survives being saved."""

import math

import pytest

import elman
from elman.errors import DataError, ModelFolderError, UsageError
from elman.language import Cache, Dynamic, LanguageConfig

SMALL = {"embedding_dim": 8, "hidden_size": 12, "num_layers": 1, "batch_size": 4, "bptt": 12, "min_count": 1}
COUNTING = ["one two three four five\nsix seven eight nine ten"] * 12


@pytest.fixture(scope="module")
def fitted():
    settings = {"epochs": 40, "learning_rate": 0.04, "dropout": 0.0, "input_dropout": 0.0, "embedding_dropout": 0.0}
    return elman.LanguageModel(**SMALL, **settings, word_dropout=0.0, weight_drop=0.0).fit(
        COUNTING, validation=COUNTING[:1]
    )


def test_it_learns(fitted):
    losses = [epoch.validation_loss for epoch in fitted.history_]
    assert losses[-1] < losses[0] / 4
    assert fitted.perplexity(COUNTING[:2]) < 2
    assert fitted.perplexity(COUNTING[:2]) < fitted.perplexity(["ten one nine two", "one"])
    assert fitted.generate("one two", temperature=0, max_tokens=8) == "one two three four five\nsix seven eight nine"
    assert fitted.generate("one two", temperature=0, stop_at_end=True) == "one two three four five"
    assert fitted.generate("one two", number=1, temperature=3.0) != fitted.generate("one two", temperature=3.0)


def test_perplexity_is_of_the_documents_together(fitted):
    texts = ["one two\nthree", "four four four four"]
    tokens = [5, 5]
    mean = sum(n * math.log(fitted.perplexity([text])) for n, text in zip(tokens, texts, strict=True)) / sum(tokens)
    assert math.log(fitted.perplexity(texts)) == pytest.approx(mean, rel=1e-5)
    plain = fitted.perplexity(["four four " * 20])
    assert fitted.perplexity(["four four " * 20], cache=Cache(10)) < plain / 2
    assert fitted.perplexity(["four four " * 20], dynamic=Dynamic(0.1)) < plain
    assert fitted.perplexity(["four four " * 20]) == plain


def test_saved_and_loaded_is_the_same(fitted, tmp_path):
    fitted.save(tmp_path)
    again = elman.LanguageModel.load(tmp_path)
    assert again.config_ == fitted.config_ and again.history_ == []
    assert again.perplexity(COUNTING[:1]) == fitted.perplexity(COUNTING[:1])
    assert again.generate("one") == fitted.generate("one")
    (tmp_path / "model.safetensors").write_bytes(b"no")
    with pytest.raises(ModelFolderError, match="damaged"):
        elman.LanguageModel.load(tmp_path)


def test_validation_is_what_is_given():
    model = elman.LanguageModel(**SMALL, epochs=1).fit(COUNTING[:4], validation=["ten nine eight"])
    assert model.history_[0].validation_loss == pytest.approx(math.log(model.perplexity(["ten nine eight"])), rel=1e-5)
    watched = elman.LanguageModel(**SMALL, epochs=1, validation_split=0.0).fit(COUNTING[:4])
    assert watched.history_[0].validation_loss is None


def test_a_seed_beyond_those_that_there_are():
    with pytest.raises(UsageError, match="seed must be at least 0 and at most 4294967295, got 4294967296"):
        elman.LanguageModel(seed=2**32)


def test_settings_and_what_it_says_of_itself():
    model = elman.LanguageModel("classic-rnn", hidden_size=9, epochs=None)
    assert repr(model) == "LanguageModel('classic-rnn', hidden_size=9)"
    assert isinstance(model.config_, LanguageConfig) and model.config_.cell == "rnn"
    with pytest.raises(UsageError, match="unknown setting 'hiden_size'; did you mean 'hidden_size'"):
        elman.LanguageModel(hiden_size=3)
    with pytest.raises(UsageError, match="unknown preset"):
        elman.LanguageModel("gpt")


def test_refusals(fitted):
    for verb in (
        lambda m: m.perplexity(["a"]),
        lambda m: m.generate(),
        lambda m: m.fill("a ___"),
        lambda m: m.save("x"),
    ):
        with pytest.raises(UsageError, match="not trained yet"):
            verb(elman.LanguageModel())
    with pytest.raises(DataError, match="got a single string"):
        elman.LanguageModel().fit("one two")
    with pytest.raises(DataError, match="document 2: expected a string, got int"):
        fitted.perplexity(["one", 2])
    with pytest.raises(UsageError, match="top_p must be"):
        fitted.generate(top_p=0)
    with pytest.raises(DataError, match="expected text"):
        elman.LanguageModel(validation_split=0.0).fit([])


def test_a_classifier_begins_from_it(fitted):
    texts, labels = ["one two three", "ten nine eight"] * 6, [0, 1] * 6
    with pytest.raises(UsageError, match="not trained yet"):
        elman.TextClassifier(pretrained=elman.LanguageModel()).fit(texts, labels)
    settings = {"epochs": 1, "validation_split": 0.0, "ngrams": 0}
    model, other = (
        elman.TextClassifier(pretrained=given, **settings).fit(texts, labels) for given in (fitted, fitted.model_)
    )
    assert model.config_.hidden_sizes == "8" and (model.predict_proba(texts) == other.predict_proba(texts)).all()


def test_an_unknown_setting_of_generation_is_named(fitted):
    with pytest.raises(UsageError, match="unknown setting 'top_n': choose one of temperature, top_k, top_p"):
        fitted.generate("one", top_n=3)
