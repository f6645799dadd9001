"""Several presets on one data set, side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..errors import RunFolderError
from ..report import write_comparison
from ..training import SILENT, FitEvents, best_epoch, run_folder, write_json
from .config import FINE_TUNED, PRESETS, resolve
from .summary import layers
from .train import Run, train

COMPARED = tuple(preset for preset in PRESETS if preset != FINE_TUNED)

_ROWS = "comparison.json"


def compare(
    data: str | Path,
    out: str | Path,
    presets: Sequence[str] = COMPARED,
    *,
    settings: dict[str, Any] | None = None,
    config_file: str | Path | None = None,
    overwrite: bool = False,
    events: FitEvents = SILENT,
    started: Callable[[str], None] = lambda preset: None,
    **reading: Any,
) -> list[dict[str, Any]]:
    """Train each preset into a folder of its name under `out`; write comparison.json and comparison.png there.

    Args:
        settings: changes that apply to all presets.
        overwrite: replace an earlier comparison and its runs.
        reading: further arguments of `train` (validation, test, columns, encoding, quoting).
    Returns:
        one row per preset; see `comparison_row`.
    Raises:
        RunFolderError: before anything is trained, if a folder or comparison.json is there.
        as `train`.
    """
    configs = {preset: resolve(preset, config_file, **(settings or {})) for preset in presets}
    out = Path(out)
    for preset in presets:
        run_folder.check(out / preset, overwrite=overwrite, resume=False)
    if (out / _ROWS).exists() and not overwrite:
        raise RunFolderError(f"{out / _ROWS}: there is a comparison; give --overwrite or another --out")
    rows, histories = [], {}
    for preset, config in configs.items():
        started(preset)
        run = train(data, out / preset, config, overwrite=overwrite, events=events, **reading)
        rows.append(comparison_row(preset, run))
        histories[preset] = [epoch.validation_accuracy for epoch in run.fitted.history]
    write_comparison(rows, histories, out)
    write_json(out / _ROWS, rows)
    return rows


def comparison_row(preset: str, run: Run) -> dict[str, Any]:
    """The figures users compare.

    `gap` is training minus validation accuracy in the epoch that was kept; `verdict` what the curves say, and `is_fine`
    whether that is nothing to mend; `rows` how many texts each accuracy is of.
    """
    history = run.fitted.history
    kept = history[best_epoch(history)] if history else None
    watched = kept is not None and kept.validation_accuracy is not None
    return {
        "preset": preset,
        "validation_accuracy": run.metrics.get("validation", {}).get("accuracy"),
        "test_accuracy": run.metrics.get("test", {}).get("accuracy"),
        "rows": {split: figures["rows"] for split, figures in run.metrics.items()},
        "seconds_per_epoch": sum(epoch.seconds for epoch in history) / max(1, len(history)),
        "epochs": len(history),
        "parameters": sum(layer.parameters for layer in layers(run.fitted.classifier)),
        "verdict": run.learning.sentence,
        "is_fine": run.learning.is_fine,
        "gap": (kept.train_accuracy or 0.0) - (kept.validation_accuracy or 0.0) if kept and watched else None,
    }
