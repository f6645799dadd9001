"""Raw text of any size: files to documents, documents to token ids in files that are mapped and not read."""

import hashlib
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, RunFolderError, UsageError
from ..settings import choose
from ._delimited import QUOTING
from ._folders import is_leftover
from ._formats import FORMATS, kind_of
from .ids import RaggedIds
from .left_out import NOTHING, LeftOut, Line, mark_of
from .provenance import (
    BUILT_IN,
    ENCODING,
    ColumnNames,
    Provenance,
    ReadOptions,
    Say,
    check_columns,
    column_names,
    is_table,
    warn,
)
from .read import is_folder, provenance_of, texts_of
from .tokenizer import TextTokenizer

DOCUMENTS = ("auto", "file", "line", "blank")
_LINES = 2048


@dataclass(frozen=True)
class Documents:
    """Lines of text with their documents' ends; can be read any number of times, and is never held in memory.

    A row of a table is a document of one line. Of .txt files, `documents` says what is one: the whole file ("file",
    which "auto" means too), each line ("line"), or what stands between blank lines, whose line breaks then are spaces
    ("blank"). Lines without a word are left out.

    Args:
        sources: files, folders (all files in them that can be read, but for hidden and empty ones) or built-in names;
            see `read_texts`.
        at_hand: further documents, of one line each.
        text_column: of tables; several are joined, None to guess.
        trained_on: what a model was trained on, read again where a file has it.
        say: is told where what is read differs from that.
        quoting: as of `read_texts`.
        leave_out: texts that are passed over wherever a document, a line, or in a .txt file what stands between blank
            lines is one of them or a line of one, such as those of a test set; case and spaces do not count.
    Raises:
        DataError, EncodingError, ColumnError: as `read_texts`, while reading; UsageError for an unknown `documents` or
            `quoting`.
    """

    sources: Sequence[str | Path]
    documents: str = "auto"
    text_column: ColumnNames = None
    encoding: str | None = None
    leave_out: LeftOut = NOTHING
    at_hand: Sequence[str] = ()
    trained_on: Provenance | None = None
    say: Say = warn
    quoting: str | None = None

    def __post_init__(self) -> None:
        choose("documents", self.documents, DOCUMENTS)
        choose("quoting", self.quoting or QUOTING[0], QUOTING)

    @property
    def provenance(self) -> Provenance:
        """Of the first table among the files, or else of the first file; opens it. Raises as reading does."""
        files = list(self._files())
        first = next(filter(is_table, files), files[0] if files else None)
        if first is None:
            return Provenance(encoding=self.encoding or ENCODING)
        return provenance_of(first, self._options.of_table(first))

    @property
    def _options(self) -> ReadOptions:
        columns = column_names(self.text_column)
        return ReadOptions(
            columns, encoding=self.encoding, quoting=self.quoting, trained_on=self.trained_on, say=self.say
        )

    def __iter__(self) -> Iterator[Line]:
        return self.leave_out.passed_over(self._lines())

    def check_columns(self, *others: "Documents") -> None:
        """Raises ColumnError if a text column is asked for and neither here nor in the others is a table."""
        sources = [source for documents in (self, *others) for source in documents.sources]
        check_columns(self._options.text_columns, sources, folders=True)

    def _lines(self) -> Iterator[Line]:
        yield from (_row(text) for text in self.at_hand if text.strip())
        for path in self._files():
            if not _is_plain(path):
                yield from (_row(text) for text in self._texts(path) if text.strip())
                continue
            lines = self.leave_out.passed_over(_paragraphs(self._texts(path)))
            if self.documents == "line":
                yield from (_row(line) for line, _ in lines)
            elif self.documents == "blank":
                yield from (_row(" ".join(paragraph)) for paragraph in _together(lines))
            else:
                yield from _one_document(line for line, _ in lines)

    def _texts(self, path: str | Path) -> Iterator[str]:
        return texts_of(path, self._options.of_table(path))

    def as_left_out(self) -> LeftOut:
        """These texts, to be left out of others: rows, lines, what stands between blank lines, and whole .txt files."""
        return LeftOut.of(self._pieces())

    def check_apart(self, out: Path) -> None:
        """Raises UsageError if `out` is one of the files that are read: it would be lost."""
        if out.exists() and any(Path(file).exists() and out.samefile(file) for file in self._files()):
            raise UsageError(f"{out}: expected another file to write to than those that are read, got one of them")

    def _pieces(self) -> Iterator[str]:
        yield from self.at_hand
        for path in self._files():
            if not _is_plain(path):
                yield from self._texts(path)
                continue
            lines = list(self._texts(path))
            yield from lines
            yield from map("\n".join, _together(_paragraphs(lines)))
            yield "\n".join(lines)

    def _files(self) -> Iterator[str | Path]:
        for source in self.sources:
            if str(source) in BUILT_IN or not is_folder(source):
                yield source
                continue
            found = [path for path in sorted(Path(source).rglob("*")) if _is_read(path.relative_to(source), path)]
            if not found:
                raise DataError(f"{source}: no file in it with text ends in {', '.join(FORMATS)} (or .gz of it)")
            yield from found


def _is_read(place: Path, path: Path) -> bool:
    """Of the files in a folder, not those that are hidden, empty or left there by a system."""
    return not is_leftover(place) and kind_of(path) in FORMATS and path.is_file() and path.stat().st_size > 0


def _is_plain(path: str | Path) -> bool:
    """Whether it is a .txt file, whose lines are not rows of a table."""
    return str(path) not in BUILT_IN and kind_of(Path(path)) == ".txt"


def _row(text: str) -> Line:
    return " ".join(text.split()), True


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


def _paragraphs(lines: Iterable[str]) -> Iterator[Line]:
    """Lines without the blank ones, which end what stands before them."""
    previous = None
    for line in map(str.strip, lines):
        if previous:
            yield previous, not line
        previous = line
    if previous:
        yield previous, True


def _together(lines: Iterable[Line]) -> Iterator[list[str]]:
    gathered: list[str] = []
    for line, is_last in lines:
        gathered.append(line)
        if is_last:
            yield gathered
            gathered = []


def hold_out(documents: Iterable[Line], share: float, seed: int) -> tuple["Part", "Part"]:
    """Documents drawn at random with about this share of the text held out, equal ones on the same side.

    A document with far more than this share is not drawn. If the others are less than the share, as in a single
    document, the last lines of the longest are held out; if it has but one line, the shortest document.

    Returns:
        the part to learn from and the part held out.
    Raises:
        DataError: there is too little text to hold a part of it out.
    """
    marks, sizes, lines = _measured(documents)
    _, first, which = np.unique(marks, return_index=True, return_inverse=True)
    like, distinct = first[which], np.sort(first)  # of each document the first that is equal, and those alone
    if len(distinct) < 2 and lines.max(initial=0) < 2:
        raise DataError(
            f"expected at least 2 different documents, or 2 lines of one, to hold a part out, got {len(distinct)}"
        )
    text, total = np.bincount(like, sizes), sizes.sum()  # with that of those equal to it
    # Where documents are few one of them is more than the share, and yet the better sample of the others.
    small = np.flatnonzero(text[like] <= max(1.5 * share, min(0.1, 2 / len(distinct))) * total)
    begin = 0
    if len(distinct) > 1 and sizes[small].sum() >= share * total:
        number = max(1, round(share * (total / sizes[small].sum()) * len(small)))
        drawn = small[random.Random(seed).sample(range(len(small)), min(number, len(small)))]
        held = np.array(list(dict.fromkeys(like[drawn].tolist())))
        enough = 1 + int(np.searchsorted(np.cumsum(np.bincount(like)[held]), number))
        held = held[: min(enough, len(distinct) - 1)]
    elif lines.max() > 1:
        longest = int(np.argmax(text * (lines[: len(text)] > 1)))
        held, count = np.array([longest]), int(lines[longest])
        begin = count - min(count - 1, max(1, round(share * (total / text[longest]) * count)))
    else:
        held = distinct[[np.argmin(text[distinct])]]
    chosen = frozenset(np.flatnonzero(np.isin(like, held)).tolist())
    return Part(documents, chosen, begin, False), Part(documents, chosen, begin, True)


def _measured(documents: Iterable[Line]) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
    """Of each document a mark that equal ones share, its characters and its lines."""
    marks, sizes, lines = array("Q"), array("q"), array("q")
    mark, size, count = hashlib.blake2b(digest_size=8), 0, 0
    for text, is_last in documents:
        mark.update(mark_of(text))
        size, count = size + len(text), count + 1
        if is_last:
            marks.append(int.from_bytes(mark.digest()))
            sizes.append(size)
            lines.append(count)
            mark, size, count = hashlib.blake2b(digest_size=8), 0, 0
    return np.array(marks, np.uint64), np.array(sizes, np.int64), np.array(lines, np.int64)


@dataclass(frozen=True)
class Part:
    """Of the documents whose number is `chosen` the lines from `begin` on (or all others, without `inside`)."""

    whole: Iterable[Line]
    chosen: frozenset[int]
    begin: int
    inside: bool

    def __iter__(self) -> Iterator[Line]:
        document = line = 0
        kept: Line | None = None
        for text, is_last in self.whole:
            if (document in self.chosen and line >= self.begin) == self.inside:
                if kept is not None:
                    yield kept
                kept = text, is_last
            elif kept is not None:
                kept = kept[0], True
            document, line = (document + 1, 0) if is_last else (document, line + 1)
        if kept is not None:
            yield kept


class Digest:
    """Of lines and where their documents end, taken while others read them."""

    def __init__(self) -> None:
        self._whole = hashlib.sha256()

    def watched(self, lines: Iterable[Line]) -> Iterator[Line]:
        for text, is_last in lines:
            self._whole.update(text.encode("utf-8", "surrogatepass") + (b"\0\n" if is_last else b"\n"))
            yield text, is_last

    def __str__(self) -> str:
        return self._whole.hexdigest()


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
    """What `encode` wrote, mapped. Raises RunFolderError if it is not whole."""
    try:
        ids, offsets = np.load(ids_path(path), mmap_mode="r"), np.load(offsets_path(path))
        if ids.dtype != np.int32 or offsets.dtype != np.int64 or offsets[-1] != len(ids):
            raise ValueError("the documents end elsewhere than the text")
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise RunFolderError(f"{path}: the encoded text cannot be read ({error})") from None
    return RaggedIds(ids, offsets)
