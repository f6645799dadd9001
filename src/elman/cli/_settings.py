"""One flag per field of a dataclass of settings, and where labelled data is read from."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from ..classify import ClassifierConfig
from ..settings import setting_fields
from . import _options as options

_READING = {
    "validation": (
        Annotated[Path | None, typer.Option(help="Labelled file to watch, instead of held-out training rows.")],
        None,
    ),
    "test": (Annotated[Path | None, typer.Option(help="Labelled file measured once, at the end.")], None),
    "text_column": (options.TextColumn, None),
    "label_column": (options.LabelColumn, None),
    "group_column": (
        Annotated[
            str | None,
            typer.Option(help="Column of what rows have in common; those equal in it stay on one side of the split."),
        ],
        None,
    ),
    "encoding": (options.Encoding, None),
    "quoting": (options.Quoting, None),
    "skip_unlabelled": (options.SkipUnlabelled, False),
    "overwrite": (options.Overwrite, False),
}


def with_settings(config: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add a flag for every setting to a command, which gets them as the dictionary `settings`, None where not given."""
    flags = {
        field.name: (
            Annotated[
                Optional[type(field.default)],  # noqa: UP045 (typer reads the class made at run time)
                typer.Option(help=field.metadata["help"], show_default=False, rich_help_panel="Settings"),
            ],
            None,
        )
        for field in setting_fields(config)
    }
    return lambda function: _with(function, {"settings": flags})


def with_training_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add what `train` and `compare` share: the settings, and further arguments of `classify.train` as `reading`."""
    return with_settings(ClassifierConfig)(_with(function, {"reading": _READING}))


def _with(function: Callable[..., None], groups: dict[str, dict[str, tuple[Any, Any]]]) -> Callable[..., None]:
    """Options of a group reach the function as one dictionary under the group's name."""

    @wraps(function)
    def command(**arguments: Any) -> None:
        gathered = {group: {name: arguments.pop(name) for name in names} for group, names in groups.items()}
        function(**arguments, **gathered)

    own = [p for p in inspect.signature(function).parameters.values() if p.name not in groups]
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [p.replace(kind=keyword) for p in own] + [
        inspect.Parameter(name, keyword, default=default, annotation=annotation)
        for options_of in groups.values()
        for name, (annotation, default) in options_of.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    return command
