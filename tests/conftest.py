"""Small data with something to learn, and a cache of its own for every test run."""

import random

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ELMAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def make_reviews(rows, classes=("bad", "good"), seed=0):
    """Texts whose class is in one telling word among common ones; every label occurs."""
    chooser = random.Random(seed)
    telling = {"bad": ["awful", "dull"], "good": ["great", "lovely"], "odd": ["strange", "weird"]}
    texts, labels = [], []
    for row in range(rows):
        label = classes[row % len(classes)]
        words = [f"word{chooser.randrange(30)}" for _ in range(chooser.randrange(2, 12))]
        words.insert(chooser.randrange(len(words) + 1), chooser.choice(telling[label]))
        texts.append(" ".join(words))
        labels.append(label)
    return texts, labels


@pytest.fixture(scope="session")
def reviews():
    return make_reviews(240)
