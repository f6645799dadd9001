"""A run that is killed at any of its changes to the folder: a model answers, and the run can be brought to its end."""

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from elman.errors import RunFolderError
from elman.training import model_folder, run_folder, tensor_file, write_tensors
from kills import Killed, killed_after

NUMBERS = {"old": 1.0, "middle": 2.0, "new": 3.0}


def job(folder, name, *, resume=False, overwrite=False, stop=False):
    """A run that learns a number, with a language model first."""
    with run_folder.begun(folder, name, resume=resume, overwrite=overwrite):
        inner = folder / "language-model"
        if not run_folder.is_finished(inner):
            goes_on = (inner / run_folder.CHECKPOINT).exists()
            with run_folder.begun(inner, name, resume=goes_on, overwrite=True):
                (inner / run_folder.WORK).mkdir(exist_ok=True)
                (inner / run_folder.WORK / "text").write_text(name)
                finish(inner, name)
        write_tensors(folder / run_folder.CHECKPOINT, {"number": torch.tensor(NUMBERS[name])}, {})
        if stop:
            raise Killed
        finish(folder, name)


def finish(folder, name):
    write_tensors(folder / run_folder.CHECKPOINT, {"number": torch.tensor(NUMBERS[name])}, {})
    save(folder, name)
    run_folder.write_results(folder, {"name": name}, [], {})


def save(folder, name):
    model_folder.write(folder, "number", {"number": torch.tensor(NUMBERS[name])}, f"words of {name}", {"name": name})


def answer(folder):
    """The name of the model there, all of whose files are of one; None without a model."""
    place = model_folder.located(folder)
    if not model_folder.path_of(place, model_folder.CONFIG).exists():
        return None
    description = model_folder.read(place, "number")
    name = description["name"]
    assert model_folder.tensors(place, description)["number"] == NUMBERS[name]
    assert model_folder.path_of(place, model_folder.TOKENIZER).read_text() == f"words of {name}"
    return name


def names(folder):
    return {path.relative_to(folder) for path in folder.rglob("*")}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def begin(folder, before):
    """What is there before the run that is killed."""
    if before == "nothing":
        return
    job(folder, "old")
    (folder / "notes.txt").write_text("mine")
    if before == "a run that was stopped in the place of another":
        with pytest.raises(Killed):
            job(folder, "middle", overwrite=True, stop=True)


BEFORE = ("nothing", "a run", "a run that was stopped in the place of another")


@pytest.mark.parametrize("before", BEFORE)
def test_it_is_brought_to_its_end(tmp_path, before):
    begin(tmp_path / "whole", before)
    job(tmp_path / "whole", "new", overwrite=True)
    whole = contents(tmp_path / "whole")
    assert not any(".new" in name or ".before" in name or "work" in name or "checkpoint" in name for name in whole)
    changes = 0
    while True:
        folder = tmp_path / f"run-{changes}"
        begin(folder, before)
        untouched = names(folder)
        with suppress(Killed), killed_after(changes, folder) as counter:
            job(folder, "new", overwrite=True)
        assert answer(folder) in (("old", "new") if before != "nothing" else (None, "new"))
        if counter.count <= changes:
            break
        changes += 1
        if before != "nothing" and names(folder) == untouched:
            continue
        with suppress(RunFolderError):  # it is finished
            job(folder, "new", resume=True)
        assert answer(folder) == "new"
        assert contents(folder) == whole
    assert changes > 30


@pytest.mark.parametrize("before", BEFORE[1:])
def test_one_that_fails_after_it_loses_nothing(tmp_path, before):
    """Not even one killed before had anything of its own."""
    changes = 0
    while True:
        folder = tmp_path / f"run-{changes}"
        begin(folder, before)
        kept = contents(folder)
        with suppress(Killed), killed_after(changes, folder) as counter:
            job(folder, "new", overwrite=True)
        if counter.count <= changes:
            break
        answered = answer(folder)
        has_begun = "new" in str(run_folder.settings_of(folder) and run_folder.settings_of(folder).read_text())
        with pytest.raises(ZeroDivisionError), run_folder.begun(folder, "third", resume=False, overwrite=True):
            1 / 0  # noqa: B018
        assert answer(folder) == answered
        if not has_begun:
            assert contents(folder) == kept
        changes += 1
    assert changes > 30


@pytest.mark.parametrize("before", BEFORE[1:])
def test_a_kill_while_all_is_put_back(tmp_path, before):
    changes = 0
    while True:
        folder = tmp_path / f"run-{changes}"
        begin(folder, before)
        kept = contents(folder)

        class Failed(Exception):
            pass

        with suppress(Killed, Failed), run_folder.begun(folder, "new", resume=False, overwrite=True):
            with killed_after(10**9, folder):
                pass
            hook = killed_after(changes, folder)
            counter = hook.__enter__()
            raise Failed
        hook.__exit__(None, None, None)
        assert answer(folder) == "old"
        if counter.count <= changes:
            break
        with pytest.raises(Failed), run_folder.begun(folder, "third", resume=False, overwrite=True):
            raise Failed
        assert contents(folder) == kept
        changes += 1
    assert changes > 5


def test_a_model_that_is_saved_over_another(tmp_path):
    changes = 0
    while True:
        folder = tmp_path / f"model-{changes}"
        save(folder, "old")
        with suppress(Killed), killed_after(changes, folder) as counter:
            save(folder, "new")
        assert answer(folder) in ("old", "new")
        save(folder, "middle")
        assert answer(folder) == "middle"
        assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
        if counter.count <= changes:
            break
        changes += 1
    assert changes >= 7


@pytest.mark.parametrize("when", ["before its first checkpoint", "after it"])
def test_a_process_that_is_really_killed(tmp_path, when):
    begin(tmp_path, "a run")
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from pathlib import Path
from training.test_kills import *
folder = Path({str(tmp_path)!r})
with run_folder.begun(folder, "new", resume=False, overwrite=True):
    if {when == "after it"}:
        write_tensors(folder / run_folder.CHECKPOINT, {{"number": torch.tensor(3.0)}}, {{}})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    assert answer(tmp_path) == "old"
    job(tmp_path, "new", resume=True)
    assert answer(tmp_path) == "new" and not (tmp_path / ".before").exists()


def test_the_tensors_of_a_file_are_read_back(tmp_path):
    write_tensors(tmp_path / "a", {"number": torch.tensor(1.0)}, {})
    assert tensor_file.read(tmp_path / "a")[0]["number"] == 1
