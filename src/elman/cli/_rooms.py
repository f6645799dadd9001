"""Which room a run belongs to."""

from pathlib import Path
from typing import Any

from .. import classify, language
from ..training import model_folder


def room_of(run: Path) -> Any:
    """`language` for a language model, else `classify`. Raises ModelFolderError if there is no model in the folder."""
    return language if model_folder.kind_of(run) == language.KIND else classify
