"""One run at a time in a folder, on systems with and without `flock`."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from elman.errors import RunFolderError
from elman.training import run_folder


class Bytes:
    """Windows' locks on bytes of files, which are a handle's own."""

    LK_NBLCK = 2

    def __init__(self):
        self.held = set()

    def locking(self, number, mode, count):
        assert (mode, count) == (self.LK_NBLCK, 1)
        place = os.fstat(number).st_ino
        if place in self.held:
            raise OSError(36, "Resource deadlock avoided")
        self.held.add(place)


@pytest.fixture
def windows(monkeypatch):
    locks = Bytes()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", locks)
    return locks


def test_a_second_run_is_refused_on_windows_too(windows, tmp_path):
    with run_folder.begun(tmp_path / "run", "first", resume=False):
        assert len(windows.held) == 1
        with (
            pytest.raises(RunFolderError, match="run: another run is writing there"),
            run_folder.begun(tmp_path / "run", "second", resume=True),
        ):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    windows.held.clear()
    with run_folder.begun(tmp_path / "run", "second", resume=False, overwrite=True):
        pass
    assert [path.name for path in (tmp_path / "run").iterdir()] == [run_folder.MARKER]


def test_the_file_of_a_run_that_was_killed_is_no_lock(windows, tmp_path):
    (tmp_path / "run.lock").write_text("")
    with run_folder.begun(tmp_path / "run", "first", resume=False):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_run_that_fails_leaves_no_file(windows, tmp_path):
    with pytest.raises(ZeroDivisionError), run_folder.begun(tmp_path / "run", "first", resume=False):
        1 / 0  # noqa: B018
    assert [*tmp_path.iterdir()] == []


def test_the_folder_at_hand(windows, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    with run_folder.begun(Path("."), "first", resume=False):
        assert (tmp_path / "run.lock").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_system_without_either_goes_without(monkeypatch, tmp_path):
    for name in ("fcntl", "msvcrt"):
        monkeypatch.setitem(sys.modules, name, None)
    with run_folder.begun(tmp_path / "run", "first", resume=False):
        pass
    assert (tmp_path / "run").exists()


def test_a_file_system_without_locks(monkeypatch, tmp_path):
    def flock(number, mode):
        raise OSError(95, "Operation not supported")

    monkeypatch.setitem(sys.modules, "fcntl", SimpleNamespace(flock=flock, LOCK_EX=2, LOCK_NB=4))
    with run_folder.begun(tmp_path / "run", "first", resume=False):
        pass
    assert (tmp_path / "run").exists()
