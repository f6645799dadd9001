"""The command line: one file per command; each parses, calls the plain function of the same name, and prints.

Exit codes: 0 done, 1 an error in data or files, 2 a usage error, 130 and 143 interrupted. Errors are one line on
stderr; --debug shows the traceback.
"""

import io
import os
import signal
import sys
from types import FrameType
from typing import Any


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command `elman`."""
    _stand_in_for_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _wrapped(sys.stdout, _StandardOutput)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _wrapped(sys.stderr, _StandardError)
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, _stop)
    # Imported here, so that importing the room has no cost and no side effect.
    from ._app import run

    if is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `run` has said it; nothing to say at exit
        code = code or 1
    sys.exit(code)


def _stop(number: int, frame: FrameType | None) -> None:
    """Ends at once while modules are imported: some catch an interrupt, or fail by it otherwise; nothing is begun."""
    os.write(2, b"elman: stopped\n")
    os._exit(130)


def _stand_in_for_closed_streams() -> None:
    """Where a standard stream is closed, one that refuses: else the next file that is opened would have its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # what is opened gets the lowest number that is free
            os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_WRONLY)
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, "rb", closefd=False)), "utf-8")
    if sys.stdout is None:
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(io.FileIO(1, "wb", closefd=False)), "utf-8")
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.BufferedWriter(io.FileIO(2, "wb", closefd=False)), "utf-8", write_through=True)


def _wrapped(stream: io.TextIOWrapper, raw: type[io.FileIO]) -> io.TextIOWrapper:
    """The stream with writes of another kind; it escapes what it cannot show, as standard error does."""
    at_once = stream.line_buffering or stream.write_through
    buffer = io.BufferedWriter(raw(stream.fileno(), "wb", closefd=False))
    return io.TextIOWrapper(buffer, stream.encoding, "backslashreplace", line_buffering=at_once)


class _StandardError(io.FileIO):
    """One that nobody reads, or a full disk, stops no training."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError:
            return len(content)


class _StandardOutput(io.FileIO):
    """Its errors name it."""

    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            error.filename = "standard output"
            raise
