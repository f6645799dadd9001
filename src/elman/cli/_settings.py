"""The settings of `ClassifierConfig` as command-line flags: one flag per field, made from the dataclass."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from typing import Annotated, Any, Optional

import typer

from ..classify import ClassifierConfig


def with_settings(function: Callable[..., None]) -> Callable[..., None]:
    """Add every setting as an option; they reach `function` as the keyword `settings`, None where not given."""
    names = [f.name for f in fields(ClassifierConfig)]

    @wraps(function)
    def command(**arguments: Any) -> None:
        settings = {name: arguments.pop(name) for name in names}
        function(**arguments, settings=settings)

    own = [p for p in inspect.signature(function).parameters.values() if p.name != "settings"]
    options = [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[
                Optional[type(f.default)],  # noqa: UP045 (typer reads the class made at run time)
                typer.Option(help=f.metadata["help"], show_default=False, rich_help_panel="Settings"),
            ],
        )
        for f in fields(ClassifierConfig)
    ]
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + options
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
