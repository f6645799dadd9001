"""Settings as dataclasses: each field's meaning beside its default, presets, TOML files, and values of the right type.

From such a dataclass a command's flags, the keys of its TOML file, an estimator's parameters and the page of settings
are made.
"""

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import Field, dataclass, field, fields, replace
from numbers import Integral, Real
from pathlib import Path, PurePath
from typing import Any, TypeVar

from .errors import DataError, UsageError

LARGEST = 2**31 - 1  # of whole numbers: beyond it counts and sizes overflow somewhere
WIDEST = 2**16  # a recurrent matrix of an LSTM with as many units has 64 GB
MOST_LAYERS = 256
_SHOWN = 100  # characters of a value in a message


@dataclass(frozen=True)
class ResolvedSettings:
    """What `resolve` knows of where settings come from; it is no setting, and goes along with copies.

    Attributes:
        defaults: the settings that nobody asked for, with the values they got; None of a configuration that was made
            otherwise.
    """

    defaults: Mapping[str, Any] | None = field(default=None, repr=False, compare=False, kw_only=True)


Config = TypeVar("Config", bound=ResolvedSettings)


def setting(default: Any, about: str) -> Any:
    """A field of a dataclass of settings."""
    return field(default=default, metadata={"help": about})


def setting_fields(config: Any) -> list[Field[Any]]:
    """The fields of a configuration, or of its class, that are settings."""
    return [each for each in fields(config) if "help" in each.metadata]


def to_dict(config: Any) -> dict[str, Any]:
    """Every setting by name."""
    return {each.name: getattr(config, each.name) for each in setting_fields(config)}


def shown(value: Any) -> str:
    """A value as messages have it, in one line of bounded length."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no longer ones
        return "a number of more than 4,300 digits"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def known(what: str, given: str, wanted: Iterable[str]) -> str:
    """The name itself, if it is one of those wanted. Raises UsageError."""
    if not isinstance(given, str) or given not in wanted:
        raise UsageError(f"unknown {what} {shown(given)}: choose one of {', '.join(wanted)}")
    return given


def choose(name: str, given: str, wanted: tuple[str, ...]) -> None:
    """Raises UsageError unless the value is one of those wanted."""
    if given not in wanted:
        raise UsageError(f"{name} must be one of {', '.join(wanted)}, got {shown(given)}")


def within(
    name: str,
    given: Any,
    low: float,
    high: float = float("inf"),
    *,
    above: bool = False,
    below: bool = False,
    most: int = LARGEST,
) -> None:
    """Raises UsageError unless it is a number, low <= value <= high; `above` and `below` leave out the ends.

    A whole number without a `high` is at most `most`, which is said only of a larger one.
    """
    number: Any = given
    if not isinstance(number, Real):
        raise UsageError(f"{name} must be a number, got {shown(given)}")
    if high == math.inf and isinstance(number, Integral):
        high = most if given > most else high
    fits = (given > low if above else given >= low) and (given < high if below or high == math.inf else given <= high)
    if not fits:
        bounds = f"{'above' if above else 'at least'} {_digits(low)}"
        if high < math.inf:
            bounds += f" and {'below' if below else 'at most'} {_digits(high)}"
        elif given == high:
            bounds += " and finite"
        raise UsageError(f"{name} must be {bounds}, got {_digits(given)}")


def _digits(number: Any) -> str:
    """All of a whole number's, as far as a message has room."""
    return shown(int(number)) if isinstance(number, Integral) else f"{number:g}"


def counted(name: str, given: Any, low: int, *, most: int = LARGEST) -> None:
    """Raises UsageError unless it is a whole number, low <= value <= most."""
    if not isinstance(given, Integral):
        raise UsageError(f"{name} must be a whole number, got {shown(given)}")
    within(name, given, low, most=most)


def whole_numbers(name: str, text: str, most: int = LARGEST) -> list[int]:
    """Of a setting such as "128,64". Raises UsageError for anything but at most 256 numbers from 1 to `most`."""
    try:
        numbers = [int(part) for part in text.split(",")] if text else []
    except ValueError:
        numbers = [0]
    if any(number < 1 for number in numbers):
        raise UsageError(f"{name} must be whole numbers from 1 on with commas between, got {shown(text)}")
    if len(numbers) > MOST_LAYERS or any(number > most for number in numbers):
        raise UsageError(f"{name} must be at most {MOST_LAYERS} numbers, each at most {most}, got {shown(text)}")
    return numbers


@contextmanager
def within_memory(what: str) -> Iterator[None]:
    """Raises UsageError if what is built inside has no place in the machine's memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # torch has no class for it
            raise
        raise UsageError(f"{what} does not fit into this machine's memory: lower its sizes") from None


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
    asked = {**from_file, **kept}
    merged = {**presets[known("preset", preset, presets)], **asked}
    config = replace(default, **{name: _typed(default, name, value) for name, value in merged.items()})
    return with_explicit(config, asked)


def with_explicit(config: Config, names: Iterable[str]) -> Config:
    """The configuration, of which these settings alone were asked for, such as that of a run that goes on."""
    explicit = set(names)
    others = {name: value for name, value in to_dict(config).items() if name not in explicit}
    return replace(config, defaults=others)


def is_explicit(config: ResolvedSettings, name: str, usual: ResolvedSettings) -> bool:
    """Whether a setting was asked for: by a file or a caller of `resolve`, or by a value that no preset has given it.

    Args:
        usual: stands for the preset of a configuration that was made otherwise.
    """
    defaults = to_dict(usual) if config.defaults is None else config.defaults
    return name not in defaults or getattr(config, name) != defaults[name]


def inherit(
    config: Config, usual: ResolvedSettings, inherited: Mapping[str, Any], real: Mapping[str, Any] | None = None
) -> Config:
    """The configuration with the settings that a language model brings, which nobody has asked for then.

    Args:
        real: what came of some of them, and may be asked for too, such as the kind of tokenizer that "auto" chose. Who
            asks for "auto" takes what comes.
    Raises:
        UsageError: another value was asked for.
    """
    implicit = {}
    for name, value in inherited.items():
        own = getattr(config, name)
        if not is_explicit(config, name, usual):
            implicit[name] = value
        elif own != "auto" and own not in (value, (real or {}).get(name, value)):
            raise UsageError(f"{name}: the language model has {(real or {}).get(name, value)!r}, got {shown(own)}")
    defaults = None if config.defaults is None else {**config.defaults, **implicit}
    return replace(config, **inherited, defaults=defaults)


def _typed(default: Any, name: str, value: Any) -> Any:
    types = {each.name: type(each.default) for each in setting_fields(default)}
    if name not in types:
        near = difflib.get_close_matches(name, types, 1)
        raise UsageError(f"unknown setting {shown(name)}" + (f"; did you mean {near[0]!r}?" if near else ""))
    wanted = types[name]
    if hasattr(value, "item"):  # a NumPy scalar, as a grid search hands out
        with suppress(ValueError, RuntimeError):  # more than one number
            value = value.item()
    if isinstance(value, PurePath):
        value = str(value)
    if wanted is str and isinstance(value, dict):  # a table of TOML; settings are plain values
        value = json.dumps(value, ensure_ascii=False, default=str)
    if wanted is float and type(value) is int:
        within(name, value, -LARGEST, LARGEST)
        value = float(value)
    if type(value) is not wanted:
        raise UsageError(f"{name} must be of type {wanted.__name__}, got {shown(value)}")
    if isinstance(value, str) and not _is_text(value):
        raise UsageError(f"{name} must be text that UTF-8 can write, got {shown(value)}")
    return value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # a file's name in another encoding
        return False
    return True


def read_toml(path: str | Path) -> dict[str, Any]:
    """The keys of a TOML file. Raises DataError if it is missing, UsageError if it is not TOML."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except RecursionError:
        raise UsageError(f"{path}: not a TOML file of settings (nested too deep)") from None
    except ValueError as error:  # also of bytes that are not UTF-8, and of numbers with thousands of digits
        raise UsageError(f"{path}: not a TOML file ({error})") from None


def to_toml(config: Any) -> str:
    """A TOML file that `resolve` turns back into this configuration."""
    lines = []
    for name, value in to_dict(config).items():
        # JSON's strings and booleans are TOML's.
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else repr(value)
        lines.append(f"{name} = {text}\n")
    return "".join(lines)
