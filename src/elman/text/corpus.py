"""Raw text of any size: files to documents, documents to token ids in files that are mapped and not read."""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, RunFolderError, UsageError
from ._formats import FORMATS
from .ids import RaggedIds
from .read import BUILT_IN, read_texts
from .tokenizer import TextTokenizer

DOCUMENTS = ("auto", "file", "line", "blank")
_LINES = 2048

Line = tuple[str, bool]  # a line, and whether it is the last of its document


@dataclass(frozen=True)
class Documents:
    """Lines of text with their documents' ends; can be read any number of times, and is never held in memory.

    A row of a table is a document of one line. Of .txt files, `documents` says what is one: the whole file ("file",
    which "auto" means too), each line ("line"), or what stands between blank lines, whose line breaks then are spaces
    ("blank"). Lines without a word are left out.

    Args:
        sources: files, folders (all files in them that can be read) or built-in names; see `read_texts`.
        at_hand: further documents, of one line each.
        leave_out: `fingerprints` of texts that are passed over wherever a line is one of them, such as those of a test
            set; case and spaces do not count.
    Raises:
        DataError, EncodingError, ColumnError: as `read_texts`, while reading; UsageError for an unknown `documents`.
    """

    sources: Sequence[str | Path]
    documents: str = "auto"
    text_column: str | None = None
    encoding: str = "utf-8"
    leave_out: frozenset[bytes] = frozenset()
    at_hand: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.documents not in DOCUMENTS:
            raise UsageError(f"documents must be one of {', '.join(DOCUMENTS)}, got {self.documents!r}")

    def __iter__(self) -> Iterator[Line]:
        lines = self._lines()
        if self.leave_out:
            lines = _without(lines, self.leave_out)
        return lines

    def _lines(self) -> Iterator[Line]:
        yield from ((" ".join(text.split()), True) for text in self.at_hand if text.strip())
        for path in self._files():
            texts = read_texts(path, text_column=self.text_column, encoding=self.encoding)
            if str(path) in BUILT_IN or ".txt" not in Path(path).suffixes or self.documents == "line":
                yield from ((" ".join(text.split()), True) for text in texts if text.strip())
            elif self.documents == "blank":
                yield from ((paragraph, True) for paragraph in _paragraphs(texts))
            else:
                yield from _one_document(text.strip() for text in texts if text.strip())

    def _files(self) -> Iterator[str | Path]:
        for source in self.sources:
            if str(source) in BUILT_IN or not Path(source).is_dir():
                yield source
                continue
            found = [path for path in sorted(Path(source).rglob("*")) if path.is_file() and _is_text(path)]
            if not found:
                raise DataError(f"{source}: no file in it ends in {', '.join(FORMATS)} (or .gz of it)")
            yield from found


def _is_text(path: Path) -> bool:
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    return bool(suffixes) and suffixes[-1].lower() in FORMATS


def lines_of(texts: Iterable[str]) -> Iterator[Line]:
    """Of texts in memory, each a document; those without a word are left out, as are such lines."""
    for text in texts:
        yield from _one_document(line.strip() for line in text.split("\n") if line.strip())


def _one_document(lines: Iterable[str]) -> Iterator[Line]:
    previous = None
    for line in lines:
        if previous is not None:
            yield previous, False
        previous = line
    if previous is not None:
        yield previous, True


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    gathered: list[str] = []
    for line in lines:
        if line.strip():
            gathered.append(line.strip())
        elif gathered:
            yield " ".join(gathered)
            gathered = []
    if gathered:
        yield " ".join(gathered)


def _without(lines: Iterator[Line], left_out: frozenset[bytes]) -> Iterator[Line]:
    """An end is kept where the line that has it goes: it moves to the line before."""
    previous: Line | None = None
    for text, is_last in lines:
        if fingerprint(text) not in left_out:
            if previous is not None:
                yield previous
            previous = text, is_last
        elif is_last and previous is not None:
            previous = previous[0], True
    if previous is not None:
        yield previous


def fingerprint(text: str) -> bytes:
    """Of a text, the same whatever its case and spaces."""
    plain = " ".join(text.lower().split()).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(plain, digest_size=16).digest()


def fingerprints(texts: Iterable[str]) -> frozenset[bytes]:
    """For `leave_out`."""
    return frozenset(map(fingerprint, texts))


def hold_out(documents: Iterable[Line], share: float, seed: int) -> tuple["Part", "Part"]:
    """Documents drawn at random with this share of them held out; of a single document its last lines.

    Returns:
        the part to learn from and the part held out.
    Raises:
        DataError: there is too little text to hold a part of it out.
    """
    lines = ends = 0
    for _, is_last in documents:
        lines, ends = lines + 1, ends + is_last
    by_line = ends < 2
    count = lines if by_line else ends
    if count < 2:
        raise DataError(f"expected at least 2 documents, or 2 lines of one, to hold a part out, got {count}")
    size = min(count - 1, max(1, round(share * count)))
    held = frozenset(range(count - size, count) if by_line else random.Random(seed).sample(range(count), size))
    return Part(documents, held, by_line, False), Part(documents, held, by_line, True)


@dataclass(frozen=True)
class Part:
    """The documents whose number is `chosen` (or is not, without `inside`); their lines if `by_line`."""

    whole: Iterable[Line]
    chosen: frozenset[int]
    by_line: bool
    inside: bool

    def __iter__(self) -> Iterator[Line]:
        number = 0
        kept: Line | None = None
        for text, is_last in self.whole:
            if (number in self.chosen) == self.inside:
                if kept is not None:
                    yield kept
                kept = text, is_last
            number += self.by_line or is_last
        if kept is not None:
            yield kept[0], True


def encode(
    documents: Iterable[Line],
    tokenizer: TextTokenizer,
    path: Path,
    progress: Callable[[int], None] = lambda tokens: None,
) -> RaggedIds:
    """Token ids of documents, an end after each line, written to PATH.ids.npy and PATH.offsets.npy and mapped there.

    Raises:
        DataError: no document at all. RunFolderError: the files cannot be written.
    """
    assert tokenizer.end_id is not None
    end = np.array([tokenizer.end_id], np.int32)
    new, raw = path.with_name(path.name + ".new"), path.with_name(path.name + ".raw")
    ends: list[int] = []
    tokens = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with raw.open("wb") as file:
            lines = iter(documents)
            while block := list(islice(lines, _LINES)):
                rows = tokenizer.encode([text for text, _ in block])
                for number, (_, is_last) in enumerate(block):
                    file.write(np.concatenate([rows[number], end]).tobytes())
                    tokens += len(rows[number]) + 1
                    if is_last:
                        ends.append(tokens)
                progress(tokens)
        if not tokens:
            raise DataError("expected text, found no word in it")
        _write_array(new, np.memmap(raw, np.int32, "r", shape=(tokens,)))
        new.replace(ids_path(path))
        _write_array(new, np.array([0, *ends], np.int64))
        new.replace(offsets_path(path))
    except OSError as error:
        raise RunFolderError(f"{path.parent}: cannot be written ({error.strerror})") from None
    finally:
        for path_left in (new, raw):
            with suppress(OSError):  # an error on the way matters more
                path_left.unlink(missing_ok=True)
    return opened(path)


def _write_array(path: Path, array: NDArray[np.int32] | NDArray[np.int64]) -> None:
    with path.open("wb") as file:
        np.save(file, array)


def ids_path(path: Path) -> Path:
    """Where `encode` leaves the ids."""
    return path.with_name(path.name + ".ids.npy")


def offsets_path(path: Path) -> Path:
    """Where `encode` leaves the documents' offsets; written last."""
    return path.with_name(path.name + ".offsets.npy")


def opened(path: Path) -> RaggedIds:
    """What `encode` wrote, mapped."""
    return RaggedIds(np.load(ids_path(path), mmap_mode="r"), np.load(offsets_path(path)))
