"""Every cell and option against the plain cell of its kind and against a loop in torch: `python benchmarks/family.py`.

One layer, one direction, forward and backward over a batch of equal lengths (B 32, T 200, I = H = 128), float32. The
loop is `elman.ops.reference`: the same formulas, one step of time after the other, under torch's autograd; truncated
gradients are the reference's own. Results and gradients are compared before anything is timed. All peers of a row run
in turn in one process; medians of `--rounds`. Rows are added to benchmarks/results/family.jsonl.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import describe

from elman import ops
from elman.ops import Options, Weights, kernels, ragged

RESULTS = Path(__file__).parent / "results" / "family.jsonl"
BATCH, STEPS, SIZE = 32, 200, 128

# name: (cell, options by name, the plain cell of its kind)
ROWS = {
    **{cell: (cell, {}, cell) for cell in ("rnn_tanh", "lstm", "gru")},
    **{cell: (cell, {}, "rnn_tanh") for cell in ("rnn_relu", "leaky_tanh", "indrnn_tanh")},
    **{cell: (cell, {}, "lstm") for cell in ("peephole", "coupled", "min_lstm", "layer_lstm")},
    **{cell: (cell, {}, "gru") for cell in ("gru_before", "min_gru", "layer_gru")},
    **{
        f"{cell}, {name}": (cell, {name: value}, cell)
        for cell in ("rnn_tanh", "lstm", "gru")
        for name, value in (
            ("dropout mask", 0.5),
            ("zoneout", 0.1),
            ("weight drop", 0.5),
            ("clip", 1.0),
            ("flow", 1.0),
            ("bptt_truncate", 20),
            ("recording", True),
        )
    },
}


def problem(cell: str) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...], Weights]:
    torch.manual_seed(0)
    known = ops.CELLS[cell]

    def random(*size: int) -> torch.Tensor:
        return torch.empty(size).uniform_(-(SIZE**-0.5), SIZE**-0.5).requires_grad_()

    stacked = known.gates * SIZE
    weights = Weights(
        random(stacked, SIZE),
        random(stacked, SIZE) if known.product else None,
        random(stacked),
        random(stacked) if known.product else None,
        vectors=torch.rand(known.vectors, SIZE).requires_grad_() if known.vectors else None,
        norm_gates=torch.ones(2, stacked).requires_grad_() if known.normalised else None,
        norm_cell=torch.ones(2, SIZE).requires_grad_() if known.normalised and known.states == 2 else None,
    )
    data = torch.randn(STEPS * BATCH, SIZE, requires_grad=True)
    states = tuple(torch.zeros(BATCH, SIZE) for _ in range(known.states))
    return data, ragged.batch_sizes_of(torch.full((BATCH,), STEPS)), states, weights


def training_step(cell: str, chosen: dict[str, float], backend: str) -> Callable[[], list[torch.Tensor]]:
    data, batch_sizes, states, weights = problem(cell)
    options = Options(clip=chosen.get("clip", 0.0), flow=chosen.get("flow", 0.0))
    if "bptt_truncate" in chosen:
        options = options._replace(bptt_truncate=int(chosen["bptt_truncate"]))
    if "dropout mask" in chosen:
        options = options._replace(mask=(torch.rand(BATCH, SIZE) < 0.5).float() * 2)
    if "zoneout" in chosen:
        drawn = (torch.rand(len(states), len(data), SIZE) < chosen["zoneout"]).float()
        options = options._replace(zoneout=tuple(drawn))
    dropped = (torch.rand_like(weights.weight_hh) < 0.5).float() * 2 if "weight drop" in chosen else None
    doutput = torch.randn(len(data), SIZE)
    leaves = [data, *(w for w in weights if w is not None)]

    def step() -> list[torch.Tensor]:
        own = weights if dropped is None else weights._replace(weight_hh=weights.weight_hh * dropped)
        with ops.use_backend(backend):
            output, _ = ops.recurrent(cell, data, batch_sizes, states, own, options=options)
            return [output.detach(), *torch.autograd.grad(output, leaves, doutput)]

    def watched() -> list[torch.Tensor]:
        with ops.recording(lambda record: None):
            return step()

    return watched if "recording" in chosen else step


def measure(name: str, rounds: int) -> dict[str, object]:
    cell, chosen, kin = ROWS[name]
    own = training_step(cell, chosen, "native")
    peers = {"ours": own, "plain": training_step(kin, {}, "native"), "loop": training_step(cell, chosen, "reference")}
    for ours, loop in zip(peers["ours"](), peers["loop"](), strict=True):
        torch.testing.assert_close(ours, loop, rtol=1e-2, atol=1e-2 * float(loop.abs().max()))
    times: dict[str, list[float]] = {peer: [] for peer in peers}
    slow = "bptt_truncate" in chosen
    for number in range(rounds + 1):
        for peer, step in peers.items():
            if slow and peer == "loop" and number > 2:
                continue  # half a minute each
            started = time.perf_counter()
            step()
            times[peer].append(time.perf_counter() - started)
    medians = {peer: statistics.median(values[1:]) for peer, values in times.items()}
    return {
        "case": name,
        "path": "kernel" if kernels.has(cell) else "reference",
        "plain": kin,
        "ms": {peer: round(1e3 * value, 2) for peer, value in medians.items()},
        "quartiles_ms": {
            peer: [round(1e3 * q, 2) for q in statistics.quantiles(values[1:], n=4)[::2]] if len(values) > 2 else None
            for peer, values in times.items()
        },
        "of_plain": round(medians["ours"] / medians["plain"], 3),
        "loop_over_ours": round(medians["loop"] / medians["ours"], 2),
        **describe(),
    }


def markdown() -> str:
    """Newest row of every case on each processor: time against the plain cell of its kind, and the loop's over ours."""
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    newest = {(row["case"], row["cpu"]): row for row in rows}
    processors = sorted({row["cpu"] for row in rows})
    lines = [
        "## The family",
        "",
        "`python benchmarks/family.py`: one layer, forward and backward, float32, B 32, T 200, I = H = 128. First what",
        "a cell or option costs beside the plain cell of its kind (the rows of `rnn_tanh`, `lstm` and `gru` themselves",
        "show the noise); then a torch loop over the same formulas, `elman.ops.reference`, against ours. Medians of",
        "interleaved runs. With `clip`, `flow`, `bptt_truncate`, `recording` the loop has gradients by hand: faster.",
        "",
        f"| cell | runs on | {' | '.join(f'time / plain cell, {cpu} | loop / ours, {cpu}' for cpu in processors)} |",
        f"|{' --- |' * (2 + 2 * len(processors))}",
    ]
    for name in ROWS:
        found = [newest.get((name, cpu)) for cpu in processors]
        figures = [f"{row['of_plain']:.2f} | {row['loop_over_ours']:.1f}" if row else "- | -" for row in found]
        path = next((row["path"] for row in found if row), None)
        if path:
            lines.append(f"| {name} | {path} | {' | '.join(figures)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=list(ROWS), metavar="CASE", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    for case in given.cases:
        found = measure(case, given.rounds)
        print(json.dumps({key: found[key] for key in ("case", "path", "ms", "of_plain", "loop_over_ours")}), flush=True)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")
    print(markdown())
