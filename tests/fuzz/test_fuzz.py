"""A short run of every target: what has failed before, and some cases that are new to this machine's day."""

from random import Random

import pytest

from fuzz.case import Broken, Case, check, stored
from fuzz.targets import TARGETS

# About a second each; `make fuzz` goes on for minutes.
CASES = {
    "readers": 60, "tables": 60, "vectors": 60, "settings": 60, "tokenizers": 40, "folders": 25, "checkpoints": 25,
    "layers": 25, "commands": 15,
}  # fmt: skip


def test_every_target_has_a_share():
    assert CASES.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_holds(name, tmp_path):
    for number, case in enumerate(TARGETS[name].corpus()):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(TARGETS[name], case, folder)


@pytest.mark.parametrize("name", TARGETS)
def test_drawn_cases_hold(name, tmp_path):
    random = Random(f"tests {name}")
    for number in range(CASES[name]):
        folder = tmp_path / str(number)
        folder.mkdir()
        check(TARGETS[name], TARGETS[name].draw(random), folder)


def test_the_same_seed_draws_the_same_case():
    for target in TARGETS.values():
        assert target.draw(Random(1)) == target.draw(Random(1))
        assert len({target.draw(Random(seed)) for seed in range(5)}) > 1


class _Careless:
    """A target whose law most files break."""

    name = "careless"

    def corpus(self):
        return []

    def draw(self, random):
        return Case("a.txt", random.randbytes(4))

    def check(self, case, folder):
        assert case.content == b"right"
        (folder / case.name).write_bytes(case.content)


def test_a_broken_law_is_seen(tmp_path):
    with pytest.raises(Broken, match=r"careless: a\.txt"):
        check(_Careless(), Case("a.txt", b"wrong"), tmp_path)
    check(_Careless(), Case("a.txt", b"right"), tmp_path)


def test_what_takes_too_long_or_too_much_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr("fuzz.case.SECONDS", 0.05)

    class Slow(_Careless):
        def check(self, case, folder):
            while True:
                pass

    with pytest.raises(Broken, match="more than"):
        check(Slow(), Case("a.txt", b""), tmp_path)
    monkeypatch.setattr("fuzz.case.SECONDS", 20)

    class Large(_Careless):
        def check(self, case, folder):
            return bytearray(2**34)

    with pytest.raises(Broken, match="MemoryError"):
        check(Large(), Case("a.txt", b""), tmp_path)


def test_stored_cases_are_there():
    assert stored("readers") and stored("vectors")
