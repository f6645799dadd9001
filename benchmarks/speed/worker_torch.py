"""Worker of torch.nn: padded (no masks), packed, and the float64 reference of either."""

import torch
from server import Job, Request, serve
from torch_jobs import job


def prepare(request: Request) -> Job:
    form = "packed" if request.peer.endswith("packed") else "padded"
    double = request.peer.startswith("reference")
    return job(request, torch.nn, form, torch.float64 if double else torch.float32)


def versions() -> dict[str, object]:
    return {"torch": torch.__version__}


if __name__ == "__main__":
    serve(prepare, versions)
