"""Word vectors from a file: where they land, what is trained, what is counted; the model does without the file."""

import json

import numpy as np
import pytest
import torch

import elman
from conftest import make_reviews
from elman.classify import load, resolve, summary, train
from elman.classify.fit import fit
from elman.classify.split import Split
from elman.errors import CheckpointError, DataError, UsageError
from elman.language import pretrain
from elman.language import resolve as of_language
from elman.settings import to_toml
from elman.training import SILENT, FitEvents

QUICK = {"hidden_size": 6, "epochs": 2, "batch_size": 16, "min_count": 1, "ngrams": 0}
WIDTH = 5


def write(path, words, seed=0):
    matrix = np.random.default_rng(seed).normal(2, 0.5, (len(words), WIDTH)).astype(np.float32)
    rows = (f"{word} {' '.join(map(repr, row.tolist()))}\n" for word, row in zip(words, matrix, strict=True))
    path.write_text("".join(rows), encoding="utf-8")
    return dict(zip(words, matrix, strict=True))


@pytest.fixture
def file(tmp_path):
    """Vectors of half the common words, of the telling ones but "dull", and of one that no text has."""
    path = tmp_path / "elsewhere" / "glove.txt"
    path.parent.mkdir()
    vectors = write(path, [*(f"word{i}" for i in range(0, 30, 2)), "Awful", "great", "lovely", "unheard"])
    vectors["awful"] = vectors.pop("Awful")
    return path, vectors


def fitted(path, events=SILENT, **settings):
    texts, labels = make_reviews(120)
    classes, numbers = np.unique(labels, return_inverse=True)
    config = resolve(vectors=path, **{**QUICK, **settings})
    return fit(Split(texts[:100], numbers[:100]), Split(texts[100:], numbers[100:]), classes, config, events=events)


class Start(FitEvents):
    """Keeps the embedding that the first step finds, and the sentences said."""

    def __init__(self):
        self.sentences, self.weight = [], None

    def found(self, sentence):
        self.sentences.append(sentence)

    def step_done(self, step, model):
        if self.weight is None:
            self.weight = model.embedding.weight.detach().clone()


def embedding(classifier):
    weight = classifier.network.embedding.weight.detach()
    return dict(zip(classifier.tokenizer.words(), weight, strict=True))


@pytest.mark.parametrize("tokenizer", ["words", "bpe", "characters"])
def test_the_vocabulary_is_in_the_order_of_the_ids(tokenizer):
    texts, _ = make_reviews(50)
    learned = elman.text.TextTokenizer.fit(texts, kind=tokenizer)
    words = learned.words()
    assert words[:2] == ["[PAD]", "[UNK]"] and len(words) == learned.vocab_size
    assert [words[i] for i in learned.encode(texts[:1])[0]] == learned.tokens(texts[0])


def test_frozen_words_have_the_vectors_of_the_file_and_the_others_their_deviation(file):
    path, vectors = file
    events = Start()
    classifier = fitted(path, events, tune_vectors=False, word_dropout=0.5).classifier
    after = embedding(classifier)
    common = vectors.keys() & after.keys()
    assert len(common) == 18 and "unheard" not in after
    for word in common:
        assert after[word].tolist() == vectors[word].tolist(), word
    assert torch.equal(events.weight, classifier.network.embedding.weight)
    others = torch.stack([vector for word, vector in after.items() if word not in common])
    assert len(others) == 18 and others.std() == pytest.approx(0.5, rel=0.2) and abs(others.mean()) < 0.2


def test_tuned_vectors_start_in_the_file_and_move(file):
    path, vectors = file
    # 1e-6: far below the distance of any two start values, and a step of Adam is no longer than the rate.
    classifier = fitted(path, learning_rate=1e-6, warmup=0).classifier
    tuned = embedding(classifier)
    moved = [word for word in vectors.keys() & tuned.keys() if (tuned[word].numpy() != vectors[word]).any()]
    assert len(moved) > 12
    for word in vectors.keys() & tuned.keys():
        assert tuned[word].numpy() == pytest.approx(vectors[word], abs=1e-4)
    assert classifier.network.embedding.weight.requires_grad


def test_what_lies_behind_the_embedding_starts_as_without_a_file(file):
    torch.manual_seed(0)
    plain = elman.classify.model.build_network(resolve(embedding_dim=WIDTH, **QUICK), 36, 2)

    class Behind(Start):
        def epoch_started(self, *args):
            pass

        def step_done(self, step, model):
            self.weight = self.weight or {n: p.detach().clone() for n, p in model.named_parameters()}

    events = Behind()
    # So small a rate that a step does not reach a float's last bit of most weights.
    fitted(file[0], events, learning_rate=1e-12, epochs=1)
    for name, parameter in plain.named_parameters():
        if not name.startswith("embedding"):
            assert torch.allclose(events.weight[name], parameter, atol=1e-9), name


@pytest.mark.parametrize("tokenizer", ["words", "characters"])
def test_coverage_is_counted_on_what_is_read(tokenizer, file, tmp_path):
    path, vectors = file
    if tokenizer == "characters":
        vectors = write(path, ["w", "o", "0", "¤"])
    events = Start()
    done = fitted(path, events, tokenizer=tokenizer, max_length=4, keep="start", min_count=9)
    learned = done.classifier.tokenizer
    texts = make_reviews(120)[0][:100]
    read = [token for text in texts for token in learned.tokens(text)[:4]]
    words = learned.words()[2:]
    assert done.vectors == {
        "file": "glove.txt",
        "kind": "GloVe text",
        "dim": WIDTH,
        "rows": len(vectors),
        "tuned": True,
        "vocabulary": pytest.approx(sum(word in vectors for word in words) / len(words)),
        "tokens": pytest.approx(sum(token in vectors and token in words for token in read) / len(read)),
    }
    assert 0 < done.vectors["tokens"] < 1 and 0 < done.vectors["vocabulary"] < 1
    assert events.sentences == [elman.report.coverage_sentence(done.vectors)]


def test_the_sentence():
    given = {"file": "a.vec", "kind": "word2vec text", "dim": 300, "rows": 2_000_000, "vocabulary": 0.5, "tokens": 0.91}
    assert elman.report.coverage_sentence({**given, "tuned": False}) == (
        "Word vectors for 50.0% of the vocabulary and 91.0% of the training tokens, 300 wide, from a.vec (word2vec "
        "text, 2,000,000 words), frozen."
    )
    assert elman.report.coverage_sentence({**given, "tuned": True}).endswith(", trained further.")


@pytest.mark.parametrize("tuned", [True, False])
def test_a_saved_model_needs_no_file_and_names_no_folder(file, tmp_path, tuned):
    path, _ = file
    texts, labels = make_reviews(120)
    model = elman.TextClassifier(vectors=path, tune_vectors=tuned, **QUICK).fit(texts, labels)
    model.save(tmp_path / "model")
    path.unlink()
    again = elman.TextClassifier.load(tmp_path / "model")
    assert (again.predict_proba(texts) == model.predict_proba(texts)).all()
    assert again.config_ == model.config_ and again.vectors == "glove.txt" and again.embedding_dim == WIDTH
    assert again.classifier_.network.embedding.weight.requires_grad == tuned
    for name in ("config.json", "tokenizer.json"):
        assert "elsewhere" not in (tmp_path / "model" / name).read_text()
    assert summary(tmp_path / "model")[0].layer == ("Embedding" if tuned else "Embedding (frozen)")


def test_one_seed_is_one_model(file):
    texts, labels = make_reviews(120)
    first, second, other = (
        elman.TextClassifier(vectors=file[0], seed=seed, **QUICK).fit(texts, labels).predict_proba(texts)
        for seed in (0, 0, 1)
    )
    assert (first == second).all() and (first != other).any()


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "rnn", "information_flow": 0.1},
        {"cell": "gru", "bptt_truncate": 3, "clip_recurrent": 0.5},
        {"cell": "lstm", "zoneout": 0.1, "input_dropout": 0.2, "embedding_dropout": 0.3},
        {"cell": "scrn", "context_size": 3},
        {"cell": "layer_lstm", "learn_state": True},
        {"cell": "lstm", "optimizer": "adamw", "weight_decay": 0.1, "ngrams": 2},
        {"cell": "lstm", "optimizer": "sgd", "average": 0.0, "ngrams": 2},
        {"cell": "lstm", "unfreeze": True, "epochs": 4},
        {"cell": "lstm", "bptt": 4, "bidirectional": False},
    ],
    ids=str,
)
def test_the_frozen_matrix_stays_whatever_else_is_set(file, settings):
    path, vectors = file
    classifier = fitted(path, tune_vectors=False, **settings).classifier
    assert not classifier.network.embedding.weight.requires_grad
    for word, vector in embedding(classifier).items():
        assert word not in vectors or vector.tolist() == vectors[word].tolist()


def test_the_width_is_the_files_unless_it_is_given(file):
    path = file[0]
    assert resolve(vectors=path).embedding_dim == resolve("lstm", vectors=path).embedding_dim == 0
    assert resolve(vectors="").embedding_dim == 128 and resolve("lstm").embedding_dim == 32
    assert fitted(path).classifier.config.embedding_dim == WIDTH
    assert fitted(path, embedding_dim=WIDTH).classifier.config.embedding_dim == WIDTH
    with pytest.raises(UsageError, match=r"embedding_dim is 7, but the vectors in .*glove.txt are 5 wide"):
        fitted(path, embedding_dim=7)


def test_settings_that_do_not_go_together():
    with pytest.raises(UsageError, match="embedding_dim must be at least 1, got 0"):
        resolve(embedding_dim=0)
    with pytest.raises(UsageError, match="tune_vectors off is for word vectors from a file, got no vectors"):
        resolve(tune_vectors=False)


def test_vectors_of_other_words_are_refused(tmp_path):
    write(tmp_path / "v.txt", ["mot", "parole"])
    with pytest.raises(DataError, match=r"v.txt: none of its 2 words is in the data's vocabulary"):
        fitted(tmp_path / "v.txt")


def test_a_language_model_and_a_file_are_two_starts(data, file, tmp_path):
    with pytest.raises(UsageError, match=r"a language model brings word vectors of its own; got .*glove.txt"):
        train(data, tmp_path / "run", resolve(vectors=file[0], **QUICK), unlabelled=[data])
    assert not (tmp_path / "run").exists()
    model = pretrain([], tmp_path / "lm", of_language(hidden_size=4, epochs=1, min_count=1), at_hand=["a b", "b a"] * 9)
    with pytest.raises(UsageError, match="a language model brings word vectors of its own"):
        elman.TextClassifier(vectors=file[0], pretrained=model.fitted.model).fit(*make_reviews(20))


def test_a_toml_file_may_name_the_vectors(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('preset = "gru"\nvectors = "v.txt"\n')
    assert resolve(file=path).embedding_dim == 0
    assert resolve(file=path, embedding_dim=9).embedding_dim == 9
    assert resolve(file=path, vectors="").embedding_dim == 32


def test_any_path_survives_the_toml_file(tmp_path):
    config = resolve(vectors='C:\\new "vectors"\tä.txt', hidden_sizes="8,4")
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), encoding="utf-8")
    assert resolve(file=path) == config


@pytest.fixture
def data(tmp_path):
    texts, labels = make_reviews(120)
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in zip(texts, labels, strict=True)))
    return path


class Stop(FitEvents):
    def epoch_started(self, epoch, *args):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("tuned", [True, False])
def test_resuming_asks_for_the_same_vectors(data, file, tmp_path, tuned):
    path = file[0]
    config = resolve(vectors=path, tune_vectors=tuned, **QUICK)
    whole = train(data, tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "parts", config, events=Stop())
    content = path.read_text()
    lines = content.splitlines(keepends=True)
    path.write_text("".join(lines[1:]))
    with pytest.raises(CheckpointError, match="other data or other settings"):
        train(data, tmp_path / "parts", config, resume=True)
    path.write_text(content.replace("unheard", "unheard-of"))  # a word that no text has changes nothing
    parts = train(data, tmp_path / "parts", config, resume=True)
    for name in ("model.safetensors", "config.json", "metrics.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert parts.fitted.vectors == whole.fitted.vectors


def test_the_run_folder_tells_of_the_vectors(data, file, tmp_path):
    run = train(data, tmp_path / "run", resolve(vectors=file[0], tune_vectors=False, **QUICK), diagnose=True)
    sentence = elman.report.coverage_sentence(run.fitted.vectors)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["vectors"] == run.fitted.vectors
    assert json.loads((tmp_path / "run" / "report.json").read_text())["vectors"] == run.fitted.vectors
    page = (tmp_path / "run" / "report.html").read_text()
    assert sentence in page and "Embedding (frozen)" in page
    for name in ("report.html", "report.json", "diagnosis.json", "metrics.json", "config.json"):
        assert "elsewhere" not in (tmp_path / "run" / name).read_text(), name
    assert resolve(file=tmp_path / "run" / "config.toml").vectors == str(file[0])
    assert load(tmp_path / "run").config == run.fitted.classifier.config


def test_a_run_is_not_replaced_for_a_file_that_holds_no_vectors(data, file, tmp_path):
    train(data, tmp_path / "run", resolve(vectors=file[0], **QUICK))
    for wrong, message in (("none.txt", "no such file"), (data, "expected a word and its numbers")):
        with pytest.raises(DataError, match=message):
            train(data, tmp_path / "run", resolve(vectors=wrong, **QUICK), overwrite=True)
    assert load(tmp_path / "run").config.vectors == "glove.txt"
