"""A lock on a folder that the system takes from a process that dies."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import RunFolderError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process has the folder. On a file system without locks, any may.

    Raises:
        RunFolderError: another has it.
    """
    lock = _file_beside if _is_windows() else _folder_itself
    with lock(folder):
        yield


def _is_windows() -> bool:
    try:
        import fcntl  # noqa: F401 (there is none on Windows)
    except ImportError:
        return True
    return False


def _taken(folder: Path) -> RunFolderError:
    return RunFolderError(f"{folder}: another run is writing there")


@contextmanager
def _folder_itself(folder: Path) -> Iterator[None]:
    import fcntl

    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise _taken(folder) from None
    except OSError:
        pass  # a file system without locks
    try:
        yield
    finally:
        os.close(number)


@contextmanager
def _file_beside(folder: Path) -> Iterator[None]:
    """Windows locks bytes of files; the file stays behind a process that dies, its lock does not."""
    try:
        import msvcrt
    except ImportError:  # neither POSIX nor Windows
        yield
        return
    lock: Callable[[int, int, int], None] = getattr(msvcrt, "locking")  # noqa: B009 (typed on Windows alone)
    at_once: int = getattr(msvcrt, "LK_NBLCK")  # noqa: B009
    whole = folder.resolve()
    path = whole.with_name(f"{whole.name}.lock")
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        lock(number, at_once, 1)
    except OSError:
        os.close(number)
        raise _taken(folder) from None
    try:
        yield
    finally:
        os.close(number)
        with suppress(OSError):  # another process waits for it
            path.unlink(missing_ok=True)
