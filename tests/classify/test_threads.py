"""Training alone, in several threads at once and in another process gives the same bits, whatever others draw."""

import hashlib
import multiprocessing
import random
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch

import elman
from conftest import make_reviews
from elman import language

SMALL = {"epochs": 1, "batch_size": 16, "embedding_dim": 8, "hidden_size": 6}
CLASSIFIER = {**SMALL, "dropout": 0.3, "word_dropout": 0.2, "zoneout": 0.1, "adversarial": 1.0, "num_layers": 2}
LANGUAGE = {**SMALL, "batch_size": 4, "bptt": 10, "overlap": 2, "weight_drop": 0.3}


def digest(tensors):
    data = hashlib.sha256()
    for tensor in tensors:
        data.update(np.ascontiguousarray(tensor).tobytes())
    return data.hexdigest()


def classifier(seed=0, **settings):
    texts, labels = make_reviews(80)
    model = elman.TextClassifier(**CLASSIFIER | {"seed": seed} | settings).fit(texts, labels)
    ngrams = model.classifier_.ngrams
    return digest([*model.classifier_.network.state_dict().values(), ngrams.weight, model.predict_proba(texts)])


def language_model(seed=0):
    texts, _ = make_reviews(80)
    model = elman.LanguageModel(**LANGUAGE | {"seed": seed}).fit(texts)
    drawn = model.generate("word1", max_tokens=5)
    return digest([*model.model_.network.state_dict().values(), [model.perplexity(texts[:20])]]) + drawn


@contextmanager
def noise():
    """A thread that uses the global generators all the time."""
    ended = threading.Event()

    def draw():
        while not ended.wait(0.0005):
            torch.manual_seed(3), torch.rand(3), np.random.seed(3), random.seed(3)  # noqa: NPY002

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.fixture(autouse=True)
def one_thread():
    """The number of torch's threads is a condition of equal bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("train", [classifier, language_model])
def test_in_threads_at_once(train):
    expected = {seed: train(seed) for seed in (0, 1)}
    assert expected[0] != expected[1]
    seeds = [0, 1, 0]
    with noise(), ThreadPoolExecutor(len(seeds)) as pool:
        assert list(pool.map(train, seeds)) == [expected[seed] for seed in seeds]


def test_in_another_process():
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        assert pool.submit(classifier).result() == classifier()


def test_the_wide_branch_in_threads_at_once():
    """liblinear has one generator for the whole process: fits at the same time would take each other's numbers."""
    from elman.classify.ngrams import NGrams
    from elman.text import TextTokenizer

    generator = random.Random(0)
    texts = [" ".join(f"word{generator.randrange(3000)}" for _ in range(40)) for _ in range(3000)]
    ids = TextTokenizer.fit(texts).encode(texts)
    numbers = np.array([generator.randrange(2) for _ in texts])

    def weights(seed):
        ngrams, _ = NGrams.fit(ids, numbers, 2, 2, seed=seed)
        return digest([ngrams.weight])

    expected = weights(0)
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(weights, [0, 0, 0])) == {expected}


def test_one_classifier_answers_in_threads_at_once():
    texts, labels = make_reviews(80)
    model = elman.TextClassifier(**CLASSIFIER).fit(texts, labels)
    expected = model.predict_proba(texts)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(each, expected) for each in pool.map(lambda _: model.predict_proba(texts), range(12)))


READERS = {"next": {}, "fill": {"objective": "fill", "overlap": 0}, "clocks": {"cell": "clockwork"}}


@pytest.mark.parametrize("settings", READERS.values(), ids=READERS)
def test_one_language_model_reads_in_threads_at_once(settings):
    texts, _ = make_reviews(80)
    model = elman.LanguageModel(**LANGUAGE | settings).fit(texts)
    tasks = [
        lambda: model.perplexity(texts),
        lambda: model.perplexity(texts[:7]),
        lambda: model.fill("word1 ___ word2"),
        lambda: None if "objective" in settings else model.generate("word1", max_tokens=5),
        lambda: None if "objective" in settings else model.perplexity(texts[:7], dynamic=language.Dynamic(0.5)),
    ]
    expected = [task() for task in tasks]
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda number: tasks[number % len(tasks)](), range(30)))
    assert answers == expected * 6


@pytest.mark.parametrize("train", [classifier, language_model])
def test_whatever_the_default_type(train):
    expected = train()
    torch.set_default_dtype(torch.float64)
    try:
        assert train() == expected
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("train", [classifier, language_model])
def test_whatever_mode_the_caller_is_in(train):
    expected = train()
    with torch.inference_mode():
        assert train() == expected
