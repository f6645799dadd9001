"""Options that `train` and `compare` share: where data is read from, and one flag per field of `ClassifierConfig`."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..classify import ClassifierConfig
from . import _options as options

_READING = {
    "validation": (
        Annotated[Path | None, typer.Option(help="Labelled file to watch, instead of held-out training rows.")],
        None,
    ),
    "test": (Annotated[Path | None, typer.Option(help="Labelled file measured once, at the end.")], None),
    "text_column": (options.TextColumn, None),
    "label_column": (options.LabelColumn, None),
    "encoding": (options.Encoding, "utf-8"),
    "overwrite": (Annotated[bool, typer.Option("--overwrite", help="Replace an existing run.")], False),
}
_SETTINGS = {
    field.name: (
        Annotated[
            Optional[type(field.default)],  # noqa: UP045 (typer reads the class made at run time)
            typer.Option(help=field.metadata["help"], show_default=False, rich_help_panel="Settings"),
        ],
        None,
    )
    for field in fields(ClassifierConfig)
}


def with_training_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add the shared options to a command, which gets them as two dictionaries.

    `reading` holds the further arguments of `classify.train`; `settings` every setting, None where not given.
    """

    @wraps(function)
    def command(**arguments: Any) -> None:
        reading = {name: arguments.pop(name) for name in _READING}
        settings = {name: arguments.pop(name) for name in _SETTINGS}
        function(**arguments, reading=reading, settings=settings)

    own = [p for p in inspect.signature(function).parameters.values() if p.name not in ("reading", "settings")]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [p.replace(kind=keyword) for p in own] + [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for name, (annotation, default) in {**_READING, **_SETTINGS}.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
