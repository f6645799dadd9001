"""One reader per file format: a stream of rows, each with the number of the line it starts on."""

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, repeat
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

from ..errors import ColumnError, DataError, EncodingError, LabelError, MissingExtraError, listing, shortened
from ._delimited import REMEDY, Doubts, Record, records
from ._open import check_expansion, decoded_lines, ended_anyhow, open_bytes

_BATCH = 1024  # rows of Parquet that are read at a time

_notes = logging.getLogger("elman.text")

TEXT_COLUMNS = (
    "text", "review", "sentence", "content", "comment", "message", "tweet", "body", "document", "question",
    "utterance", "description", "title", "文本", "内容", "评论", "句子",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "sentiment", "class", "category", "target", "topic", "intent", "tag", "rating", "stars",
    "polarity", "y", "标签", "类别", "情感",
)  # fmt: skip
_IDENTIFIERS = ("", "id", "idx", "index", "no", "nr", "number", "uuid", "key", "编号")
# Of pandas the index, which it writes under these names; and names such as review_id, Review ID and reviewId.
_IDENTIFIER = re.compile(r"unnamed: \d.*|__index_level_\d+__|level_\d+|.*[ _.-](id|idx|index)")
_CAMEL_IDENTIFIER = re.compile(r".*[a-z](Id|ID)")
_ANSWERS = ("no", "y")  # names of columns that are labels too
_MOST_WORDS_OF_A_NAME = 3
_SENTENCE = re.compile(r'[.!?,;:"。！？，]')


class Row(NamedTuple):
    """One row as read: `label` and `group` are None where the file gives none."""

    text: str
    label: Any
    line: int
    group: Any = None


class Columns(NamedTuple):
    """Which columns hold the text and the label.

    Attributes:
        text, label: () and None: those of training that the file has, or else to be guessed.
        group: of what rows have in common, if asked.
        trained_text, trained_label: those that were read in training.
        chosen: is told the names of the text columns and of the label column, once a file's are known.
        quoting: one of `QUOTING`.
    """

    text: tuple[str, ...] = ()
    label: str | None = None
    need_label: bool = True
    group: str | None = None
    trained_text: tuple[str, ...] = ()
    trained_label: str | None = None
    chosen: Callable[[tuple[str, ...], str | None], None] = lambda text, label: None
    quoting: str = "auto"


def choose_columns(found: list[str], wanted: Columns, name: str) -> tuple[tuple[str, ...], str | None]:
    """Names of the text columns and of the label column. Raises ColumnError with the columns found."""
    asked = [*wanted.text, *(column for column in (wanted.label, wanted.group) if column is not None)]
    absent = [column for column in asked if column not in found]
    if absent:
        raise ColumnError(f"{name}: no column {absent[0]!r}; the columns found are: {listing(found)}")
    text, label = _trained_columns(found, wanted)
    if not text or label is None:
        text, label = _guessed_columns(found, wanted, text, label)
    if not text:
        raise ColumnError(f"{name}: cannot tell which column is the text; say --text-column; found: {listing(found)}")
    if label is None and wanted.need_label:
        raise ColumnError(f"{name}: cannot tell which column is the label; say --label-column; found: {listing(found)}")
    if label in text:
        raise ColumnError(f"{name}: expected two columns, one of texts and one of labels, got {label!r} for both")
    for column in (*text, label, wanted.group):
        if column is not None and found.count(column) > 1:
            raise ColumnError(f"{name}: {found.count(column)} columns are named {column!r}; found: {listing(found)}")
    wanted.chosen(text, label)
    return text, label


def _trained_columns(found: list[str], wanted: Columns) -> tuple[tuple[str, ...], str | None]:
    """Those asked for, or else those of training that are there and not asked for as something else."""
    label = wanted.label
    if label is None and wanted.trained_label is not None:
        label = next(_named(wanted.trained_label, found, (*wanted.text, wanted.group)), None)
    taken = (label, wanted.group)
    text = wanted.text or tuple(column for name in wanted.trained_text for column in _named(name, found, taken))
    return text, label


def _named(name: str, found: list[str], taken: tuple[str | None, ...]) -> Iterator[str]:
    """The column of that name, or else the only one that differs from it in case and spaces alone."""
    alike = [column for column in found if column.lower().strip() == name.lower().strip()]
    columns = [name] if name in alike else alike
    if len(columns) == 1 and columns[0] not in taken:
        yield columns[0]


def _guessed_columns(
    found: list[str], wanted: Columns, text: tuple[str, ...], label: str | None
) -> tuple[tuple[str, ...], str | None]:
    """What is not known yet, by the usual names or because nothing else is left."""
    guessable = [column for column in found if column != wanted.group]
    lower = {column.lower().strip(): column for column in reversed(guessable)}
    if label is None:
        label = next((lower[c] for c in LABEL_COLUMNS if c in lower and lower[c] not in text), None)
    if not text:
        text = tuple(lower[c] for c in TEXT_COLUMNS if c in lower and lower[c] != label)[:1]
    rest = [c for c in guessable if c not in (*text, label) and not _is_identifier(c)]
    if not text and len(rest) == 1 and (label is not None or not wanted.need_label):
        return (rest[0],), label
    if label is None and len(rest) == 1 and text:
        label = rest[0]
    return text, label


def _is_identifier(column: str) -> bool:
    """Whether a column by its name numbers the rows, or says of which thing they are."""
    plain = column.lower().strip()
    return plain in _IDENTIFIERS or bool(_IDENTIFIER.fullmatch(plain) or _CAMEL_IDENTIFIER.fullmatch(column.strip()))


def _is_usual(column: str) -> bool:
    """Whether it is a name of an index or of a label."""
    return _is_identifier(column) or column.lower().strip() in LABEL_COLUMNS


def joined(values: Iterable[Any], name: str, line: int) -> str:
    """One text of the columns that it stands in, a line break between those that are not empty."""
    texts = (_as_text(value, name, line) for value in values)
    return "\n".join(filter(None, texts))


def _as_text(value: Any, name: str, line: int) -> str:
    if isinstance(value, str):
        return value
    if value is None or value != value:  # a missing value in any of its spellings
        return ""
    if isinstance(value, (int, float)):
        return str(value)
    raise DataError(f"{name}, line {line}: the text must be a string, got {type(value).__name__}")


def _whole(value: Any) -> Any:
    """Without halves of characters, which JSON can name and no file can hold."""
    return _HALF.sub("\ufffd", value) if isinstance(value, str) else value


_HEAD = 100  # records of JSON whose keys are the columns: not each has all

_HALF = re.compile("[\ud800-\udfff]")


def read_delimited(path: Path, columns: Columns, encoding: str, delimiter: str | None = None) -> Iterator[Row]:
    """CSV or TSV with a header line, which blank ones may precede; the delimiter of a .csv may be `,` `;` or a tab."""
    name = str(path)
    rows = spanning = 0
    with open_bytes(path) as file:
        table = _Table(ended_anyhow(decoded_lines(file, name, encoding)), columns, name, delimiter)
        for record in table:
            rows += 1
            spanning += len(record.raw) > 1
            yield table.row(record)
    if spanning:
        _notes.info("%s: %s rows, %s of them over several lines", name, f"{rows:,}", f"{spanning:,}")


class _Table:
    """The rows below a header: as wide as it, none of them the header once more."""

    def __init__(self, lines: Iterator[str], columns: Columns, name: str, delimiter: str | None) -> None:
        above, first = next(((n, line) for n, line in enumerate(lines) if line.strip()), (0, ""))
        self._name, self._above = name, above
        self._delimiter = delimiter or max(",;\t", key=first.count)
        self._records = records(chain([first], lines), self._delimiter, name, columns.quoting, above + 1)
        header = next(self._records, None)
        self._header = [] if header is None else header.fields
        self._header_line = above + 1
        text, label = choose_columns(self._header, columns, name)
        named = (*columns.text, *columns.trained_text, *TEXT_COLUMNS)
        self._is_header = any(column in named or column.lower().strip() in named for column in text)
        if not self._is_header:
            self._check_names(text[0], columns)
        self._text_at = [self._header.index(column) for column in text]
        self._label_at, self._group_at = (
            None if column is None else self._header.index(column) for column in (label, columns.group)
        )
        self._is_doubted = columns.quoting == "auto"

    def __iter__(self) -> Iterator[Record]:
        width = len(self._header)
        doubts = Doubts(self._name, self._delimiter, width, self._label_at)
        for record in self._records:
            if len(record.fields) != width:
                self._refuse_width(record)
            self._check_no_header(record)
            if self._is_doubted:
                doubts.check(record)
            yield record
        if self._is_doubted:
            doubts.check_end()

    def row(self, record: Record) -> Row:
        fields = record.fields
        label, group = (None if at is None else fields[at] for at in (self._label_at, self._group_at))
        text = joined((fields[at] for at in self._text_at), self._name, record.line)
        return Row(text, label, record.line, group)

    def _check_names(self, text: str, columns: Columns) -> None:
        """Raises ColumnError if what names the text's column may be a text, and the line no header."""
        asked = (columns.label, columns.group, columns.trained_label)
        others = (c for c in self._header if c in asked or (_is_usual(c) and c.lower().strip() not in _ANSWERS))
        is_name = len(text.split()) <= _MOST_WORDS_OF_A_NAME and not _SENTENCE.search(text)
        if not list(others) or not is_name:
            raise ColumnError(
                f"{self._name}, line {self._header_line}: expected names of columns, got {shortened(text)!r}; if it is "
                "a name, say --text-column; if it is a text, put a line of names above it, or name the file .txt (a "
                "text in each line)"
            )

    def _check_no_header(self, record: Record) -> None:
        """Raises DataError for a line of names among the rows, and where the first one may have been no such line."""
        if record.fields == self._header:
            raise DataError(
                f"{self._name}, line {record.line}: the header of line {self._header_line} once more, as where a table "
                "is appended to another; take that line out"
            )
        if self._is_header:
            return
        for name, value in zip(self._header, record.fields, strict=True):
            if name and name == value:
                raise ColumnError(
                    f"{self._name}, line {record.line}: {shortened(name)!r} as in line {self._header_line}, which was "
                    "taken for the names of the columns; put a line of names above it, or say --text-column if it is"
                )

    def _refuse_width(self, record: Record) -> NoReturn:
        wanted, got = len(self._header), len(record.fields)
        where = f"line {record.line}" if len(record.raw) == 1 else f"lines {record.line} to {record.end}"
        remedy = "" if len(record.raw) == 1 else f"; {REMEDY}"
        raise DataError(f"{self._name}, {where}: expected {wanted} columns, got {got}{remedy}")


def read_tab_separated(path: Path, columns: Columns, encoding: str) -> Iterator[Row]:
    return read_delimited(path, columns, encoding, "\t")


def read_json_lines(path: Path, columns: Columns, encoding: str) -> Iterator[Row]:
    """One JSON object per line; blank lines are passed over."""
    name = str(path)
    with open_bytes(path) as file:
        records = _json_objects(decoded_lines(file, name, encoding), name)
        first = list(islice(records, _HEAD))
        if not first:
            return
        names = dict.fromkeys(column for _, record in first for column in record)
        text, label = choose_columns(list(names), columns, name)
        for line, record in chain(first, records):
            if not any(column in record for column in text):
                raise ColumnError(f"{name}, line {line}: no column {text[0]!r}; found: {listing(record)}")
            given, group = (None if c is None else record.get(c) for c in (label, columns.group))
            yield Row(joined(map(record.get, text), name, line), given, line, group)


def _json_objects(lines: Iterator[str], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The object of each line that is not blank, with the line's number."""
    for line, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name}, line {line}: not a JSON object ({error})") from None
        if not isinstance(record, dict):
            raise DataError(f"{name}, line {line}: expected a JSON object, got {type(record).__name__}")
        if "\\u" in raw:
            record = {column: _whole(value) for column, value in record.items()}
        yield line, record


def read_parquet(path: Path, columns: Columns, encoding: str) -> Iterator[Row]:
    """Parquet, batch by batch; a row's `line` is its number."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "parquet") from None
    name = str(path)
    number = 0
    with open_bytes(path) as file:
        try:
            for row in _parquet_rows(file, columns, name):
                yield row
                number = row.line
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            raise EncodingError(
                f"{name}, line {number + 1}: byte 0x{byte:02x} is not valid utf-8, in which Parquet has its strings"
            ) from None
        except (pyarrow.ArrowException, OSError, MemoryError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise DataError(f"{name}: not a readable Parquet file ({shortened(reason, 200)})") from None


def _parquet_rows(file: IO[bytes], columns: Columns, name: str) -> Iterator[Row]:
    from pyarrow import PythonFile, parquet, types

    table = parquet.ParquetFile(PythonFile(file, "r"))
    schema = table.schema_arrow
    text, label = choose_columns(schema.names, columns, name)
    _check_flat(schema, text, label, columns.group, name)
    columns_read = (label, columns.group, *text)
    size = _check_sizes(table.metadata, columns_read, name)
    # A text that comes in many rows is then in memory once.
    strings = [c for c in text if types.is_string(schema.field(c).type) or types.is_large_string(schema.field(c).type)]
    table = parquet.ParquetFile(PythonFile(file, "r"), read_dictionary=strings)
    number = characters = 0
    for batch in table.iter_batches(_BATCH, columns=list({c for c in columns_read if c is not None})):
        for given, group, *texts in zip(*(_values(batch, column) for column in columns_read), strict=True):
            number += 1
            row = Row(joined(texts, name, number), given, number, group)
            characters += len(row.text)
            check_expansion(characters, size, name)
            yield row


def _values(batch: Any, column: str | None) -> Iterator[Any]:
    """Of a column, one by one; None for each row where there is no column."""
    if column is None:
        return repeat(None, batch.num_rows)
    return (value.as_py() for value in batch.column(column))


def _check_sizes(metadata: Any, columns: tuple[str | None, ...], name: str) -> int:
    """Bytes of some columns in the file. Raises DataError where they come to more than text can."""
    packed = unpacked = 0
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        for chunk in map(group.column, range(group.num_columns)):
            if chunk.path_in_schema in columns:
                packed += chunk.total_compressed_size
                unpacked += chunk.total_uncompressed_size
    check_expansion(unpacked, packed, name)
    return packed


def _check_flat(schema: Any, text: tuple[str, ...], label: str | None, group: str | None, name: str) -> None:
    """Raises DataError for a column of lists, structures or maps, of which one row may hold any number of values."""
    from pyarrow import types

    wanted = (
        *((column, "the text must be a string", DataError) for column in text),
        (label, "the label must be a string or a number", LabelError),
        (group, "a group must be a string or a number", ColumnError),
    )
    for column, sentence, error in wanted:
        if column is not None and types.is_nested(schema.field(column).type):
            kind = shortened(str(schema.field(column).type))
            raise error(f"{name}, column {shortened(column)}: {sentence}, got {kind}")


def read_lines(path: Path, columns: Columns, encoding: str) -> Iterator[Row]:
    """One text per line; an empty line is an empty text."""
    with open_bytes(path) as file:
        for line, raw in enumerate(ended_anyhow(decoded_lines(file, str(path), encoding)), 1):
            yield Row(raw.rstrip("\r\n"), None, line)


FORMATS: dict[str, Callable[[Path, Columns, str], Iterator[Row]]] = {
    ".csv": read_delimited,
    ".tsv": read_tab_separated,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".parquet": read_parquet,
    ".txt": read_lines,
}

TABLES = tuple(ending for ending in FORMATS if ending != ".txt")


def kind_of(path: Path) -> str:
    """The ending that says how a file is read, in lower case, a .gz behind it passed over; "" if there is none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
