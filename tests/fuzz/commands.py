"""Command lines put together at random: an exit code that was meant, and no traceback."""

import contextlib
import io
import json
import os
from pathlib import Path
from random import Random

from typer.main import get_command

from elman.cli._app import app, run

from .case import LONGEST_MESSAGE, Case, stored

_COMMANDS = list(get_command(app).commands)
_FLAGS = [
    "--out", "--text-column", "--label-column", "--encoding", "--epochs", "--hidden-size", "--cell", "--preset",
    "--seed", "--config", "--overwrite", "--resume", "--json", "--help", "--validation", "--test", "--from",
    "--batch-size", "--prompt", "--no-bidirectional", "--learning-rate", "--max-length", "--validation-split",
    "--nothing", "--",
]  # fmt: skip
_VALUES = [
    "", " ", "-1", "0", "1", "2", "nan", "inf", "1e999", "9" * 30, "x", "é", "\udcff", "lstm", "utf-8", "latin-1",
    "a.csv", "a.txt", "none.csv", ".", "folder", "/dev/null", "text", "label", "a.toml", "\x00",
    "a" * 5000, "-",
]  # fmt: skip
_FILES = {
    "a.csv": "text,label\na good film,pos\nso bad,neg\nfine,pos\ndull,neg\n",
    "a.txt": "a good film\nso bad\n",
    "a.toml": "epochs = 1\n",
}


class Commands:
    name = "commands"

    def corpus(self) -> list[Case]:
        return stored(self.name)

    def draw(self, random: Random) -> Case:
        arguments = [random.choice(_COMMANDS)]
        for _ in range(random.randint(0, 5)):
            arguments.append(random.choice(_FLAGS if random.random() < 0.5 else _VALUES))
        return Case("arguments.json", json.dumps(arguments).encode())

    def check(self, case: Case, folder: Path) -> None:
        arguments = json.loads(case.content)
        for name, content in _FILES.items():
            (folder / name).write_text(content)
        (folder / "folder").mkdir()
        out, err = io.StringIO(), io.StringIO()
        with _inside(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(arguments)
        assert code in (0, 1, 2), f"exit code {code}"
        lines = err.getvalue().splitlines()
        assert "Traceback" not in err.getvalue()
        assert all("--debug shows where" not in line for line in lines), f"an error without a name: {lines[-1]}"
        if code and "Usage" not in out.getvalue():  # which is what a group without a command prints
            assert lines and lines[-1].startswith("elman: "), f"no word about exit code {code}: {lines[-3:]}"
            length = len(lines[-1].removeprefix("elman: "))
            assert length <= LONGEST_MESSAGE, f"an error of {length} characters"


@contextlib.contextmanager
def _inside(folder: Path):
    before = os.getcwd()
    os.chdir(folder)
    with open(os.devnull) as nothing, contextlib.ExitStack() as stack:
        stack.enter_context(_standard_input(nothing))
        try:
            yield
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _standard_input(file):
    import sys

    before, sys.stdin = sys.stdin, file
    try:
        yield
    finally:
        sys.stdin = before
