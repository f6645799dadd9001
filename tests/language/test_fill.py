"""Missing words and how often they are found, against a reader that takes one word at a time."""

import importlib

import numpy as np
import pytest
import torch

from elman.errors import DataError, ModelFolderError, UsageError
from elman.language import TrainedLanguageModel, accuracy, fill, load, resolve, sides
from elman.language.accuracy import accuracy_on, rank
from elman.language.model import build_network
from elman.language.reading import figures
from elman.language.streams import whole_documents
from elman.language.surprise import context, surprises
from elman.text import END_ID, UNKNOWN_ID, RaggedIds, TextTokenizer

SETTINGS = {"embedding_dim": 8, "hidden_size": 6, "num_layers": 1, "bptt": 5}
NEXT, BACKWARD, FILL = {}, {"direction": "backward"}, {"objective": "fill"}
WORDS = [f"w{i}" for i in range(20)]


def model(kind="words", texts=None, **settings):
    tokenizer = TextTokenizer.fit(texts or [" ".join(WORDS)], kind=kind, generative=True)
    torch.manual_seed(0)
    network = build_network(config := resolve(**SETTINGS, **settings), tokenizer.vocab_size).eval()
    torch.nn.init.normal_(network.softmax.weight)  # far from uniform
    return TrainedLanguageModel(config, tokenizer, network)


@torch.no_grad()
def distribution(trained, left, right):
    """p of each word between these ids, by the network's own call for a single word at a time."""
    network, config = trained.network, trained.config
    network.reset()
    if config.backward:
        left, right = right[:-1][::-1], []  # the end is not read
    known = []
    for reader, words in zip(network.directions, ([END_ID, *left], [END_ID, *right[::-1]]), strict=False):
        for word in words:
            output, _ = reader(network.embedding(torch.tensor([[word]])))
        known.append(output[0, 0])
    network.reset()
    return network.softmax(torch.cat(known)).exp()


@pytest.mark.parametrize("settings", [NEXT, BACKWARD, FILL])
def test_words_are_those_of_the_network_with_only_the_blanks_unknown(settings):
    trained = model(**settings)
    ids = trained.tokenizer.encode(["w3 w1 w4 w1 w5 w9"])[0].tolist()
    found = fill(trained, "w3 ___ w4 w1 _____ w9", top=50)
    assert len(found) == 2
    ids[1] = ids[4] = UNKNOWN_ID
    for at, words in zip((1, 4), found, strict=True):
        expected = distribution(trained, ids[:at], [*ids[at + 1 :], END_ID])
        assert len(words) == trained.tokenizer.vocab_size - 3
        assert [p for _, p in words] == sorted((p for _, p in words), reverse=True)
        for word, probability in words:
            assert not word.startswith("[")
            assert probability == pytest.approx(float(expected[trained.tokenizer.encode([word])[0][0]]), rel=1e-4)
    assert fill(trained, "w3 ___ w4 w1 ___ w9", top=2) == [words[:2] for words in found]


def test_a_model_of_one_direction_knows_one_side():
    for settings, changed, same in ((NEXT, "w7 ___ w2", "w3 ___ w8"), (BACKWARD, "w3 ___ w8", "w7 ___ w2")):
        trained = model(**settings)
        assert fill(trained, same) == fill(trained, "w3 ___ w2") != fill(trained, changed)
    trained = model(**FILL)
    first = fill(trained, "w3 ___ w2")
    assert first != fill(trained, "w7 ___ w2") and first != fill(trained, "w3 ___ w8")
    assert [sides(resolve(**s)) for s in (NEXT, BACKWARD, FILL)] == [
        "from the left only (forward only)",
        "from the right only (backward only)",
        "from both sides",
    ]


@pytest.mark.parametrize("kind", ["words", "bpe", "characters", "spaces"])
@pytest.mark.parametrize("text", ["___ b", "a ___", "___", "a ___ b", "a___b ___."])
def test_blanks_stand_anywhere_whatever_the_tokens(kind, text):
    trained = model(kind, ["a b c. ab ba"] * 3, **FILL)
    found = fill(trained, text)
    assert len(found) == text.count("___") and all(len(words) == 5 for words in found)


def test_the_space_before_a_missing_piece_is_missing_with_it():
    trained = model("bpe", ["good film bad film"] * 5, vocab_size=40, **FILL)
    one = fill(trained, "bad ___ bad", top=1)
    pieces = trained.tokenizer.encode(["bad good bad"])[0].tolist()
    expected = distribution(trained, pieces[:1], [pieces[-1], END_ID])
    assert one[0][0][1] == pytest.approx(float(expected[3:].max()), rel=1e-4)


def test_several_lines_are_one_document():
    trained = model(**NEXT)
    ids = trained.tokenizer.encode(["w1 w2"])[0].tolist()
    [[(word, probability)]] = fill(trained, "w1 w2\n___ w3", top=1)
    expected = distribution(trained, [*ids, END_ID], [])
    assert probability == pytest.approx(float(expected[trained.tokenizer.encode([word])[0][0]]), rel=1e-4)


def test_mistakes_are_named(tmp_path):
    trained = model()
    with pytest.raises(UsageError, match="a blank ___ in it, got 'the film __ was'"):
        fill(trained, "the film __ was")
    with pytest.raises(UsageError, match="top must be at least 1, got 0"):
        fill(trained, "a ___", top=0)
    with pytest.raises(ModelFolderError, match="no such model folder"):
        load(tmp_path / "none")
    with pytest.raises(DataError, match="no such file"):
        accuracy(trained, [tmp_path / "none.txt"])


def documents(trained, lengths):
    chooser = np.random.default_rng(0)
    size = trained.tokenizer.vocab_size
    words = [UNKNOWN_ID, *range(END_ID + 1, size)]
    return RaggedIds.from_lists([[*chooser.choice(words, n - 1).tolist(), END_ID] for n in lengths])


@pytest.mark.parametrize("settings", [NEXT, BACKWARD, FILL])
@pytest.mark.parametrize("scores", [1, 100, 1 << 22])
def test_accuracy_counts_known_words_among_the_likeliest(settings, scores, monkeypatch):
    """However many scores are computed at a time."""
    monkeypatch.setattr(importlib.import_module("elman.language.accuracy"), "_SCORES", scores)
    trained, lengths = model(**settings), [60, 20, 1]
    trained.config = resolve(**{**SETTINGS, "bptt": 60}, **settings)  # a document is one chunk
    text = documents(trained, lengths)
    found, places = accuracy_on(trained, text), []
    for document in text:
        ids = document.tolist()
        for at, word in enumerate(ids):
            if word > END_ID:
                expected = distribution(trained, ids[:at], ids[at + 1 :])[3:]
                places.append(int((expected > expected[word - 3]).sum()))
    assert found["words"] == len(places) == int((text.ids > END_ID).sum()) < len(text.ids)
    assert found["top_1"] == pytest.approx(np.mean(np.array(places) < 1))
    assert found["top_5"] == pytest.approx(np.mean(np.array(places) < 5))
    assert found["top_1"] < found["top_5"] < 1
    assert found["sides"] == sides(trained.config)


def test_equally_likely_words_are_not_all_right():
    scores = torch.tensor([[0.5, 0.0, 0.9, 0.1, 0.3, 0.3, 0.3, 0.2]] * 5).log()
    assert rank(scores, torch.arange(3, 8)).tolist() == [4, 0, 1, 2, 3]  # the three specials do not count


def test_accuracy_of_files_is_that_of_their_documents(tmp_path):
    trained = model(**FILL)
    (tmp_path / "a.txt").write_text("w1 w2 w3 nobody\n\nw4 w5\n")
    ids = trained.tokenizer.encode(["w1 w2 w3 nobody", "w4 w5"])
    text = RaggedIds.from_lists([[*ids[0].tolist(), END_ID, *ids[1].tolist(), END_ID]])
    found = accuracy(trained, [tmp_path / "a.txt"])
    assert found == accuracy_on(trained, text) and found["words"] == 5


def losses_of(trained, text):
    return figures(trained.network, whole_documents(text, END_ID), trained.network.softmax.losses)


@pytest.mark.parametrize("settings", [NEXT, BACKWARD])
@pytest.mark.parametrize("tokens", [3, 1000])
def test_figures_stand_in_the_order_of_the_corpus(settings, tokens):
    trained = model(**settings)
    text = documents(trained, [9, 4, 1, 17])
    streams = whole_documents(text, END_ID, batch_size=2, tokens=tokens, backward=trained.config.backward)
    found, expected = figures(trained.network, streams, trained.network.softmax.losses), []
    for document in text:
        ids = document.tolist()
        # a backward model reads the end last, when it knows all words before it
        expected += [
            -float(distribution(trained, ids[:at], ids[at + 1 :])[word].log())
            for at, word in enumerate(ids)
            if not (trained.config.backward and at == len(ids) - 1)
        ]
        if trained.config.backward:
            all_of_it = distribution(trained, [], [*ids[:-1], END_ID])
            expected.append(-float(all_of_it[END_ID].log()))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_lines_that_surprise_most_and_least():
    trained = model()
    text = documents(trained, [30] * 12)
    lines = [i for i, document in enumerate(text) if (document == UNKNOWN_ID).mean() < 0.1]
    losses = losses_of(trained, text).reshape(12, 30)
    means = sorted(losses[lines].mean(1))
    found = surprises(trained, text)
    assert found["tokens"] == 360
    assert [row["loss"] for row in found["least"]] == pytest.approx(means[: len(found["most"])])
    assert [row["loss"] for row in found["most"]] == pytest.approx(means[: -len(found["most"]) - 1 : -1])
    row = found["least"][0]
    number = int(losses.mean(1).tolist().index(pytest.approx(row["loss"])))
    assert [loss for _, loss in row["words"]] == pytest.approx(losses[number].tolist(), abs=1e-3)
    shown = "".join(word for word, _ in row["words"]).split()
    assert shown[-1] == "↵" and " ".join(shown[:-1]) == trained.tokenizer.text_of(text[number][:-1])


def test_a_sample_is_whole_documents_or_the_start_of_one():
    trained = model()
    assert surprises(trained, documents(trained, [30] * 12), tokens=100)["tokens"] == 90
    found = surprises(trained, documents(trained, [300]), tokens=100)
    assert found["tokens"] == 100 and found["most"][0]["cut"] == 20 and len(found["most"][0]["words"]) == 80
    assert surprises(model(**FILL), documents(trained, [300]))["context"] == []


def test_what_it_costs_to_forget():
    """Of a network that adds up nothing but its last word: all at 0 words known, nothing from 1 on."""
    trained = model(cell="rnn", tied=False)
    layer = trained.network.directions[0].layer.layers[0]
    with torch.no_grad():
        layer.weight_hh_l0.zero_()
    text = documents(trained, [600, 150, 1, 40])
    losses = losses_of(trained, text)
    # 600 = 256 + 256 + 88, 150 = 75 + 75, 40 = 20 + 20: the later pieces are measured
    rows = context(trained.network, text, losses)
    assert [(row["first"], row["last"], row["tokens"]) for row in rows] == [
        (8, 15, 8 * 4),
        (16, 31, 16 * 3 + 4),
        (32, 63, 32 * 3),
        (64, 127, 64 + 24 + 11),
        (128, 255, 128),
    ]
    assert all(abs(row["loss"]) < 1e-5 for row in rows)
    many = documents(trained, [8] * 100)
    rows = context(trained.network, many, losses_of(trained, many))
    assert [(row["first"], row["last"], row["tokens"]) for row in rows] == [(0, 0, 100), (1, 1, 100), (2, 3, 200)]
    assert abs(rows[0]["loss"]) > 1e-3 > 1e-5 > max(abs(row["loss"]) for row in rows[1:])


def test_a_model_without_a_word_says_so():
    with pytest.raises(UsageError, match="whose vocabulary has none"):
        fill(model(texts=["", ""]), "a ___ b")


def test_lines_without_a_word_change_nothing():
    trained = model(**FILL)
    expected = fill(trained, "w1 ___ w2\nw3 w4")
    assert fill(trained, "w1 ___ w2\n\n  \nw3 w4\n") == expected


@pytest.mark.parametrize("text", [None, 3, ["a ___"]])
def test_what_is_no_text_is_named(text):
    with pytest.raises(UsageError, match="expected a text with a blank"):
        fill(model(**FILL), text)
