"""One reader per file format: a stream of rows, each with the number of the line it starts on."""

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ColumnError, DataError, MissingExtraError
from ._open import decoded_lines, ended_anyhow, open_bytes

TEXT_COLUMNS = (
    "text", "review", "sentence", "content", "comment", "message", "tweet", "body", "document", "question",
    "utterance", "description", "title", "文本", "内容", "评论", "句子",
)  # fmt: skip
LABEL_COLUMNS = (
    "label", "labels", "sentiment", "class", "category", "target", "topic", "intent", "tag", "rating", "stars",
    "polarity", "y", "标签", "类别", "情感",
)  # fmt: skip
_IDENTIFIERS = ("", "id", "idx", "index", "no", "nr", "number", "uuid", "key", "编号")


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
    """

    text: tuple[str, ...] = ()
    label: str | None = None
    need_label: bool = True
    group: str | None = None
    trained_text: tuple[str, ...] = ()
    trained_label: str | None = None
    chosen: Callable[[tuple[str, ...], str | None], None] = lambda text, label: None


def choose_columns(found: list[str], wanted: Columns, name: str) -> tuple[tuple[str, ...], str | None]:
    """Names of the text columns and of the label column. Raises ColumnError with the columns found."""
    listing = ", ".join(found) or "none"
    asked = [*wanted.text, *(column for column in (wanted.label, wanted.group) if column is not None)]
    absent = [column for column in asked if column not in found]
    if absent:
        raise ColumnError(f"{name}: no column {absent[0]!r}; the columns found are: {listing}")
    text, label = _trained_columns(found, wanted)
    if not text or label is None:
        text, label = _guessed_columns(found, wanted, text, label)
    if not text:
        raise ColumnError(f"{name}: cannot tell which column is the text; say --text-column; found: {listing}")
    if label is None and wanted.need_label:
        raise ColumnError(f"{name}: cannot tell which column is the label; say --label-column; found: {listing}")
    if label in text:
        raise ColumnError(f"{name}: expected two columns, one of texts and one of labels, got {label!r} for both")
    for column in (*text, label, wanted.group):
        if column is not None and found.count(column) > 1:
            raise ColumnError(f"{name}: {found.count(column)} columns are named {column!r}; found: {listing}")
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
    rest = [c for c in guessable if c not in (*text, label) and c.lower().strip() not in _IDENTIFIERS]
    if not text and len(rest) == 1 and (label is not None or not wanted.need_label):
        return (rest[0],), label
    if label is None and len(rest) == 1 and text:
        label = rest[0]
    return text, label


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
    csv.field_size_limit(2**31 - 1)
    with open_bytes(path) as file:
        lines = ended_anyhow(decoded_lines(file, name, encoding))
        above, header = next(((n, line) for n, line in enumerate(lines) if line.strip()), (0, ""))
        delimiter = delimiter or max(",;\t", key=header.count)
        found = next(csv.reader([header], delimiter=delimiter), [])
        text, label = choose_columns(found, columns, name)
        raw: list[str] = []  # of the row that is read
        reader = csv.reader(_noted(lines, raw), delimiter=delimiter)
        text_at = [found.index(column) for column in text]
        label_at, group_at = (None if c is None else found.index(c) for c in (label, columns.group))
        start = last = above + 2
        of_last: list[str] = []
        try:
            for values in reader:
                last, of_last = start, raw.copy()
                raw.clear()
                if values and len(values) != len(found):
                    raise DataError(f"{name}, line {start}: expected {len(found)} columns, got {len(values)}")
                if values:
                    given, group = (None if at is None else values[at] for at in (label_at, group_at))
                    yield Row(joined((values[at] for at in text_at), name, start), given, start, group)
                start = above + reader.line_num + 2
        except csv.Error as error:
            raise DataError(f"{name}, line {start}: {error}") from None
        if len(of_last) > 1 and "".join(of_last).count('"') % 2:
            raise DataError(f"{name}, line {last}: a quote that opens there is not closed by the end of the file")


def _noted(lines: Iterator[str], raw: list[str]) -> Iterator[str]:
    for line in lines:
        raw.append(line)
        yield line


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
                raise ColumnError(f"{name}, line {line}: no column {text[0]!r}; found: {', '.join(record) or 'none'}")
            given, group = (record.get(column) if column else None for column in (label, columns.group))
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
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("reading Parquet", "parquet") from None
    name = str(path)
    with open_bytes(path) as file:
        try:
            table = parquet.ParquetFile(pyarrow.PythonFile(file, "r"))
            text, label = choose_columns(table.schema_arrow.names, columns, name)
            number = 0
            columns_read = (label, columns.group, *text)
            for batch in table.iter_batches(1024, columns=list({c for c in columns_read if c is not None})):
                nothing = [None] * batch.num_rows
                read = (nothing if c is None else batch.column(c).to_pylist() for c in columns_read)
                for given, group, *texts in zip(*read, strict=True):
                    number += 1
                    yield Row(joined(texts, name, number), given, number, group)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{name}: not a readable Parquet file ({str(error).splitlines()[0]})") from None


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
