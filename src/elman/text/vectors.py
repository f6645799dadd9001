"""Pretrained word vectors: files of GloVe, word2vec and fastText as a stream, of which only wanted words are kept.

What a file is, is told by its content; compression by its name, which then ends in .gz.

    GloVe text       a row per word: the word and its numbers, with single spaces between
    word2vec text    the same behind a header, a line of two integers: how many words, and numbers a word; so is .vec
    word2vec binary  that header; then per word the word, a space and its numbers as little-endian float32
"""

import codecs
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, shortened
from ._open import DAMAGED, bytes_read, open_bytes, raw_lines

GLOVE, TEXT, BINARY = "GloVe text", "word2vec text", "word2vec binary"

_WIDEST = 2**16
_LONGEST_WORD = 2**16
_LONGEST_ROW = 2**21
_LONGEST_COUNT = 15
_SAMPLE = 2**16
_CHUNK = 2**18
_REPORT_BYTES, _REPORT_ROWS = 2**28, 2**14
_FASTTEXT_MODEL = struct.pack("<i", 793712314)  # the first bytes of a fastText .bin, which is no list of vectors
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
_MARK, _END = b"\xef\xbb\xbf", b" \r\n"


class VectorFormat(NamedTuple):
    """What the start of a file says: its kind, the numbers a word, and how many words; None without a header."""

    kind: str
    dim: int
    words: int | None

    @property
    def unit(self) -> str:
        """What errors count by."""
        return "word" if self.kind == BINARY else "line"


@dataclass(frozen=True)
class WordVectors:
    """
    Attributes:
        kind: "GloVe text", "word2vec text" (fastText's .vec too) or "word2vec binary".
        places: [F] int64, rising: which of the wanted words have a vector.
        vectors: [F, E] float32.
        rows: words in the file.
    """

    kind: str
    places: NDArray[np.int64]
    vectors: NDArray[np.float32]
    rows: int


class _Row(NamedTuple):
    """A word and its numbers as they stand in the file; `number` counts lines, or words of a binary file."""

    word: bytes
    numbers: bytes
    number: int


def vector_format(path: str | Path) -> VectorFormat:
    """What kind of file this is, by its first 64 kB. Raises DataError if they hold no word vectors."""
    with _opened(path) as file:
        return _format(file, str(path))


def read_vectors(
    path: str | Path, words: Sequence[str], progress: Callable[[int, int], None] = lambda done, total: None
) -> WordVectors:
    """The vectors of these words; those of other words are not held in memory.

    A word gets the vector of the row that spells it the same; without one that of the row with the same in lower case,
    and without that of a row that is the same in lower case. Of several such rows the first counts. A row's word may
    have spaces in it, as it is cut from the right; one that is not UTF-8 belongs to nobody.

    The width of every row is checked, the numbers of those that are kept.

    Args:
        words: distinct.
        progress: is told after every 256 MB how many bytes of the file are read, and of how many.
    Raises:
        DataError: no such file; a row of another width; what is not a number, or not finite; more or fewer words than
            the header says; a file that breaks off. With file and line, or the number of the word in a binary file.
    """
    name, due = str(path), _REPORT_BYTES
    spelled = [word.encode("utf-8", "surrogatepass") for word in words]
    places_of: dict[bytes, list[int]] = {}
    for place, word in enumerate(spelled):
        places_of.setdefault(_lower(word) or word, []).append(place)
    rank = np.zeros(len(words), np.int8)  # 1: the same in lower case, 2: its lower case, 3: as it is spelled
    rows = 0
    with _opened(path) as file:
        form = _format(file, name)
        vectors = np.zeros((len(words), form.dim), np.float32)
        for row in (_binary_rows if form.kind == BINARY else _text_rows)(file, form, name):
            rows += 1
            if form.words is not None and rows > form.words:
                raise DataError(
                    f"{name}, {form.unit} {row.number}: the header says {form.words} words, here is another"
                )
            lower = _lower(row.word)
            for place in places_of.get(lower, ()):
                nearness = 3 if row.word == spelled[place] else 2 if row.word == lower else 1
                if rank[place] < nearness:
                    vectors[place], rank[place] = _numbers(row, form, name), nearness
            if rows % _REPORT_ROWS == 0 and (done := bytes_read(file)) >= due:
                progress(done, Path(path).stat().st_size)
                due = done + _REPORT_BYTES
    if form.words is not None and rows < form.words:
        raise DataError(f"{name}: the header says {form.words} words, the file has {rows}; is it cut off?")
    if not rows:
        raise DataError(f"{name}: no words")
    places = np.flatnonzero(rank)
    return WordVectors(form.kind, places, vectors[places], rows)


@contextmanager
def _opened(path: str | Path) -> Iterator[IO[bytes]]:
    with open_bytes(Path(path)) as file:
        try:
            yield file
        except DAMAGED as error:
            raise DataError(f"{path}: cannot be read to its end ({error})") from None


def _format(file: IO[bytes], name: str) -> VectorFormat:
    first = file.readline(_LONGEST_ROW).removeprefix(_MARK)
    sample = file.read(_SAMPLE)
    file.seek(0)
    if not first:
        raise DataError(f"{name}: the file is empty")
    if first.startswith(_FASTTEXT_MODEL):
        raise DataError(f"{name}: this is a fastText model; wanted its word vectors, the file that ends in .vec")
    header = first.split()
    if len(header) == 2 and all(field.isdigit() for field in header):
        count, dim = (_count(field, name) for field in header)
        if not 0 < dim <= _WIDEST:
            raise DataError(f"{name}, line 1: expected 1 to {_WIDEST} numbers a word, the header says {dim}")
        return VectorFormat(BINARY if _is_binary(sample, dim) else TEXT, dim, count)
    fields = first.rstrip(_END).split(b" ")
    dim = 0
    while dim < len(fields) - 1 and _is_number(fields[-dim - 1]):
        dim += 1
    if not 0 < dim <= _WIDEST:
        start = first[:40].decode("utf-8", "backslashreplace").strip()
        raise DataError(f"{name}, line 1: expected a word and its numbers, or a header of two integers; got {start!r}")
    return VectorFormat(GLOVE, dim, None)


def _count(field: bytes, name: str) -> int:
    """Of a header, of which Python reads no number of any length."""
    if len(field) > _LONGEST_COUNT:
        raise DataError(
            f"{name}, line 1: expected how many words there are and how many numbers a word, got a number of "
            f"{len(field):,} digits"
        )
    return int(field)


def _is_binary(sample: bytes, dim: int) -> bool:
    """Whether what follows a header is neither a row of text nor text at all."""
    fields = sample.partition(b"\n")[0].rstrip(_END).split(b" ")
    if len(fields) > dim and all(map(_is_number, fields[-dim:])):
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return True
    return _CONTROL.search(sample) is not None


def _text_rows(file: IO[bytes], form: VectorFormat, name: str) -> Iterator[_Row]:
    for number, raw in enumerate(raw_lines(file, name, _LONGEST_ROW), 1):
        if number == 1:
            if form.words is not None:
                continue
            raw = raw.removeprefix(_MARK)
        raw = raw.rstrip(_END)
        if not raw:
            continue
        word, _, numbers = raw.partition(b" ")
        if not numbers or numbers.count(b" ") != form.dim - 1:
            fields = raw.split(b" ")
            inside = fields[1 : -form.dim]  # of a word with spaces; a number there is one too many, not part of it
            if len(fields) <= form.dim or any(map(_is_number, inside)):
                raise DataError(
                    f"{name}, line {number}: expected a word and {form.dim} numbers, got {len(fields)} columns"
                )
            word, numbers = b" ".join(fields[: -form.dim]), b" ".join(fields[-form.dim :])
        yield _Row(word, numbers, number)


def _binary_rows(file: IO[bytes], form: VectorFormat, name: str) -> Iterator[_Row]:
    file.readline()
    width, number = 4 * form.dim, 1
    buffer, start = b"", 0
    while True:
        space = buffer.find(b" ", start)
        if 0 <= space < len(buffer) - width:
            # Some writers end a word's numbers with a newline, others do not.
            yield _Row(buffer[start:space].lstrip(b"\n"), buffer[space + 1 : space + 1 + width], number)
            start, number = space + 1 + width, number + 1
            continue
        chunk = file.read(_CHUNK)
        if space < 0 and len(buffer) - start > _LONGEST_WORD:
            raise DataError(f"{name}, word {number}: longer than {_LONGEST_WORD} bytes; is the header's width right?")
        buffer, start = buffer[start:] + chunk, 0
        if not chunk:
            break
    if buffer.strip(b"\n"):
        raise DataError(f"{name}, word {number}: the file breaks off before its {form.dim} numbers are complete")


def _numbers(row: _Row, form: VectorFormat, name: str) -> NDArray[np.float32]:
    where = f"{name}, {form.unit} {row.number}"
    if form.kind == BINARY:
        values = np.frombuffer(row.numbers, "<f4")
    else:
        fields = row.numbers.split(b" ")
        wrong = next((field for field in fields if not _is_number(field)), None)
        if wrong is not None:
            raise DataError(f"{where}: expected a number, got {shortened(wrong.decode('utf-8', 'backslashreplace'))!r}")
        with np.errstate(over="ignore"):
            values = np.array([float(field) for field in fields]).astype(np.float32)
    if not np.isfinite(values).all():
        word = shortened(row.word.decode("utf-8", "replace"))
        raise DataError(f"{where}: expected finite numbers, got another in the vector of {word!r}")
    return values


def _is_number(field: bytes) -> bool:
    if b"_" in field:  # which Python reads over
        return False
    try:
        float(field)
    except ValueError:
        return False
    return True


def _lower(word: bytes) -> bytes:
    try:
        return word.lower() if word.isascii() else word.decode().lower().encode()
    except UnicodeDecodeError:
        return b""
