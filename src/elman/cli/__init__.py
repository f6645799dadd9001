"""The command line: one file per command; each parses, calls the plain function of the same name, and prints.

Exit codes: 0 done, 1 an error in data or files, 2 a usage error, 130 and 143 interrupted. Errors are one line on
stderr; --debug shows the traceback.
"""

import os
import sys


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the command `elman`."""
    # Imported here, so that importing the room has no cost and no side effect.
    from ._app import run

    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; nothing to say at exit
        code = code or 1
    sys.exit(code)
