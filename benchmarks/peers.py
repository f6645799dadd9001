"""Peers on the same files: `python benchmarks/peers.py --data DIR`.

TF-IDF of 1- and 2-grams with logistic regression (scikit-learn, untuned), and fastText with words and with bigrams
(rate 0.1, 10 epochs, width 20, one thread; `pip install fasttext-numpy2-wheel`). The whole training file is used, as
neither needs validation data. Rows are added to benchmarks/results/peers.jsonl.
"""

import argparse
import json
import random
import re
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from accuracy import eighty_twenty
from machine import describe
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from elman.text import read_labelled

RESULTS = Path(__file__).parent / "results" / "peers.jsonl"
SETS = {"imdb": "imdb", "sst2": "sst2", "trec6": "trec6"}


def tfidf(train, test, chinese):
    options = {"analyzer": "char", "ngram_range": (1, 3)} if chinese else {"ngram_range": (1, 2)}
    model = make_pipeline(TfidfVectorizer(**options, sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
    model.fit(train.texts, train.labels)
    return model.score(test.texts, test.labels)


def trained(library, path, ngrams, attempts=6):
    """fastText's model; this wheel sometimes stops with "Encountered NaN" on the same data that it learns next time."""
    for attempt in range(attempts):
        try:
            return library.train_supervised(path, wordNgrams=ngrams, lr=0.1, epoch=10, dim=20, thread=1, verbose=0)
        except RuntimeError:
            print(f"fastText failed in attempt {attempt + 1}", flush=True)
    return None


def fasttext(ngrams):
    def run(train, test, chinese):
        import fasttext as library

        def line(text, label):
            words = " ".join(text if chinese else re.findall(r"\w+|[^\w\s]", text.lower()))
            return f"__label__{label} {words}\n"

        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            lines = list(map(line, train.texts, train.labels))
            random.Random(0).shuffle(lines)  # the files are sorted by label, on which fastText diverges
            file.writelines(lines)
            file.flush()
            model = trained(library, file.name, ngrams)
        if model is None:
            return None
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.writelines(map(line, test.texts, test.labels))
            file.flush()
            return model.test(file.name)[1]

    return run


PEERS = {"tfidf + logistic regression": tfidf, "fasttext": fasttext(1), "fasttext bigrams": fasttext(2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: (data / d / "train.jsonl.gz", data / d / "test.jsonl.gz") for name, d in SETS.items()}
        files["zh_hotel"] = eighty_twenty(data / "zh_hotel" / "all.jsonl.gz", Path(scratch), seed=0)
        for name, (train_file, test_file) in files.items():
            train, test = read_labelled(train_file), read_labelled(test_file)
            for peer, run in PEERS.items():
                started = time.monotonic()
                accuracy = run(train, test, name == "zh_hotel")
                row = {"set": name, "peer": peer, "test_accuracy": accuracy, "seconds": time.monotonic() - started}
                row |= {"scikit-learn": version("scikit-learn"), **describe()}
                with RESULTS.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(name, peer, accuracy, f"{row['seconds']:.1f} s", flush=True)


if __name__ == "__main__":
    main()
