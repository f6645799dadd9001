"""Perplexity is that of each document read alone, however many are read at once; a cache and learning on the way."""

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from elman.errors import DataError, DivergedError, UsageError
from elman.language import Cache, Dynamic, TrainedLanguageModel, perplexity, resolve, score
from elman.language.model import build_network
from elman.language.reading import negative_log_likelihood
from elman.language.scoring import document_losses
from elman.nn import LanguageModel
from elman.text import RaggedIds, TextTokenizer, corpus

V = 11


def network(seed=0, **options):
    torch.manual_seed(seed)
    made = LanguageModel(V, embedding_dim=6, hidden_size=5, num_layers=2, dropout=0.5, word_dropout=0.3, **options)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(std=0.6)
    return made.double().train()  # whose dropout must not be felt


def documents(lengths=(7, 1, 12, 3, 5), seed=0):
    generator = np.random.default_rng(seed)
    return RaggedIds.from_lists([generator.integers(2, V, length).tolist() for length in lengths])


@torch.no_grad()
def by_hand(made, rows, backward=False):
    """[n] losses of each document's words, one step at a time, one document alone."""
    made.eval()
    losses = []
    for row in rows:
        words = [*row[:-1][::-1], row[-1]] if backward else list(row)
        made.reset()
        own = []
        for before, word in zip([2, *words[:-1]], words, strict=True):
            output = made(torch.tensor([[before]]))
            own.append(-float(made.softmax(output)[0, 0, word]))
        losses.append(np.array(own))
    made.reset()
    made.train()
    return losses


KINDS = {
    "forward": ({}, False),
    "backward": ({}, True),
    "adaptive": ({"cutoffs": [3, 7]}, False),
    "gru": ({"cell": "gru", "tied": True, "overlap": 2}, False),
}


@pytest.mark.parametrize(("options", "backward"), KINDS.values(), ids=KINDS)
def test_it_is_that_of_each_document_read_alone(options, backward):
    made, corpus_ = network(**options), documents()
    expected = [own.sum() for own in by_hand(made, [corpus_[row] for row in range(5)], backward)]
    for batch_size, tokens in ((64, 8192), (1, 8192), (1, 1), (2, 3), (3, 14), (5, 5)):
        sums = document_losses(made, corpus_, backward=backward, batch_size=batch_size, tokens=tokens)
        np.testing.assert_allclose(sums, expected, rtol=1e-9)
    order = np.array([3, 0, 4, 1, 2])
    turned = document_losses(made, corpus_.select(order), backward=backward, batch_size=2)
    np.testing.assert_allclose(turned, np.array(expected)[order], rtol=1e-9)
    assert negative_log_likelihood(made, corpus_, backward=backward)[0] == pytest.approx(sum(expected))


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    batch_size=st.integers(1, 9),
    tokens=st.integers(1, 40),
    direction=st.sampled_from(["forward", "backward", "fill"]),
    cache=st.sampled_from([None, Cache(3, 0.4, 0.5)]),
)
def test_neither_batch_nor_chunk_matters(lengths, batch_size, tokens, direction, cache):
    made, corpus_ = network(bidirectional=direction == "fill"), documents(lengths)
    how = {"backward": direction == "backward", "cache": None if direction == "fill" else cache}
    expected = document_losses(made, corpus_, batch_size=1, tokens=100, **how)
    found = document_losses(made, corpus_, batch_size=batch_size, tokens=tokens, **how)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("how", [{}, {"backward": True}, {"cache": Cache(4)}], ids=str)
def test_the_state_begins_anew_at_documents_and_nowhere_else(how):
    made, whole = network(), documents([12])
    cut = RaggedIds(whole.ids, np.array([0, 5, 12]))
    [together], apart = document_losses(made, whole, **how), document_losses(made, cut, **how)
    assert abs(together - apart.sum()) > 1e-3
    alone = [document_losses(made, cut.select(np.array([row])), **how)[0] for row in range(2)]
    np.testing.assert_allclose(apart, alone, rtol=1e-12)


def test_both_sides_are_known():
    """Without the hidden word itself, and whatever the document's neighbours are."""
    made, corpus_ = network(bidirectional=True), documents()
    made.eval()
    expected = []
    for row in range(len(corpus_)):
        words = corpus_[row].tolist()
        left, right = (torch.tensor(side)[:, None] for side in ([2, *words[:-1]], [*words[1:], 2]))
        made.reset()
        with torch.no_grad():
            scores = made.softmax(made(left, None, right))[:, 0]
        expected.append(-float(scores[range(len(words)), words].sum()))
    for tokens in (1, 10, 8192):
        np.testing.assert_allclose(document_losses(made, corpus_, tokens=tokens), expected, rtol=1e-9)


@torch.no_grad()
def outputs_of(made, words):
    """[T, P] what the softmax reads of a document alone."""
    made.eval()
    made.reset()
    return made(torch.tensor([[2], *([word] for word in words[:-1])]))[:, 0].numpy()


@pytest.mark.parametrize("size", [1, 4, 50])
def test_the_cache_is_the_formula(size):
    made, corpus_, cache = network(), documents((9, 14)), Cache(size, weight=0.3, flatness=0.7)
    plain = by_hand(made, [corpus_[0], corpus_[1]])
    expected = []
    for row in range(2):
        words, h = corpus_[row], outputs_of(made, corpus_[row])
        total = -plain[row][0]
        for t in range(1, len(words)):
            held = range(max(0, t - size), t)
            scores = {i: math.exp(0.7 * h[i] @ h[t]) for i in held}
            p_cache = sum(scores[i] for i in held if words[i] == words[t]) / sum(scores.values())
            total += math.log(0.7 * math.exp(-plain[row][t]) + 0.3 * p_cache)
        expected.append(-total)
    for batch_size, tokens in ((64, 8192), (1, 1), (2, 6)):
        found = document_losses(made, corpus_, cache=cache, batch_size=batch_size, tokens=tokens)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("cutoffs", [(), (3, 7)])
def test_probabilities_with_a_cache_sum_to_one(cutoffs):
    made, start = network(cutoffs=cutoffs), documents([8])[0].tolist()
    corpus_ = RaggedIds.from_lists([start, *([*start, word] for word in range(V))])
    sums = document_losses(made, corpus_, cache=Cache(5, 0.4, 0.9))
    assert np.exp(sums[0] - sums[1:]).sum() == pytest.approx(1)


def test_what_has_no_weight_changes_nothing():
    made, corpus_ = network(), documents()
    plain = document_losses(made, corpus_)
    for how in ({"cache": Cache(7, weight=0.0)}, {"dynamic": Dynamic(0.0, 0.3)}):
        np.testing.assert_allclose(document_losses(made, corpus_, **how), plain, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"tied": True}, {"cutoffs": [3, 7]}], ids=str)
@pytest.mark.parametrize("cache", [None, Cache(3, 0.4)])
def test_dynamic_evaluation_is_the_formula(options, cache):
    """Against the loop on one document after another, by torch's optimizer and a deep copy."""
    import copy

    made, corpus_ = network(**options), documents()
    found = document_losses(made, corpus_, dynamic=Dynamic(0.2, 0.1, steps=4), cache=cache)
    learner = copy.deepcopy(made).eval()
    trained = [parameter.detach().clone() for parameter in learner.parameters()]
    words = torch.from_numpy(corpus_.ids.astype(np.int64))
    starts = torch.zeros(len(words), dtype=torch.bool)
    starts[corpus_.offsets[:-1]] = True
    left = torch.where(starts, 2, words.roll(1))
    expected = []
    for part in torch.arange(len(words)).split(4):
        output = learner(left[part, None], starts[part, None])
        losses = -learner.softmax(output)[torch.arange(len(part)), 0, words[part]]
        expected.extend(losses.tolist())
        optimizer = torch.optim.SGD(learner.parameters(), 0.2)
        optimizer.zero_grad()
        losses.mean().backward()
        with torch.no_grad():
            for parameter, start in zip(learner.parameters(), trained, strict=True):
                parameter += 0.1 * (start - parameter)
        optimizer.step()
    expected = [part.sum() for part in np.split(np.array(expected), corpus_.offsets[1:-1])]
    if cache is None:
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    else:
        assert not np.allclose(found, expected) and np.isfinite(found).all()
    assert not np.allclose(found, document_losses(made, corpus_, cache=cache))


@pytest.mark.parametrize("how", [{}, {"cache": Cache(3)}, {"dynamic": Dynamic(0.5, 0.1)}], ids=str)
def test_the_network_is_left_as_it_was(how):
    made = network()
    made(torch.tensor([[3, 4, 5]]))  # three streams under way
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    document_losses(made, documents(), **how)
    after = made.state_dict()
    assert made.training and before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(parameter.grad is None for parameter in made.parameters())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Cache(0), "size of the cache must be at least 1, got 0"),
        (lambda: Cache(3, weight=1.0), "weight of the cache must be at least 0 and below 1, got 1"),
        (lambda: Cache(3, flatness=-1), "flatness of the cache must be at least 0, got -1"),
        (lambda: Dynamic(-1), "rate of dynamic evaluation must be at least 0, got -1"),
        (lambda: Dynamic(1, 2), "decay of dynamic evaluation must be at least 0 and at most 1, got 2"),
        (lambda: Dynamic(1, steps=0), "steps of dynamic evaluation must be at least 1, got 0"),
        (lambda: document_losses(network(bidirectional=True), documents(), cache=Cache(3)), "objective next, got one"),
    ],
)
def test_refusals(make, said):
    with pytest.raises(UsageError, match=said):
        make()


def test_dynamic_evaluation_that_diverges_says_so():
    with pytest.raises(DivergedError, match="diverged at a rate of 1e\\+200"):
        document_losses(network(), documents(), dynamic=Dynamic(1e200))


TEXTS = ["the cat sat\nthe dog ran", "a cat ran\nit sat"]


def trained(**settings):
    config = resolve(embedding_dim=6, hidden_size=5, num_layers=1, min_count=1, **settings)
    tokenizer = TextTokenizer.fit(TEXTS, generative=True)
    torch.manual_seed(0)
    return TrainedLanguageModel(config, tokenizer, build_network(config, tokenizer.vocab_size).eval())


def test_figures_of_a_file(tmp_path):
    model = trained()
    for number, text in enumerate((*TEXTS, "the zebra sat"), 1):
        (tmp_path / f"{number}.txt").write_text(text + "\n\n")
    seen = []
    scores = perplexity(model, [tmp_path], out=tmp_path / "scores.jsonl", progress=lambda *done: seen.append(done))
    figures = scores.figures()
    assert figures["tokens"] == 3 + 1 + 3 + 1 + 3 + 1 + 2 + 1 + 3 + 1 == seen[-1][0] == seen[-1][1]
    assert figures["documents"] == 3 and figures["measure"] == "perplexity"
    assert figures["characters"] == sum(len(text) + 1 for text in (*TEXTS, "the zebra sat"))
    assert figures["unknown"] == pytest.approx(1 / 19)
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))
    assert 2 ** (figures["bits_per_character"] * figures["characters"] / 19) == pytest.approx(figures["perplexity"])
    assert 2 ** figures["bits_per_token"] == pytest.approx(figures["perplexity"])
    rows = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    assert [row["tokens"] for row in rows] == [8, 7, 4]
    assert rows[0]["begins"].startswith("the cat sat\nthe")
    mean = sum(math.log(row["perplexity"]) * row["tokens"] for row in rows) / 19
    assert mean == pytest.approx(figures["loss"])
    assert score(model, corpus.lines_of([*TEXTS, "the zebra sat"])).loss == pytest.approx(figures["loss"])


def test_a_document_is_what_the_model_learned_from(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join(TEXTS))
    assert len(perplexity(trained(), [path]).tokens) == 1
    assert len(perplexity(trained(documents="line"), [path]).tokens) == 4
    assert len(perplexity(trained(documents="line"), [path], documents="file").tokens) == 1


def test_a_model_that_fills_has_a_pseudo_perplexity(tmp_path):
    scores = score(trained(objective="fill", tied=False), corpus.lines_of(TEXTS))
    assert scores.figures()["measure"] == "pseudo-perplexity"
    assert "pseudo-perplexity" in next(scores.rows())


def test_no_text_is_named():
    with pytest.raises(DataError, match="found no word"):
        score(trained(), corpus.lines_of(["", " \n "]))
