"""The commands together, and how their errors end."""

import signal
import sys
from typing import Annotated

import typer
from typer.main import get_command

from .. import __version__
from ..errors import ElmanError
from ..training import Interrupted
from ._show import err, reading_notes
from .bench import bench
from .compare import compare
from .diagnose import diagnose
from .evaluate import evaluate
from .fill import fill
from .generate import generate
from .perplexity import perplexity
from .predict import predict
from .pretrain import pretrain
from .report import report
from .summary import summary
from .train import train

_LONGEST, _LEFT_OUT = 1000, " … "  # characters of a message, and what stands for those beyond

app = typer.Typer(
    name="elman",
    help="Recurrent networks on text: train, measure, use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (
    train, evaluate, predict, summary, report, compare, diagnose, pretrain, perplexity, generate, fill
):  # fmt: skip
    app.command()(command)
app.add_typer(bench)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"elman {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Recurrent networks on text: train, measure, use."""


def run(arguments: list[str]) -> int:
    """Run a command line; returns the exit code."""
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        with reading_notes():
            code = _code(get_command(app).main(arguments, prog_name="elman", standalone_mode=False))
        sys.stdout.flush()
        return code
    except Interrupted as stop:
        name = signal.Signals(stop.signal).name
        if stop.in_training:
            _say(f"stopped by {name}; the checkpoint is written, go on with the same command and --resume")
        else:
            _say(f"stopped by {name} while the text was read")
        return 128 + stop.signal
    except (KeyboardInterrupt, typer.Abort) as stop:
        cause = stop.__cause__ or stop.__context__
        if isinstance(cause, EOFError):  # which typer takes for the end of a dialogue
            if debug:
                raise cause from None
            return _failed(cause)
        _say("stopped")
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if debug:
            raise
        return _failed(error)


def _failed(error: Exception) -> int:
    """Say what went wrong; returns the exit code."""
    if isinstance(error, ElmanError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, OSError) and error.filename is not None:
        _say(f"{error.filename}: {error.strerror}")
        return 1
    if hasattr(error, "format_message"):  # click's usage errors, whichever click typer brings
        if error.format_message():  # empty where the help was shown instead
            _say(f"{error.format_message()} (see elman --help)")
        return 2
    if isinstance(error, MemoryError):
        _say("not enough memory (--debug shows where)")
        return 1
    _say(f"{type(error).__name__}: {error} (--debug shows where)")
    return 1


def _code(result: object) -> int:
    return result if isinstance(result, int) else 0


def _say(message: str) -> None:
    """In one line, of which a long one's middle is left out."""
    line = " ".join(message.encode("utf-8", "backslashreplace").decode().split())
    if len(line) > _LONGEST:
        half = (_LONGEST - len(_LEFT_OUT)) // 2
        line = line[:half] + _LEFT_OUT + line[-half:]
    err.print(f"elman: {line}")
