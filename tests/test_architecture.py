"""The arrows between the rooms, the size of files, and that every room says what it is for."""

import ast
from pathlib import Path

import pytest

import elman

ROOT = Path(elman.__file__).parent

# A room may import the rooms listed; `errors` and the version belong to no room.
ARROWS = {
    "ops": set(),
    "nn": {"ops"},
    "diagnostics": {"ops", "nn"},
    "text": set(),
    "training": set(),
    "report": set(),
    "bench": {"nn", "diagnostics", "training", "report"},
    "language": {"nn", "text", "training", "report"},
    "classify": {"ops", "nn", "diagnostics", "text", "training", "report", "language"},
    "cli": {"text", "training", "language", "classify", "bench"},
}
FILES = sorted(ROOT.rglob("*.py"))


def imported_rooms(path, root=ROOT):
    """Rooms that a file imports, by relative or absolute name."""
    package = path.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
                target = (*base, *(node.module or "").split("."))
            elif (node.module or "").split(".")[0] == "elman":
                target = tuple(node.module.split(".")[1:])
            else:
                continue
            names = [part for part in target if part] or [alias.name for alias in node.names]
            yield from (name for name in names[:1] if name in ARROWS)
            if not any(target):
                yield from (alias.name for alias in node.names if alias.name in ARROWS)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "elman" and len(parts) > 1 and parts[1] in ARROWS:
                    yield parts[1]


def test_every_room_is_on_the_list():
    assert {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()} == set(ARROWS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    parts = path.relative_to(ROOT).parts
    if len(parts) == 1:
        return  # the package's own files open the rooms to the outside
    allowed = ARROWS[parts[0]] | {parts[0]}
    assert set(imported_rooms(path)) <= allowed


def test_every_arrow_is_used():
    used = {room: set() for room in ARROWS}
    for path in FILES:
        room = path.relative_to(ROOT).parts[0]
        if room in ARROWS:
            used[room] |= set(imported_rooms(path)) - {room}
    assert used == ARROWS


@pytest.mark.parametrize(
    "line", ["from ..nn import RNN", "from .. import nn", "import elman.nn", "from elman.nn._rnn import RNN"]
)
def test_the_check_sees_an_import(tmp_path, line):
    bad = tmp_path / "text" / "bad.py"
    bad.parent.mkdir()
    bad.write_text(line)
    assert set(imported_rooms(bad, tmp_path)) == {"nn"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    assert path.name == "__main__.py" or ast.get_docstring(ast.parse(source))
