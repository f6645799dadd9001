"""Worker of elman.nn: `lengths=` on the padded tensor, or a PackedSequence."""

import torch
from server import Job, Request, serve
from torch_jobs import job

import elman
import elman.nn
import elman.ops


def prepare(request: Request) -> Job:
    form = "packed" if request.peer.endswith("packed") else "lengths" if request.case.ragged else "padded"
    return job(request, elman.nn, form)


def versions() -> dict[str, object]:
    return {"elman": elman.__version__, "torch": torch.__version__, "tier": elman.ops.kernels.tier()}


if __name__ == "__main__":
    serve(prepare, versions)
