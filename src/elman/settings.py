"""Settings as dataclasses: each field's meaning beside its default, presets, TOML files, and values of the right type.

From such a dataclass a command's flags, the keys of its TOML file, an estimator's parameters and the page of settings
are made.
"""

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, field, fields, replace
from numbers import Integral, Real
from pathlib import Path, PurePath
from typing import Any, TypeVar

from .errors import DataError, UsageError

Config = TypeVar("Config")


def setting(default: Any, about: str) -> Any:
    """A field of a dataclass of settings."""
    return field(default=default, metadata={"help": about})


def known(what: str, given: str, wanted: Iterable[str]) -> str:
    """The name itself, if it is one of those wanted. Raises UsageError."""
    if given not in wanted:
        raise UsageError(f"unknown {what} {given!r}: choose one of {', '.join(wanted)}")
    return given


def choose(name: str, given: str, wanted: tuple[str, ...]) -> None:
    """Raises UsageError unless the value is one of those wanted."""
    if given not in wanted:
        raise UsageError(f"{name} must be one of {', '.join(wanted)}, got {given!r}")


def within(
    name: str,
    given: Any,
    low: float,
    high: float = float("inf"),
    *,
    above: bool = False,
    below: bool = False,
) -> None:
    """Raises UsageError unless it is a number, low <= value <= high; `above` and `below` leave out the ends."""
    number: Any = given
    if not isinstance(number, Real):
        raise UsageError(f"{name} must be a number, got {given!r}")
    fits = (given > low if above else given >= low) and (given < high if below or high == math.inf else given <= high)
    if not fits:
        bounds = f"{'above' if above else 'at least'} {_digits(low)}"
        if high < math.inf:
            bounds += f" and {'below' if below else 'at most'} {_digits(high)}"
        elif given == high:
            bounds += " and finite"
        raise UsageError(f"{name} must be {bounds}, got {_digits(given)}")


def _digits(number: Any) -> str:
    """All of a whole number's."""
    return str(int(number)) if isinstance(number, Integral) else f"{number:g}"


def counted(name: str, given: Any, low: int) -> None:
    """Raises UsageError unless it is a whole number, at least as given."""
    if not isinstance(given, Integral):
        raise UsageError(f"{name} must be a whole number, got {given!r}")
    within(name, given, low)


def whole_numbers(name: str, text: str) -> list[int]:
    """Of a setting such as "128,64". Raises UsageError for anything but numbers from 1 on."""
    try:
        numbers = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        numbers = [0]
    if any(number < 1 for number in numbers):
        raise UsageError(f"{name} must be whole numbers from 1 on with commas between, got {text!r}")
    return numbers


def resolve(
    default: Config,
    presets: Mapping[str, Mapping[str, Any]],
    preset: str | None = None,
    file: str | Path | None = None,
    given: Mapping[str, Any] | None = None,
) -> Config:
    """The settings of a preset, changed by a TOML file and then by values that are not None.

    A TOML file may name its own `preset`; one given here wins over it. If neither does it is the first.

    Raises:
        UsageError: an unknown preset, key or value. DataError: no such file.
    """
    from_file = {} if file is None else read_toml(file)
    named = from_file.pop("preset", next(iter(presets)))
    preset = named if preset is None else preset
    kept = {name: value for name, value in (given or {}).items() if value is not None}
    merged = {**presets[known("preset", preset, presets)], **from_file, **kept}
    config = replace(default, **{name: _typed(default, name, value) for name, value in merged.items()})  # type: ignore[type-var]
    return chosen_are(config, {*from_file, *kept})


_CHOSEN = "_chosen"


def chosen_are(config: Config, names: Iterable[str]) -> Config:
    """The configuration, of which these settings alone were asked for, such as that of a run that goes on."""
    object.__setattr__(config, _CHOSEN, frozenset(names))
    return config


def check_brought(config: Any, usual: Any, brought: Mapping[str, Any], same: Mapping[str, Any] | None = None) -> None:
    """Raises UsageError if a setting was asked for that is not what a language model brings.

    Asked for is what a file or a caller gave to `resolve`; of a configuration made otherwise what is not as `usual`.

    Args:
        same: values that stand for those brought, such as "auto" for a tokenizer that was chosen by the text.
    """
    chosen: frozenset[str] | None = getattr(config, _CHOSEN, None)
    for name, value in brought.items():
        given = getattr(config, name)
        asked = given != getattr(usual, name) if chosen is None else name in chosen
        if asked and given not in (value, (same or {}).get(name, value)):
            raise UsageError(f"{name}: the language model has {value!r}, got {given!r}")


def _typed(default: Any, name: str, value: Any) -> Any:
    types = {f.name: type(f.default) for f in fields(default)}
    if name not in types:
        near = difflib.get_close_matches(name, types, 1)
        raise UsageError(f"unknown setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    wanted = types[name]
    if hasattr(value, "item"):  # a NumPy scalar, as a grid search hands out
        with suppress(ValueError, RuntimeError):  # more than one number
            value = value.item()
    if isinstance(value, PurePath):
        value = str(value)
    if wanted is str and isinstance(value, dict):  # a table of TOML; settings are plain values
        value = json.dumps(value, ensure_ascii=False, default=str)
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise UsageError(f"{name} must be of type {wanted.__name__}, got {value!r}")
    return value


def read_toml(path: str | Path) -> dict[str, Any]:
    """The keys of a TOML file. Raises DataError if it is missing, UsageError if it is not TOML."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a TOML file ({error})") from None


def to_toml(config: Any) -> str:
    """A TOML file that `resolve` turns back into this configuration."""
    lines = []
    for name, value in asdict(config).items():
        # JSON's strings and booleans are TOML's.
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else repr(value)
        lines.append(f"{name} = {text}\n")
    return "".join(lines)
