"""Writes docs/settings.md and docs/cli.md from the code, the tables of docs/performance.md and memory.md from results.

A test compares them. `make docs` runs it.
"""

import contextlib
import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

os.environ.update(COLUMNS="110", TERM="dumb", NO_COLOR="1")

from elman import classify, language
from elman.bench import summary
from elman.cli._app import app, run
from elman.report import memory_tables
from elman.settings import LARGEST, MOST_LAYERS, WIDEST, setting_fields

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
COMMANDS = (*(command.callback.__name__ for command in app.registered_commands), "bench memory")


def settings() -> str:
    """Tables of every setting with its value in each preset."""
    classifier = _table({preset: classify.resolve(preset) for preset in classify.PRESETS})
    model = _table({preset: language.resolve(preset) for preset in language.PRESETS})
    return f"""# Settings

Every setting is a flag (`--hidden-size 128`), a key of a TOML file given by `--config` (`hidden_size = 128`) and a
parameter in Python (`hidden_size=128`). Whole numbers are at most {LARGEST:,}, widths of layers {WIDEST:,}, layers
{MOST_LAYERS}, and a vocabulary has at most 10,000,000 entries. Written by `docs/generate.py` from
`src/elman/classify/config.py` and `src/elman/language/config.py`.

## Of a classifier: `elman train`, `elman.TextClassifier`

{classifier}
## Of a language model: `elman pretrain`, `elman.LanguageModel`

{model}"""


def _table(configs: dict[str, Any]) -> str:
    """A row for each setting, a column for each preset."""
    lines = [f"| setting | meaning | {' | '.join(configs)} |", f"| --- | --- |{' --- |' * len(configs)}"]
    for field in setting_fields(next(iter(configs.values()))):
        values = " | ".join(str(getattr(config, field.name)) for config in configs.values())
        lines.append(f"| `{field.name}` | {field.metadata['help']} | {values} |")
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """The help of every command."""
    parts = ["# The command line\n\nWritten by `docs/generate.py` from the commands' own help.\n"]
    for command in ("", *COMMANDS):
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            run([*command.split(), "--help"])
        lines = (line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text.getvalue()).strip("\n").splitlines())
        parts.append(f"## elman {command}".rstrip() + "\n\n```text\n" + "\n".join(lines).strip() + "\n```\n")
    return "\n".join(parts)


def performance() -> str:
    """The page as it stands down to the mark, and behind it the tables of speed.jsonl and family.jsonl."""
    sys.path.insert(0, str(HERE.parent / "benchmarks" / "speed"))
    sys.path.insert(0, str(HERE.parent / "benchmarks"))
    import family
    import tables

    return _above("performance.md") + tables.markdown() + "\n" + family.markdown()


def _above(page: str) -> str:
    """A page down to the mark below which it is generated."""
    mark = "<!-- what follows is written by docs/generate.py -->\n"
    text = (HERE / page).read_text(encoding="utf-8")
    return text[: text.index(mark)] + mark + "\n"


def memory() -> str:
    """The page as it stands down to the mark, and behind it the tables of benchmarks/results/memory.jsonl."""
    rows = [json.loads(line) for line in (RESULTS / "memory.jsonl").read_text(encoding="utf-8").splitlines()]
    return _above("memory.md") + memory_tables(summary(rows))


PAGES = {"settings.md": settings, "cli.md": command_line, "performance.md": performance, "memory.md": memory}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (HERE / name).write_text(write(), encoding="utf-8")
