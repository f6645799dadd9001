"""All targets by name."""

from .case import Target
from .commands import Commands
from .layers import Layers
from .models import Checkpoints, Folders
from .readers import Readers, Vectors
from .settings import Settings
from .tables import Tables
from .tokenizers import Tokenizers

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Readers(), Tables(), Vectors(), Settings(), Tokenizers(), Folders(), Checkpoints(), Layers(), Commands(),
    )
}  # fmt: skip
