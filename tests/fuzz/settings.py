"""TOML files of settings: settings that are written and read again are the same, or a named error."""

import json
import math
from pathlib import Path
from random import Random
from typing import Any

from elman import classify, language
from elman.settings import to_toml

from .case import Case, refusals, stored
from .mutation import VALUES, mutated

_ROOMS = {"classifier.toml": classify, "language.toml": language}


class Settings:
    name = "settings"

    def corpus(self) -> list[Case]:
        whole = [Case(name, to_toml(room.resolve()).encode()) for name, room in _ROOMS.items()]
        return [*whole, *stored(self.name)]

    def draw(self, random: Random) -> Case:
        name, content = random.choice(self.corpus())
        if random.random() < 0.3:
            return Case(name, mutated(content, random))
        lines = content.decode("utf-8", "replace").splitlines()
        drawn = random.sample(lines, min(len(lines), random.randint(1, 4)))
        return Case(name, "\n".join(_revalued(line, random) for line in drawn).encode("utf-8", "replace"))

    def check(self, case: Case, folder: Path) -> None:
        room: Any = _ROOMS[case.name]
        path = folder / "settings.toml"
        path.write_bytes(case.content)
        with refusals():
            config = room.resolve(None, path)
            path.write_text(to_toml(config), encoding="utf-8")
            again = room.resolve(None, path)
            assert again == config, "written and read again the settings are others"


def _revalued(line: str, random: Random) -> str:
    key, equals, value = line.partition("=")
    if not equals or random.random() < 0.2:
        return line
    return f"{key}= {_toml(random.choice(VALUES)) if random.random() < 0.8 else value}"


def _toml(value: Any) -> str:
    if value is None:
        return '"null"'
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return "{}"
    return json.dumps(value)
