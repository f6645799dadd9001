"""One case, the law of refusals, and the limits of time and memory under which a case is checked."""

import hashlib
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple, Protocol

from elman.errors import ElmanError

CORPUS = Path(__file__).parent / "corpus"
LONGEST_MESSAGE = 1000
SECONDS, BYTES = 20, 3 * 2**30


class Case(NamedTuple):
    """A file: its ending says how it is read."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()[:12]


class Target(Protocol):
    name: str

    def corpus(self) -> list[Case]:
        """The cases that every run begins with."""

    def draw(self, random: Random) -> Case:
        """A new case."""

    def check(self, case: Case, folder: Path) -> None:
        """Raises whatever the law forbids. The folder is empty and may be written to."""


class Broken(Exception):
    """A case that breaks its target's law; `__cause__` is how."""


def read(path: Path) -> Case:
    """A case as a file: what it shows, two dashes, and its name."""
    return Case(path.name.rpartition("--")[2], path.read_bytes())


def stored(name: str) -> list[Case]:
    """The cases in a folder of the corpus."""
    return [read(path) for path in sorted((CORPUS / name).glob("*"))]


@contextmanager
def refusals() -> Iterator[None]:
    """A named error is a right answer if its message is one line of a length that can be read."""
    try:
        yield
    except ElmanError as error:
        message = str(error)
        assert message.strip(), "an error without a message"
        assert "\n" not in message, f"an error of several lines: {message[:300]!r}"
        assert len(message) <= LONGEST_MESSAGE, f"an error of {len(message)} characters: {message[:300]!r}"


def check(target: Target, case: Case, folder: Path) -> None:
    """Raises Broken where the law is broken, or time or memory run out."""
    try:
        with limits():
            target.check(case, folder)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise Broken(f"{target.name}: {case.name} ({case.digest}): {type(error).__name__}: {error}") from error


@contextmanager
def limits() -> Iterator[None]:
    """At most so many seconds, and so many bytes more than the process has now."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + BYTES, before[1]))
    handler = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, before)


class TooLong(BaseException):
    """No `Exception`, so that what is checked cannot take it for an error of its own."""


def _too_long(number: int, frame: object) -> None:
    raise TooLong(f"more than {SECONDS} s")


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
