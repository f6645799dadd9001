"""One HTML page that needs nothing else: the plots are inside it."""

import base64
import io
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, UndefinedError
from matplotlib.figure import Figure

from ..errors import RunFolderError


def write_page(path: Path, template: str, data: dict[str, Any], **values: Any) -> Path:
    """Write a template with what it shows of a run; returns the path. Raises KeyError for a value that is missing."""
    environment = Environment(loader=PackageLoader("elman.report"), autoescape=True, undefined=StrictUndefined)
    try:
        html = environment.get_template(template).render(data=data, **values)
    except UndefinedError as error:
        raise KeyError(error.message) from None
    write_file(path, html.encode("utf-8", "replace"))
    return path


def picture(name: str, figure: Figure, folder: Path) -> str:
    """Write a figure as NAME.png; returns it for use in a page."""
    content = png(figure, 130)
    write_file(folder / f"{name}.png", content)
    return in_base64(content)


def png(figure: Figure, dpi: int) -> bytes:
    """A figure as it is in a file."""
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a class name no installed font can show
        figure.savefig(content, format="png", dpi=dpi)
    return content.getvalue()


def in_base64(content: bytes) -> str:
    """As a page has it."""
    return base64.b64encode(content).decode()


def write_file(path: Path, content: bytes) -> None:
    """Beside, and then moved into its place: it is whole or it is the one before.

    Raises:
        RunFolderError: it cannot be written.
    """
    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(content)
        new.replace(path)
    except OSError as error:
        raise RunFolderError(f"{path}: cannot be written ({error.strerror})") from None
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)
