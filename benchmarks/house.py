"""Figures of the code itself: how dense it reads, what it costs to start, and the way of one text through it.

    python benchmarks/house.py              # all but the suite
    python benchmarks/house.py --suite      # and the CPU seconds of the tests

CPU seconds are user and system time of the process, medians of --rounds; the first run of each, which fills the disk's
cache, is not counted.
"""

import argparse
import ast
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "elman"
SHORTEST = 5  # lines of code from which on a function counts for density
MANY = 8  # parameters


def main(arguments: list[str]) -> None:
    options = _options(arguments)
    figures: dict[str, Any] = {**density(), **starting(options.rounds)}
    with tempfile.TemporaryDirectory() as folder:
        model = _small_model(Path(folder))
        figures |= {"predict of one text, CPU seconds": _predict_seconds(model, options.rounds)}
        figures |= way_of_a_text(model)
    if options.suite:
        figures["tests, CPU seconds"] = _suite_seconds()
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:{width}}  {value:,.2f}" if isinstance(value, float) else f"{name:{width}}  {value}")


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--suite", action="store_true", help="run the tests too, and count their CPU seconds")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


# --- how the code reads -----------------------------------------------------------------------------------------------


def density() -> dict[str, Any]:
    """Syntax nodes a line of code, over functions of some length, and how many parameters functions have."""
    densities: list[float] = []
    parameters: list[int] = []
    for path in sorted(SOURCE.rglob("*.py")):
        code = _lines_of_code(path)
        for function in _functions(path):
            lines = len(code & set(range(function.lineno, (function.end_lineno or 0) + 1)))
            parameters.append(_parameters(function))
            if lines >= SHORTEST:
                nodes = sum(1 for _ in ast.walk(function))
                densities.append(nodes / lines)
    many = sum(count >= MANY for count in parameters)
    return {
        f"functions of {SHORTEST} lines and more": len(densities),
        "syntax nodes a line of code, median": statistics.median(densities),
        "syntax nodes a line of code, 90 %": statistics.quantiles(densities, n=10)[-1],
        f"functions with {MANY} parameters and more, %": 100 * many / len(parameters),
        "most parameters": max(parameters),
        "files": len(list(SOURCE.rglob("*.py"))),
    }


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstrings(node)
            yield node


def _drop_docstrings(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    for node in ast.walk(function):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1 and _is_docstring(body[0]):
            del body[0]


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    own = [argument for argument in named if argument.arg not in ("self", "cls")]
    return len(own) + (arguments.vararg is not None) + (arguments.kwarg is not None)


def _lines_of_code(path: Path) -> set[int]:
    """Numbers of the lines that hold code: no blank ones, comments or docstrings."""
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    nothing = (
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
        tokenize.ENDMARKER,
    )  # fmt: skip
    lines: set[int] = set()
    for place, token in enumerate(tokens):
        if token.type in nothing:
            continue
        alone = token.type == tokenize.STRING and tokens[place - 1].type in nothing
        if alone and tokens[place + 1].type in (tokenize.NEWLINE, tokenize.COMMENT):
            continue
        lines |= set(range(token.start[0], token.end[0] + 1))
    return lines


# --- what it costs to start -------------------------------------------------------------------------------------------


def starting(rounds: int) -> dict[str, Any]:
    """CPU seconds and loaded modules of commands that compute nothing."""
    cases = {"--help": ["--help"], "--version": ["--version"], "a usage error": ["train", "--nothing"]}
    figures: dict[str, Any] = {}
    for name, arguments in cases.items():
        figures[f"elman {name}, CPU seconds"] = _cpu_seconds(["-m", "elman", *arguments], rounds)
        figures[f"elman {name}, modules"] = _modules(arguments)
    return figures


def _cpu_seconds(arguments: list[str], rounds: int) -> float:
    seconds = []
    for _ in range(rounds + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *arguments], capture_output=True, check=False, stdin=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(seconds[1:])


def _modules(arguments: list[str]) -> int:
    program = (
        "import sys\n"
        f"sys.argv = ['elman', *{arguments!r}]\n"
        "from elman.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        "sys.stdout.flush()\n"
        "print('modules', len(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


# --- the way of a text ------------------------------------------------------------------------------------------------


def _small_model(folder: Path) -> Path:
    """A classifier of the default kind, trained on next to nothing."""
    data, run = folder / "data.csv", folder / "run"
    rows = ["a good film,pos", "so bad,neg", "fine,pos", "dull,neg"] * 8
    data.write_text("text,label\n" + "\n".join(rows) + "\n")
    command = ["-m", "elman", "train", str(data), "--out", str(run), "--epochs", "1"]
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return run


def _predict_seconds(model: Path, rounds: int) -> float:
    text = model.parent / "one.txt"
    text.write_text("a very good film indeed\n")
    return _cpu_seconds(["-m", "elman", "predict", str(model), str(text)], rounds)


def way_of_a_text(model: Path) -> dict[str, Any]:
    """Python calls in our files, and how many files, from a text to its line of JSON; the model is loaded before."""
    sys.path.insert(0, str(ROOT / "src"))
    from elman import classify
    from elman.cli._show import json_line

    text = ["a very good film indeed"]
    classifier = classify.load(model)
    _line(classify, json_line, classifier, text)  # what is loaded at the first call
    calls: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(SOURCE) + os.sep):
            calls.append(frame.f_code.co_filename)

    sys.setprofile(note)
    try:
        _line(classify, json_line, classifier, text)
    finally:
        sys.setprofile(None)
    return {"calls from a text to its line of JSON": len(calls), "files on the way": len(set(calls))}


def _line(classify: Any, json_line: Any, classifier: Any, texts: list[str]) -> str:
    """What `elman predict` does with a model that is loaded."""
    (row,) = classify.predict(classifier, iter(texts))
    line: str = json_line(row)
    return line


def _suite_seconds() -> float:
    """Once, with what it prints shown: it takes long."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(sys.argv[1:])
