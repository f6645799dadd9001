"""What belongs to the whole process is neither read nor changed: random generators, threads, precision, signals."""

import random
import signal
import warnings

import numpy as np
import pytest
import torch

import elman
from conftest import make_reviews
from elman import bench, classify, language, ops

SMALL = {"epochs": 2, "batch_size": 16, "embedding_dim": 8, "hidden_size": 6}
RATES = {"dropout": 0.3, "word_dropout": 0.2, "zoneout": 0.1, "adversarial": 1.0}
OF_LANGUAGE = {"epochs": 1, "batch_size": 4, "embedding_dim": 8, "hidden_size": 8, "bptt": 10, "overlap": 2}
TEXTS, LABELS = make_reviews(120)


def flushes_denormals():
    return (torch.tensor([1e-310], dtype=torch.float64) * 1).item() == 0


def process_state():
    """Everything that a call could leave behind for others."""
    return {
        "torch": torch.get_rng_state().tolist(),
        "numpy": [np.asarray(part).tolist() for part in np.random.get_state()],  # noqa: NPY002
        "random": random.getstate(),
        "threads": torch.get_num_threads(),
        "type": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "gradients": torch.is_grad_enabled(),
        "products": torch.get_float32_matmul_precision(),
        "denormals": flushes_denormals(),
        "warnings": list(warnings.filters),
        "signals": [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)],
        "backend": (ops.backend(), ops.kernels.tier()),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    rows = [f"{text}\t{label}" for text, label in zip(TEXTS, LABELS, strict=True)]
    (folder / "data.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n")
    (folder / "more.txt").write_text("\n".join(TEXTS) + "\n")
    classifier = elman.TextClassifier(**SMALL).fit(TEXTS, LABELS)
    classifier.save(folder / "classifier")
    for name, settings in (("lm", {}), ("fill", {"objective": "fill"})):
        elman.LanguageModel(**OF_LANGUAGE, **settings).fit(TEXTS).save(folder / name)
    return folder


def fine_tuned(folder, out):
    model = elman.TextClassifier(pretrained=folder / "lm", epochs=1, batch_size=16, unfreeze=True)
    model.fit(TEXTS, LABELS)


def trained(folder, out):
    config = classify.resolve(**SMALL, **RATES)
    classify.train(folder / "data.tsv", out / "run", config)
    classify.report(out / "run")


def trained_on_more(folder, out):
    how = {"unlabelled": [folder / "more.txt"], "language_config": language.resolve(**OF_LANGUAGE)}
    classify.train(folder / "data.tsv", out / "run", classify.resolve("fine-tuned", epochs=1), **how)


def read(folder, out):
    model = elman.LanguageModel.load(folder / "lm")
    model.perplexity(TEXTS[:5])
    model.perplexity(TEXTS[:5], cache=language.Cache(4), dynamic=language.Dynamic(0.1))
    model.generate("word1", max_tokens=5)
    elman.LanguageModel.load(folder / "fill").fill("word1 ___ word2")


def diagnosed(folder, out):
    model = torch.nn.LSTM(3, 4)
    elman.accelerate(model)
    with elman.diagnostics.record(model) as flow:
        model(torch.ones(5, 2, 3))[0].sum().backward()
    elman.diagnostics.diagnose(flow)
    elman.restore(model)


CALLS = {
    "fit": lambda folder, out: elman.TextClassifier(**SMALL, **RATES).fit(TEXTS, LABELS),
    "fit a stack": lambda folder, out: elman.TextClassifier(**SMALL, hidden_sizes="6,6").fit(TEXTS, LABELS),
    "load and predict": lambda folder, out: elman.TextClassifier.load(folder / "classifier").predict_proba(TEXTS),
    "fine-tune": fine_tuned,
    "train": trained,
    "train on unlabelled text": trained_on_more,
    "evaluate": lambda folder, out: classify.evaluate(folder / "classifier", folder / "data.tsv"),
    "diagnose": lambda folder, out: classify.diagnose(folder / "classifier", folder / "data.tsv", out=out),
    "compare": lambda folder, out: classify.compare(folder / "data.tsv", out / "c", ["gru"], settings=SMALL),
    "fit a language model": lambda folder, out: elman.LanguageModel(**OF_LANGUAGE).fit(TEXTS),
    "pretrain": lambda folder, out: language.pretrain(
        [folder / "more.txt"], out / "lm", language.resolve(**OF_LANGUAGE, documents="line")
    ),
    "read": read,
    "memory": lambda folder, out: bench.memory(
        out, tasks=["temporal-order"], variants=["tanh-clip", "lstm-noise"], lengths=["12"], seeds=1, updates=3
    ),
    "layers": diagnosed,
}
LAYERS = {"layers"}  # plain torch code, whose start values are drawn from the global generator


@pytest.mark.parametrize("name", CALLS)
def test_a_call_leaves_the_process_as_it_was(name, folder, tmp_path, monkeypatch):
    if name not in LAYERS:
        for changing in ("set_rng_state", "manual_seed", "seed"):  # not even for a moment: other threads draw
            monkeypatch.setattr(torch, changing, lambda *_: pytest.fail("changed the global generator"))
            monkeypatch.setattr(torch.random, changing, lambda *_: pytest.fail("changed the global generator"))
    before = process_state()
    CALLS[name](folder, tmp_path)
    after = process_state()
    changed = [part for part, value in before.items() if after[part] != value]
    assert changed == ([] if name not in LAYERS else ["torch"])


def test_a_memory_task_leaves_denormals_as_they_were(tmp_path):
    torch.set_flush_denormal(True)
    try:
        CALLS["memory"](None, tmp_path)
        assert flushes_denormals()
    finally:
        torch.set_flush_denormal(False)
