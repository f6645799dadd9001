"""Rows of CSV and TSV as they stand in a file: which quotes hold a field together, and over which lines.

A quote opens a field only as its first character and closes it only before a delimiter or the line's end, as RFC 4180
has it. `csv.reader` takes any quote behind the first for the closing one, and so merges rows of files whose quotes are
none: a cell `"Hello there, he said` swallows all rows up to the next quote. A field that spans lines is therefore read
only where nothing else can be meant; the rest is an error, which names `--quoting none`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, NoReturn

from ..errors import DataError

QUOTING = ("auto", "standard", "none")
REMEDY = "--quoting none reads quotes as they are"

_TO_CLOSING_QUOTE = re.compile(r'[^"]*+(?:""[^"]*+)*+')
_LONGEST_FIELD = 2**28
_REMEMBERED = 1000  # labels, and rows in doubt
_LONGEST_LABEL = 200


class Record(NamedTuple):
    """A row: its fields, the number of its first line, and its lines as they stand in the file."""

    fields: list[str]
    line: int
    raw: list[str]

    @property
    def end(self) -> int:
        """The number of its last line."""
        return self.line + len(self.raw) - 1


class _Field(NamedTuple):
    text: str
    line: str
    after: int  # where in the line the next delimiter is, or the line's end


def records(lines: Iterable[str], delimiter: str, name: str, quoting: str = "auto", first: int = 1) -> Iterator[Record]:
    """Rows of a table, of lines with their ends; blank lines are passed over.

    Args:
        quoting: "none" for rows that are each a line.
        first: the number of the first line.
    Raises:
        DataError: a quote that nothing closes, or that is closed in the middle of a field.
    """
    numbered = enumerate(lines, first)
    for number, line in numbered:
        content = line.rstrip("\r\n")
        if not content:
            continue
        if '"' not in content or quoting == "none":
            yield Record(content.split(delimiter), number, [line])
        else:
            yield _Quoted(numbered, delimiter, name, number, line).record()


class _Quoted:
    """Reads one row that has a quote in it."""

    def __init__(self, lines: Iterator[tuple[int, str]], delimiter: str, name: str, number: int, line: str) -> None:
        self._lines, self._delimiter, self._name = lines, delimiter, name
        self._number, self._raw = number, [line]

    def record(self) -> Record:
        fields: list[str] = []
        line, position = self._raw[0], 0
        while True:
            opens = line.startswith('"', position)
            text, line, after = self._quoted(line, position) if opens else self._plain(line, position)
            fields.append(text)
            if not line.startswith(self._delimiter, after):
                return Record(fields, self._number, self._raw)
            position = after + 1

    def _plain(self, line: str, start: int) -> _Field:
        after = line.find(self._delimiter, start)
        if after < 0:
            after = len(line.rstrip("\r\n"))
        return _Field(line[start:after], line, after)

    def _quoted(self, line: str, start: int) -> _Field:
        opening, spans = self._number + len(self._raw) - 1, False
        inside = _TO_CLOSING_QUOTE.match(line, start + 1)
        pieces, size = [], 0
        while inside is not None and inside.end() == len(line):
            pieces.append(inside[0])
            size += len(inside[0])
            line, spans = self._next_line(opening, size), True
            inside = _TO_CLOSING_QUOTE.match(line)
        assert inside is not None  # it matches the empty string too
        pieces.append(inside[0])
        after = inside.end() + 1
        if line.startswith(self._delimiter, after) or not line[after:].strip("\r\n"):
            return _Field("".join(pieces).replace('""', '"'), line, after)
        if spans or line[after - 2] == "\\" or self._delimiter in inside[0]:
            self._refuse(opening)
        return self._as_it_is(line, start, after)

    def _as_it_is(self, line: str, start: int, after: int) -> _Field:
        """A field whose quotes are characters like others, unless there is but space behind the closing one."""
        field = self._plain(line, start)
        if line[after : field.after].isspace():
            return field._replace(text=line[start + 1 : after - 1].replace('""', '"'))
        return field

    def _next_line(self, opening: int, size: int) -> str:
        line = next(self._lines, None)
        if line is None or size > _LONGEST_FIELD:
            end = "the end of the file" if line is None else f"{_LONGEST_FIELD >> 20} MB"
            raise DataError(f"{self._name}, line {opening}: a quote that opens there is not closed by {end}; {REMEDY}")
        self._raw.append(line[1])
        return line[1]

    def _refuse(self, opening: int) -> NoReturn:
        closing = self._number + len(self._raw) - 1
        place = "on the same line" if closing == opening else f"in line {closing}"
        raise DataError(
            f"{self._name}, line {opening}: a quote that opens there is closed {place} in the middle of a field; "
            f"expected the delimiter or the line's end behind it, and a quote inside as two; {REMEDY}"
        )


class Doubts:
    """Fields over several lines that may be rows, between a quote that opens one cell and one that closes another.

    That is in doubt where each line by itself has as many cells as the table has columns. With tabs, which seldom come
    with quotes and are rare in a text, the row is refused; with another delimiter if moreover what stands in each
    line's place for the label is a label elsewhere.
    """

    def __init__(self, name: str, delimiter: str, width: int, label_at: int | None) -> None:
        self._name, self._delimiter, self._width, self._label_at = name, delimiter, width, label_at
        self._labels: set[str] = set()
        self._open: dict[tuple[int, int], set[str]] = {}  # lines of a row: what would be their labels

    def check(self, record: Record) -> None:
        """Raises DataError if the row is several."""
        if self._label_at is not None:
            label = record.fields[self._label_at]
            if len(label) <= _LONGEST_LABEL and len(self._labels) < _REMEMBERED:
                self._labels.add(label)
        if len(record.raw) > 1 and self._width > 1:
            self._look_at(record)

    def check_end(self) -> None:
        """Raises DataError for a row that later labels show to be several."""
        for place, labels in self._open.items():
            if labels <= self._labels:
                self._refuse(*place)

    def _look_at(self, record: Record) -> None:
        rows = [line.rstrip("\r\n").split(self._delimiter) for line in record.raw]
        if any(len(row) != self._width for row in rows):
            return
        place = record.line, record.end
        if self._delimiter == "\t":
            self._refuse(*place)
        if self._label_at is None:
            return
        labels = {row[self._label_at].strip('"') for row in rows}
        if labels <= self._labels:
            self._refuse(*place)
        if len(self._open) < _REMEMBERED and max(map(len, labels)) <= _LONGEST_LABEL:
            self._open[place] = labels

    def _refuse(self, first: int, last: int) -> NoReturn:
        raise DataError(
            f"{self._name}, lines {first} to {last}: between a quote that opens and one that closes each line has the "
            f"table's {self._width} cells, so they may be rows; {REMEDY}, --quoting standard reads one row"
        )
