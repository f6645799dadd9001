"""What a figure was measured with."""

import platform
import subprocess
from pathlib import Path

import torch

import elman


def describe() -> dict[str, object]:
    """Processor, threads, versions and commit."""
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=Path(__file__).parent
    ).stdout.strip()
    return {
        "cpu": cpu,
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "elman": elman.__version__,
        "commit": commit,
    }
