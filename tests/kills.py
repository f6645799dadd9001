"""A process that dies at its n-th change to the files of a folder, without dying: no handler changes anything after."""

import os
import sys
from contextlib import contextmanager

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate"}


class Killed(BaseException):
    pass


class _Killer:
    def __init__(self):
        self.folder, self.left, self.count = None, 0, 0
        sys.addaudithook(self)

    def __call__(self, event, arguments):
        if self.folder is None or not self._changes(event, arguments):
            return
        self.count += 1
        if self.count > self.left:
            raise Killed

    def _changes(self, event, arguments):
        if event == "open":
            _, _, flags = arguments
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return False
        elif event not in _CHANGES:
            return False
        place = arguments[1] if event == "os.rename" else arguments[0]
        return isinstance(place, (str, bytes, os.PathLike)) and self._is_inside(os.fspath(place))

    def _is_inside(self, place):
        place = os.fsdecode(place)
        return not os.path.isabs(place) or place.startswith(self.folder)  # shutil.rmtree has names within open folders


_KILLER = None  # a hook cannot be taken away, so there is one


@contextmanager
def killed_after(changes, folder):
    """Inside, one change more to the folder than these raises Killed, as does every later one; gives the counter."""
    global _KILLER
    if _KILLER is None:
        _KILLER = _Killer()
    _KILLER.folder, _KILLER.left, _KILLER.count = str(folder), changes, 0
    try:
        yield _KILLER
    finally:
        _KILLER.folder = None
