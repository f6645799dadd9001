"""A child of a fork computes with threads of its own, whatever its parent has computed before."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork there")

PRELUDE = """
import concurrent.futures, multiprocessing, os, signal, sys, threading, warnings
import torch
from elman import nn
warnings.simplefilter("ignore")
torch.set_num_threads(2)
layer, x = nn.LSTM(64, 128, batch_first=True), torch.randn(24, 40, 64)

def infer():
    with torch.no_grad():
        return layer(x)[0].sum().item()

def train():
    layer(x, lengths=[40] * 23 + [3])[0].sum().backward()
    return infer()

def product():
    return (torch.ones(700, 700) @ torch.ones(700, 700)).sum().item() and infer()

def in_a_child(work):
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(60)
        os.write(writing, repr(work()).encode())
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, "the child hangs"
    return float(os.read(reading, 100))
"""


def outcome(script):
    """What a process of its own prints."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_children_infer_and_train_after_whatever_the_parent_did():
    script = """
    for before in (infer, train, product):
        before()
        expected = infer()
        for work in (infer, train, product):
            assert in_a_child(work) == expected, (before.__name__, work.__name__)
        assert in_a_child(lambda: in_a_child(train)) == expected  # a child's child
        assert infer() == expected  # the parent goes on
    print("all")
    """
    assert outcome(script) == "all"


def test_children_of_a_parent_whose_other_threads_compute():
    script = """
    stop = threading.Event()
    def work():
        while not stop.is_set():
            infer()
    others = [threading.Thread(target=work) for _ in range(2)]
    [other.start() for other in others]
    expected = infer()
    for _ in range(8):
        assert in_a_child(train) == expected
    stop.set()
    [other.join() for other in others]
    print("all")
    """
    assert outcome(script) == "all"


def test_pools_of_forked_workers_predict_and_fit():
    script = """
    from elman import TextClassifier
    texts, labels = ["good film", "bad film", "a good one", "a bad one"] * 8, ["p", "n", "p", "n"] * 8
    settings = dict(epochs=1, embedding_dim=8, hidden_size=8, seed=0)
    model = TextClassifier(**settings).fit(texts, labels)
    expected = model.predict_proba(texts).tolist()

    def predict(_):
        return model.predict_proba(texts).tolist()

    def fit(_):
        return TextClassifier(**settings).fit(texts, labels).predict_proba(texts).tolist()

    fork = multiprocessing.get_context("fork")
    with fork.Pool(2) as pool:
        assert pool.map_async(predict, range(4)).get(120) == [expected] * 4
        assert len(pool.map_async(fit, range(2)).get(120)) == 2
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=fork) as pool:
        assert list(pool.map(predict, range(4), timeout=120)) == [expected] * 4
    print("all")
    """
    assert outcome(script) == "all"
