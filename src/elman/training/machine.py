"""What the bits of a trained model depend on beside settings, data and seed: threads, processor, versions."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

import torch

from .. import __version__
from ..ops import kernels


@dataclass(frozen=True)
class Machine:
    """
    Attributes:
        threads: of torch, and so of the kernels; MKL's long sums are cut by their number.
        tier: instruction set of the kernels.
        torch, elman: versions.
        capability: instruction set of torch's own operators.
        processor: its name, by which MKL chooses its code.
    """

    threads: int
    tier: str
    torch: str
    elman: str
    capability: str
    processor: str

    @classmethod
    def here(cls) -> Self:
        """The machine as it is now, for the calling thread."""
        capability = torch.backends.cpu.get_cpu_capability()
        return cls(torch.get_num_threads(), kernels.tier(), torch.__version__, __version__, capability, _processor())

    def described(self) -> dict[str, Any]:
        """For a JSON file."""
        return asdict(self)

    @classmethod
    def read(cls, description: Any) -> Self | None:
        """What `described` wrote; None for what another version left."""
        try:
            return cls(**description)
        except TypeError:
            return None


@contextmanager
def continued(begun: Machine | None) -> Iterator[list[str]]:
    """Inside, torch's threads and the kernels' tier are those with which a run was begun, as far as they can be had.

    Both hold for all threads of the process. Gives a sentence for what had to be set, and one for what differs.

    Args:
        begun: None for a checkpoint that does not say.
    """
    here = Machine.here()
    if begun is None:
        yield [f"the checkpoint does not say with how many threads the run was begun; it goes on with {here.threads}"]
        return
    tier = begun.tier if begun.tier in kernels.supported_tiers() else here.tier
    if begun.threads != here.threads:
        torch.set_num_threads(begun.threads)
    try:
        with kernels.use_tier(tier) if tier != here.tier else nullcontext():
            yield _differences(begun, here, tier)
    finally:
        if begun.threads != here.threads:
            torch.set_num_threads(here.threads)


def _differences(begun: Machine, here: Machine, tier: str) -> list[str]:
    sentences = []
    if begun.threads != here.threads:
        sentences.append(
            f"training goes on with torch's number of threads with which it was begun, {begun.threads} instead of "
            f"{here.threads}, so that the model becomes the same"
        )
    if tier != here.tier:
        sentences.append(f"training goes on in the kernels' tier in which it was begun, {tier} instead of {here.tier}")
    others = {
        "kernels' tier": (begun.tier, tier),
        "torch": (begun.torch, here.torch),
        "elman": (begun.elman, here.elman),
        "torch's instruction set": (begun.capability, here.capability),
        "processor": (begun.processor, here.processor),
    }
    differ = [f"{name} {old}, now {new}" for name, (old, new) in others.items() if old != new]
    if differ:
        sentences.append(
            f"warning: the run was begun with {'; '.join(differ)}: the model may differ in its last digits from that "
            "of a run that was not stopped"
        )
    return sentences


@cache
def _processor() -> str:
    """The name that Linux gives; elsewhere Python's."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
