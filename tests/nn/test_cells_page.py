"""docs/cells.md tells of every cell, start value and option, and where each cell really runs."""

import re
from pathlib import Path

import pytest
import torch

from elman import ops
from elman.errors import UsageError
from elman.nn import CELLS, INITS
from elman.nn._regularised import LayerOptions

PAGE = (Path(__file__).parents[2] / "docs" / "cells.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in PAGE.splitlines() if line[:1] == "|"]
RUNS_ON = {
    name: (kind, row[4])
    for row in ROWS
    if len(row) == 6
    for name, kind in zip(re.findall("`([^`]*)`", row[0]), re.findall("`([^`]*)`", row[1]), strict=True)
}


def test_the_table_has_every_cell_and_no_other():
    assert {name: kind for name, (kind, _) in RUNS_ON.items()} == {n: cls.__name__ for n, cls in CELLS.items()}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_runs_where_the_table_says(name, monkeypatch):
    plain = []
    original = ops.reference.time.run
    monkeypatch.setattr(ops.reference.time, "run", lambda *args: plain.append(args) or original(*args))
    layer = CELLS[name](4, 6, 2, bidirectional=True, zoneout=0.1)
    layer(torch.randn(5, 3, 4), lengths=[5, 2, 0])[0].sum().backward()
    assert ("reference" if plain else "kernel") == re.match(r"\w+", RUNS_ON[name][1]).group()


def test_every_start_value_and_option_is_told():
    first = {name for row in ROWS if row[0].startswith("`") for name in re.findall("`([^`]*)`", row[0])}
    assert set(INITS) | {"default"} <= first
    assert set(LayerOptions.__annotations__) - {"init", "memory", "forget_bias"} <= first


OPTIONS = {
    name: row[1] for row in ROWS for name in re.findall("`([^`]*)`", row[0]) if name in LayerOptions.__annotations__
}


@pytest.mark.parametrize("option", sorted(OPTIONS.keys() - {"forget_bias"}))
def test_an_option_is_refused_by_the_cells_that_the_page_says(option):
    refusing = set()
    for name, layer in CELLS.items():
        try:
            layer(4, 6, **{option: True if option == "learn_state" else 2 if option == "bptt_truncate" else 0.1})
        except UsageError:
            refusing.add(name)
    _, only, alone = OPTIONS[option].partition("only for")
    _, _, others = OPTIONS[option].partition("not for")
    told = set(re.findall("`([^`]*)`", alone or others))
    assert refusing == (set(CELLS) - told if only else told)
