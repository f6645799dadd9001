"""elman diagnose: where the gradient goes, and how far a trained model remembers."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .. import classify
from . import _options as options
from ._show import err, figure, out, table_of


def diagnose(
    run: options.ClassifierRun,
    data: options.Data,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of diagnosis.json and diagnosis.html; the run's if not given.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Texts that are looked at.")] = classify.SAMPLE,
    exact: Annotated[
        bool, typer.Option("--exact", help="Jacobian norms from every unit vector instead of random probes.")
    ] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write event files into the folder too.")] = False,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    encoding: options.Encoding = None,
    quoting: options.Quoting = None,
    skip_unlabelled: options.SkipUnlabelled = False,
) -> None:
    """Show how far back a trained model can learn, why, and what to change."""
    with err.status("") as status:
        found = classify.diagnose(
            run,
            data,
            out=out_folder,
            sample=sample,
            exact=exact,
            tensorboard=tensorboard,
            text_column=text_column,
            label_column=label_column,
            encoding=encoding,
            quoting=quoting,
            skip_unlabelled=skip_unlabelled,
            say=err.print,
            stage=lambda name: status.update(f"{name} …"),
        )
    show(found)
    out.print(f"page: {(out_folder or run) / 'diagnosis.html'}")


def show(found: dict[str, Any]) -> None:
    """The layers, the verdict and the remedies."""
    names = ("layer", "cell", "memory", "Lyapunov", "radius", "tanh > 0.9", "verdict")
    table = table_of(*names, left=("layer", "cell", "verdict"), no_wrap=True)
    for layer in found["layers"]:
        at_least = ">= " if layer["memory"]["end"] == "open" else ""
        cut = " (cut)" if layer["memory"]["end"] == "cut" else ""
        radii = [gate["radius"] for gate in layer["matrix"] if gate["radius"] is not None]
        squashed = [gate["low"] + gate["high"] for gate in layer["saturation"] if gate["kind"] == "tanh"]
        table.add_row(
            layer["name"],
            layer["cell"],
            f"{at_least}{layer['memory']['steps']}{cut}",
            figure(layer["lyapunov"], "+.3f"),
            figure(max(radii, default=None), ".2f"),
            figure(max(squashed, default=None), ".0%"),
            layer["verdict"]["kind"],
        )
    out.print(table)
    if found["training"] and found["training"]["kept"] is not None:
        epochs = found["training"]["epochs"][-1]["epoch"]
        out.print(f"weights of epoch {found['training']['kept']} of {epochs}, which were kept")
    if found["chance"]:
        out.print(found["chance"])
    out.print(f"{found['verdict']['kind']}: {found['verdict']['reason']}")
    if found["bptt"]:
        out.print(f"training hands no gradient from one chunk of {found['bptt']} steps to the one before")
    for remedy in found["remedies"]:
        out.print(f"  try {remedy['flag']}: {remedy['why']}")
