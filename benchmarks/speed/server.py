"""The worker's side of the pipe: one request a line, one answer a line, both JSON.

    {"do": "versions"}                              -> {"versions": {...}}
    {"do": "prepare", "case": {...}, "arrays": PATH, ...}  -> {"notes": {...}}, after one call whose results are in PATH
    {"do": "time", "calls": n}                      -> {"seconds": of one call}

A request that fails is answered {"error": ..}. Between requests the worker is blocked in a read.
"""

import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from cases import Case


@dataclass
class Job:
    """A prepared case: `call` is what is timed, `arrays` calls once and returns the results by name."""

    call: Callable[[], object]
    arrays: Callable[[], dict[str, np.ndarray]]
    notes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """What a worker is asked to prepare.

    Attributes:
        peer: the name it goes by; a worker's program may serve several.
        batches: of the tutorial job in one call.
        perturb: whether one weight is to be changed, so that the check must fail.
    """

    case: Case
    peer: str
    threads: int
    batches: int
    perturb: bool


def serve(prepare: Callable[[Request], Job], versions: Callable[[], dict[str, object]]) -> None:
    """Answers the coordinator until it closes the pipe; answers go to the file descriptor argv[1]."""
    answers = os.fdopen(int(sys.argv[1]), "w")
    job: Job | None = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            match request.pop("do"):
                case "versions":
                    answer: dict[str, object] = {"versions": versions()}
                case "prepare":
                    path = request.pop("arrays")
                    job = None  # the last case's memory is free before the next takes its own
                    job = prepare(Request(**request | {"case": Case(**request["case"])}))
                    np.savez(path, **job.arrays())
                    answer = {"notes": job.notes}
                case "time":
                    answer = {"seconds": seconds(job.call, request["calls"])}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def seconds(call: Callable[[], object], calls: int) -> float:
    """Wall time of one call, over `calls` of them, without the garbage collector."""
    gc.collect()
    gc.disable()
    started = time.perf_counter()
    for _ in range(calls):
        call()
    elapsed = time.perf_counter() - started
    gc.enable()
    return elapsed / calls
