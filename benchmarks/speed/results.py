"""The file of rows: one JSON object a line, one line per case and peer."""

import json
import os
from pathlib import Path
from typing import Any

DEFAULT = Path(__file__).parents[1] / "results" / "speed.jsonl"
Row = dict[str, Any]


def read(path: Path) -> list[Row]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def write(path: Path, rows: list[Row]) -> None:
    """Puts the rows in the place of those of the same case and peer; the file is whole at every moment."""
    merged = {(row["case"], row["peer"]): row for row in read(path)}
    merged |= {(row["case"], row["peer"]): row for row in rows}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(path.suffix + ".draft")
    draft.write_text("".join(json.dumps(row) + "\n" for row in merged.values()), encoding="utf-8")
    os.replace(draft, path)
