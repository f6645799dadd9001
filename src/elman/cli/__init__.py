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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _named(sys.stdout)
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


def _named(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Standard output whose errors name it, and that escapes what it cannot show, as standard error does."""
    raw = _StandardOutput(stream.fileno(), "wb", closefd=False)
    at_once = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(io.BufferedWriter(raw), stream.encoding, "backslashreplace", line_buffering=at_once)


class _StandardOutput(io.FileIO):
    def write(self, content: Any, /) -> int:
        try:
            return super().write(content)
        except OSError as error:
            error.filename = "standard output"
            raise
