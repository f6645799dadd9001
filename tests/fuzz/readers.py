"""Damaged tables, texts and word vectors: rows, or a named error."""

from pathlib import Path
from random import Random

from elman.text import read_labelled, read_texts, read_vectors, vector_format

from .case import Case, refusals, stored
from .mutation import mutated

_WORDS = ["film", "good", "bad", "the", "ü"]


class Readers:
    """Labelled reading, reading of texts alone, and whether both see the same texts."""

    name = "readers"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        seed = random.choice(self.corpus())
        return Case(seed.name, mutated(seed.content, random))

    def check(self, case: Case, folder: Path) -> None:
        path = folder / case.name
        path.write_bytes(case.content)
        labelled = texts = None
        with refusals():
            labelled = read_labelled(path)
        with refusals():
            texts = list(read_texts(path))
        if labelled is None:
            return
        assert len(labelled.texts) == len(labelled.labels) > 0
        assert all(isinstance(text, str) for text in labelled.texts)
        assert all(label.strip() == label != "" for label in labelled.labels)
        assert texts is not None, "rows with labels are read, and their texts alone are not"
        assert texts == labelled.texts


class Vectors:
    """Word vectors: those that are found are finite and as wide as the file's start says."""

    name = "vectors"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        seed = random.choice(self.corpus())
        return Case(seed.name, mutated(seed.content, random))

    def check(self, case: Case, folder: Path) -> None:
        path = folder / case.name
        path.write_bytes(case.content)
        with refusals():
            form = vector_format(path)
            vectors = read_vectors(path, _WORDS)
            assert vectors.vectors.shape == (len(vectors.places), form.dim)
            assert abs(vectors.vectors).max(initial=0) < float("inf")
