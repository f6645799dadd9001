"""The tasks by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ._task import Task
from .adding import Adding
from .copying import Copy
from .digits import Digits
from .memorization import Memorization
from .music import Music
from .temporal_order import TemporalOrder

# Each takes the folder of data files, which only the music needs.
TASKS: dict[str, Callable[[Path | None], Task]] = {
    "temporal-order": lambda data: TemporalOrder(),
    "adding": lambda data: Adding(),
    "copy": lambda data: Copy(),
    "memorization": lambda data: Memorization(),
    "digits": lambda data: Digits(permuted=False),
    "permuted-digits": lambda data: Digits(permuted=True),
    "jsb": partial(Music, "JSB_Chorales"),
    "nottingham": partial(Music, "Nottingham"),
    "musedata": partial(Music, "MuseData"),
    "piano-midi": partial(Music, "Piano_midi"),
}
