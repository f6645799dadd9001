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
    "training": {"ops"},
    "report": set(),
    "bench": {"nn", "diagnostics", "training", "report"},
    "language": {"nn", "text", "training", "report"},
    "classify": {"ops", "nn", "diagnostics", "text", "training", "report", "language"},
    "cli": {"text", "training", "language", "classify", "bench"},
}
# Imports from a file inside another room.
INSIDE = {("classify/estimator.py", "language.estimator")}  # loads scikit-learn
FILES = sorted(ROOT.rglob("*.py"))


def imported(path, root=ROOT):
    """Rooms that a file imports, or files in them such as "nn._base", by relative or absolute name."""
    package = path.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ("elman", *package)[: len(package) + 2 - node.level] if node.level else ()
            target = ".".join((*base, *filter(None, [node.module])))
            targets = [f"elman.{alias.name}" for alias in node.names] if target == "elman" else [target]
        else:
            continue
        names = [target.removeprefix("elman.") for target in targets if target.startswith("elman.")]
        yield from (name for name in names if name.split(".")[0] in ARROWS)


def imported_rooms(path, root=ROOT):
    return {name.split(".")[0] for name in imported(path, root)}


def test_every_room_is_on_the_list():
    assert {p.name for p in ROOT.iterdir() if (p / "__init__.py").exists()} == set(ARROWS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    parts = path.relative_to(ROOT).parts
    if len(parts) == 1:
        return  # the package's own files open the rooms to the outside
    allowed = ARROWS[parts[0]] | {parts[0]}
    assert imported_rooms(path) <= allowed


def test_every_arrow_is_used():
    used = {room: set() for room in ARROWS}
    for path in FILES:
        room = path.relative_to(ROOT).parts[0]
        if room in ARROWS:
            used[room] |= imported_rooms(path) - {room}
    assert used == ARROWS


def test_a_room_is_entered_by_its_door():
    """What other rooms may use stands in the room's `__init__`."""
    places = [path.relative_to(ROOT).parts for path in FILES]
    found = {
        ("/".join(place), name)
        for path, place in zip(FILES, places, strict=True)
        for name in imported(path)
        if len(place) > 1 and "." in name and name.split(".")[0] != place[0]
    }
    assert found == INSIDE


@pytest.mark.parametrize(
    "line", ["from ..nn import RNN", "from .. import nn", "import elman.nn", "from elman.nn._rnn import RNN"]
)
def test_the_check_sees_an_import(tmp_path, line):
    bad = tmp_path / "text" / "bad.py"
    bad.parent.mkdir()
    bad.write_text(line)
    assert imported_rooms(bad, tmp_path) == {"nn"}
    assert ("." in next(imported(bad, tmp_path))) == ("_rnn" in line)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_are_short_and_say_what_they_are(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 400
    assert path.name == "__main__.py" or ast.get_docstring(ast.parse(source))
