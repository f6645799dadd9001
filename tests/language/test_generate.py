"""Generated text: what may come, how often, that a seed repeats it, and that pieces join as whole texts do."""

import sys

import numpy as np
import pytest
import torch

from elman.errors import DivergedError, UsageError
from elman.language import Sampling, TrainedLanguageModel, continuation, generate, prompt_ids, resolve
from elman.language.generate import distribution
from elman.language.model import build_network
from elman.text import END_ID, PAD_ID, UNKNOWN_ID, TextTokenizer

TEXTS = ['"Well," he said (twice), "it isn’t so."', "he didn't sit; (he ran!) it's so: so", "“so he said” it ran"]


def trained(kind="words", seed=0, **settings):
    """Untrained, with weights large enough that it prefers some words."""
    settings = {"embedding_dim": 6, "hidden_size": 5, "num_layers": 2, "min_count": 1, "tied": False, **settings}
    config = resolve(**settings)
    tokenizer = TextTokenizer.fit(TEXTS, kind=kind, vocab_size=45, generative=True)
    torch.manual_seed(seed)
    network = build_network(config, tokenizer.vocab_size).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=2.0)
        network.softmax.bias.zero_()
        network.softmax.bias[[PAD_ID, UNKNOWN_ID]] = 2  # they would come if they were let
    return TrainedLanguageModel(config, tokenizer, network)


def ids_of(model, text):
    return model.tokenizer.encode([text])[0].tolist()


def log_probabilities(model, words):
    """[V] of the word behind these in the order of reading, all read at once."""
    model.network.reset()
    with torch.no_grad():
        output = model.network(torch.tensor([[END_ID], *([word] for word in words)]))
        found = model.network.softmax(output)[-1, 0].double().numpy()
    model.network.reset()
    return found


def greedy(model, words, steps):
    for _ in range(steps):
        scores = log_probabilities(model, words)
        scores[:2] = -np.inf
        words = [*words, int(scores.argmax())]
    return words


@pytest.mark.parametrize(
    "settings", [{}, {"cell": "gru", "overlap": 3}, {"tied": True, "softmax": "adaptive"}], ids=str
)
def test_at_temperature_0_it_is_the_likeliest_word_each_time(settings):
    model = trained(**settings)
    words = greedy(model, ids_of(model, "he said"), 12)
    assert len(set(words)) > 2
    assert generate(model, "he said", Sampling(0, max_tokens=12)) == model.tokenizer.text_of(words)
    assert generate(model, "he said", Sampling(1e-300, max_tokens=12)) == model.tokenizer.text_of(words)


def test_a_backward_model_writes_what_comes_before():
    model = trained(direction="backward")
    prompt = ids_of(model, "he said")
    words = greedy(model, prompt[::-1], 9)[::-1]
    assert generate(model, "he said", Sampling(0, max_tokens=9)) == model.tokenizer.text_of(words)
    assert words[-2:] == prompt and len(list(continuation(model, "he said"))) == 1


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("kind", ["words", "bpe", "characters", "spaces"])
def test_pieces_join_as_whole_texts_do(kind, direction, monkeypatch):
    model, chosen, seen = trained(kind, direction=direction), [], set()
    module = sys.modules["elman.language.generate"]
    draw = module._words

    def noted(*arguments):
        for word in draw(*arguments):
            chosen.append(word)
            yield word

    monkeypatch.setattr(module, "_words", noted)
    for number, prompt in enumerate(["", "he", "(he", "it ran\nhe said"] * 5):
        text = generate(model, prompt, Sampling(max_tokens=30), number)
        prompted = prompt_ids(model, prompt)
        words = [*chosen[::-1], *prompted] if direction == "backward" else [*prompted, *chosen]
        assert text == model.tokenizer.text_of([END_ID, *words])[1:]
        seen.update(chosen)
        chosen.clear()
    assert END_ID in seen and len(seen) > 15
    assert not {PAD_ID, UNKNOWN_ID} & seen


def test_the_state_is_warmed_by_the_prompt():
    model = trained()
    texts = ["".join(continuation(model, prompt, Sampling(0))) for prompt in ("he said", "it said", "so\nsaid")]
    assert len(set(texts)) > 1


def test_a_seed_repeats_a_sample_whatever_else_is_drawn():
    model = trained()
    first = [generate(model, "he", Sampling(seed=3), number) for number in range(4)]
    torch.manual_seed(99)
    again = [generate(model, "he", Sampling(seed=3), number) for number in (2, 0, 3, 1)]
    assert [again[place] for place in (1, 3, 0, 2)] == first
    assert len(set(first)) == 4
    assert generate(model, "he", Sampling(seed=4)) not in first
    torch.manual_seed(99)
    expected = torch.rand(1)
    torch.manual_seed(99)
    generate(model, "he", Sampling(seed=3))
    assert torch.equal(torch.rand(1), expected)


def test_the_network_is_left_as_it_was():
    model = trained()
    model.network(torch.tensor([[3, 4, 5]]))
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    generate(model, "he said")
    after = model.network.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def test_words_come_as_often_as_they_are_likely():
    """Over many samples, within five deviations."""
    model, count, sampling = trained(seed=1), 300, Sampling(temperature=3.0, max_tokens=1)
    expected = distribution(log_probabilities(model, ids_of(model, "he")), sampling)
    drawn = [generate(model, "he", sampling, number) for number in range(count)]
    for word, probability in enumerate(expected):
        found = drawn.count(model.tokenizer.text_of([*ids_of(model, "he"), word])) / count
        assert abs(found - probability) <= 5 * np.sqrt(probability * (1 - probability) / count)
    assert (expected > 0.02).sum() > 4


def test_the_end_stops_where_it_is_told_to():
    model = trained()
    model.network.softmax.bias.data[END_ID] = 2
    going_on = [generate(model, "he", Sampling(stop_at_end=False, max_tokens=40), number) for number in range(8)]
    stopped = [generate(model, "he", Sampling(stop_at_end=True, max_tokens=40), number) for number in range(8)]
    assert any("\n" in text for text in going_on)
    assert stopped == [text.partition("\n")[0] for text in going_on]
    assert generate(model, "he", Sampling(max_tokens=40)) == going_on[0]
    model.config = resolve(documents="line")
    assert generate(model, "he", Sampling(max_tokens=40)) == stopped[0]


LOGS = np.log([0.3, 0.1, 0.05, 0.25, 0.2, 0.1])  # padding, unknown, end, three words


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(), [0, 0, 0.05, 0.25, 0.2, 0.1]),
        (Sampling(allow_unknown=True), [0, 0.1, 0.05, 0.25, 0.2, 0.1]),
        (Sampling(temperature=0.5), [0, 0, 0.05**2, 0.25**2, 0.2**2, 0.1**2]),
        (Sampling(temperature=0), [0, 0, 0, 1, 0, 0]),
        (Sampling(top_k=2), [0, 0, 0, 0.25, 0.2, 0]),
        (Sampling(top_k=99), [0, 0, 0.05, 0.25, 0.2, 0.1]),
        (Sampling(top_k=2, allow_unknown=True, temperature=2), [0, 0, 0, 0.25**0.5, 0.2**0.5, 0]),
        (Sampling(top_p=0.4), [0, 0, 0, 1, 0, 0]),  # 0.25 / 0.6 = 0.417
        (Sampling(top_p=0.5), [0, 0, 0, 0.25, 0.2, 0]),
        (Sampling(top_p=0.8), [0, 0, 0, 0.25, 0.2, 0.1]),
        (Sampling(top_k=2, top_p=0.54), [0, 0, 0, 1, 0, 0]),  # of the two, not of all
    ],
    ids=str,
)
def test_what_the_next_word_is_drawn_from(sampling, expected):
    np.testing.assert_allclose(distribution(LOGS, sampling), np.array(expected) / sum(expected), rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"temperature": -0.1}, "temperature must be at least 0, got -0.1"),
        ({"top_k": -1}, "top_k must be at least 0, got -1"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0"),
        ({"top_p": 1.1}, "top_p must be above 0 and at most 1, got 1.1"),
        ({"seed": -1}, "seed must be at least 0"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
    ],
    ids=str,
)
def test_refusals(settings, said):
    with pytest.raises(UsageError, match=said):
        Sampling(**settings)


def test_a_model_that_fills_does_not_generate():
    with pytest.raises(UsageError, match="needs a model of the objective next, got one of fill"):
        generate(trained(objective="fill"))


def test_lines_of_a_prompt_without_a_word_are_no_lines():
    model = trained()
    assert prompt_ids(model, "he said\n\n \nit") == prompt_ids(model, "he said\nit")
    assert prompt_ids(model, "he said\n")[-1] == END_ID and prompt_ids(model, "\n\nit") == prompt_ids(model, "it")


@pytest.mark.parametrize("kind", ["words", "spaces"])
def test_a_space_that_ends_the_prompt_is_not_doubled(kind):
    model = trained(kind)
    for number in range(5):
        plain, spaced = (generate(model, prompt, Sampling(max_tokens=3), number) for prompt in ("he said", "he said "))
        assert "  " not in spaced and spaced.replace(" ", "") == plain.replace(" ", "")


def test_weights_that_are_no_numbers_are_named():
    model = trained()
    torch.nn.init.constant_(model.network.softmax.bias, float("nan"))
    with pytest.raises(DivergedError, match="not a number"):
        generate(model, "he")


@pytest.mark.parametrize(
    "wrong", [{"temperature": "1"}, {"top_k": 2.0}, {"max_tokens": 1.5}, {"seed": None}, {"top_p": [1]}], ids=str
)
def test_values_of_another_type_are_named(wrong):
    with pytest.raises(UsageError, match=f"{min(wrong)} must be a"):
        Sampling(**wrong)


@pytest.mark.parametrize(("prompt", "number"), [(None, 0), (3, 0), ("he", -1), ("he", 0.5)])
def test_a_prompt_or_number_that_is_none_is_named(prompt, number):
    with pytest.raises(UsageError, match=r"prompt|number"):
        generate(trained(), prompt, number=number)
