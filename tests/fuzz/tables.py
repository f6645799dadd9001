"""Tables as Python's own writers write them: every cell comes back as it was written."""

import csv
import gzip
import io
import json
from pathlib import Path
from random import Random
from typing import Any

from elman.errors import DataError
from elman.text import read_labelled, read_texts

from .case import Case, stored

_ALPHABET = "ab \"',;\t\\\n\r|é房😀.\u2028\x0b\x85\u200b{[#-"
_LABELS = ["yes", "no", "nan", "None", "null", "1", "0", "0.5", "True", "é", "房", "a b", 'q"']
_DELIMITERS = {"csv": ",", "tsv": "\t"}


class Tables:
    """A case says what is written and how; the law is that the same is read."""

    name = "tables"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        kind = random.choice(["csv", "csv", "tsv", "jsonl", "parquet", "txt"])
        rows = [[_text(random, kind), random.choice(_LABELS)] for _ in range(random.randint(1, 8))]
        table = {
            "kind": kind,
            "gz": random.random() < 0.3,
            "line_end": random.choice(["\n", "\r\n"]),
            "quoting": random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
            "more": random.random() < 0.3,
            "rows": rows,
        }
        return Case("table.json", json.dumps(table, ensure_ascii=False).encode())

    def check(self, case: Case, folder: Path) -> None:
        table = json.loads(case.content)
        path = folder / f"table.{table['kind']}{'.gz' * table['gz']}"
        content = _written(table)
        path.write_bytes(gzip.compress(content) if table["gz"] else content)
        texts = [text for text, _ in table["rows"]]
        labels = [label for _, label in table["rows"]]
        assert list(read_texts(path, quoting="standard")) == texts
        if table["kind"] == "txt":
            return
        assert read_labelled(path, quoting="standard").labels == labels
        try:
            labelled = read_labelled(path)
        except DataError as error:  # cells that look like rows are a question
            assert "--quoting standard" in str(error)
        else:
            assert (labelled.texts, labelled.labels) == (texts, labels)


def _text(random: Random, kind: str) -> str:
    text = "".join(random.choice(_ALPHABET) for _ in range(random.randint(0, 12)))
    return text.replace("\n", " ").replace("\r", " ") if kind == "txt" else text


def _written(table: dict[str, Any]) -> bytes:
    kind = table["kind"]
    header = ["text", "label"] + ["stars"] * table["more"]
    rows = [[*row, "7"][: len(header)] for row in table["rows"]]
    if kind == "txt":
        return "".join(text + table["line_end"] for text, *_ in rows).encode()
    if kind == "jsonl":
        records = [dict(zip(header, row, strict=True)) for row in rows]
        return "".join(json.dumps(record) + table["line_end"] for record in records).encode()
    if kind == "parquet":
        return _parquet(header, rows)
    out = io.StringIO(newline="")
    # Python's writer leaves a carriage return without quotes where lines end in a line feed.
    quoting = csv.QUOTE_ALL if any("\r" in text for text, *_ in rows) else table["quoting"]
    writer = csv.writer(out, delimiter=_DELIMITERS[kind], lineterminator=table["line_end"], quoting=quoting)
    writer.writerows([header, *rows])
    return out.getvalue().encode()


def _parquet(header: list[str], rows: list[list[str]]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    columns = [list(column) for column in zip(*rows, strict=True)]
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(dict(zip(header, columns, strict=True))), out)
    return out.getvalue()
