"""Accuracy on the public data sets, by seed: `python benchmarks/accuracy.py --data DIR [CASE ...]`.

DIR holds the data sets (imdb/, sst2/, trec6/, zh_hotel/ as .jsonl.gz); the built-in IMDB training reviews need none.
Every case trains with the default settings of its preset. A test file is read once in a run, after training. Rows are
added to benchmarks/results/accuracy.jsonl.
"""

import argparse
import gzip
import json
import random
import tempfile
from pathlib import Path

from machine import describe

from elman.classify import resolve, train
from elman.cli._show import TrainingProgress

RESULTS = Path(__file__).parent / "results" / "accuracy.jsonl"

# name: (training data, validation, test, preset, settings)
CASES = {
    "simple-rnn": ("imdb", None, None, "simple-rnn", {}),
    "lstm": ("imdb", None, None, "lstm", {}),
    "gru": ("imdb", None, None, "gru", {}),
    "imdb": ("imdb/train.jsonl.gz", None, "imdb/test.jsonl.gz", "text-rnn", {}),
    "imdb-no-ngrams": ("imdb/train.jsonl.gz", None, "imdb/test.jsonl.gz", "text-rnn", {"ngrams": 0}),
    "sst2": ("sst2/train.jsonl.gz", "sst2/dev.jsonl.gz", "sst2/test.jsonl.gz", "text-rnn", {}),
    "trec6": ("trec6/train.jsonl.gz", None, "trec6/test.jsonl.gz", "text-rnn", {}),
    "zh_hotel": ("zh_hotel/all.jsonl.gz", None, "split", "text-rnn", {}),
}


def eighty_twenty(path: Path, folder: Path, seed: int) -> tuple[Path, Path]:
    """A file without a split of its own: duplicates dropped, shuffled, 80 % to train and 20 % to test."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list({row["text"].strip(): row for row in map(json.loads, file)}.values())
    random.Random(seed).shuffle(rows)
    cut = len(rows) * 4 // 5
    for name, part in (("train", rows[:cut]), ("test", rows[cut:])):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in part)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return folder / "train.jsonl", folder / "test.jsonl"


def run(case: str, seed: int, data: Path) -> dict[str, object]:
    source, validation, test, preset, settings = CASES[case]
    with tempfile.TemporaryDirectory() as scratch:
        training = data / source if "/" in source else source
        paths = {"validation": validation and data / validation, "test": test and data / test}
        if test == "split":
            training, paths["test"] = eighty_twenty(data / source, Path(scratch), seed)
        done = train(
            training, Path(scratch) / "run", resolve(preset, seed=seed, **settings), events=TrainingProgress(), **paths
        )
    watched = [epoch.validation_accuracy for epoch in done.fitted.history]
    keys = ("accuracy", "macro_f1", "loss", "ece", "network_accuracy", "wide_accuracy")
    return {
        "case": case,
        "preset": preset,
        "settings": settings,
        "seed": seed,
        "best_epoch_validation_accuracy": max(a for a in watched if a is not None),
        "metrics": {split: {k: m[k] for k in keys if k in m} for split, m in done.metrics.items()},
        "epochs": len(watched),
        "seconds_training": round(done.seconds["training"], 1),
        "seconds_total": round(done.seconds["total"], 1),
        **describe(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=CASES, default=list(CASES), metavar="CASE")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    for case in arguments.cases:
        for seed in arguments.seeds:
            row = run(case, seed, arguments.data)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(case, seed, row["best_epoch_validation_accuracy"], row["metrics"], flush=True)


if __name__ == "__main__":
    main()
