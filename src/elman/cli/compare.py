"""elman compare: several presets on one data set."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from .. import classify
from ..errors import UsageError
from . import _options as options
from ._settings import with_training_options
from ._show import TrainingProgress, err, figure, out, table_of


@with_training_options
def compare(
    data: options.Data,
    out_folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of the runs; runs/<data>-compare if not given.")
    ] = None,
    presets: Annotated[str, typer.Option(help="Presets, separated by commas.")] = ",".join(classify.COMPARED),
    config: options.ConfigFile = None,
    *,
    reading: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Train several presets on one data set and show them side by side; settings apply to all of them."""
    folder = out_folder or options.folder_of(data, "compare")
    names = options.names_in(presets)
    if not names:
        raise UsageError("--presets names no preset")
    progress = TrainingProgress()
    try:
        rows = classify.compare(
            data,
            folder,
            names,
            settings=settings,
            config_file=config,
            events=progress,
            started=lambda preset: err.print(preset, style="bold"),
            **reading,
        )
    finally:
        progress.close()
    out.print(_table(rows))
    for row in rows:
        if not row["is_fine"]:
            out.print(f"{row['preset']}: {row['verdict']}")
    out.print("gap: training minus validation accuracy of the network in its best epoch")
    out.print(f"plot: {folder / 'comparison.png'}")


def _table(rows: list[dict[str, Any]]) -> Table:
    names = ("preset", "validation", "test", "s/epoch", "epochs", "parameters", "gap")
    table = table_of(*names, left=("preset",))
    for row in rows:
        accuracies = [figure(row[k], ".4f") for k in ("validation_accuracy", "test_accuracy")]
        table.add_row(
            row["preset"],
            *accuracies,
            f"{row['seconds_per_epoch']:.1f}",
            str(row["epochs"]),
            f"{row['parameters']:,}",
            figure(row["gap"], ".4f"),
        )
    return table
