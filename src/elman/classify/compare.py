"""Several presets on one data set, side by side."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..report import write_comparison
from ..training import SILENT, FitEvents, write_json
from .config import FINE_TUNED, PRESETS, resolve
from .summary import layers
from .train import Run, train

COMPARED = tuple(preset for preset in PRESETS if preset != FINE_TUNED)


def compare(
    data: str | Path,
    out: str | Path,
    presets: Sequence[str] = COMPARED,
    *,
    settings: dict[str, Any] | None = None,
    config_file: str | Path | None = None,
    events: FitEvents = SILENT,
    started: Callable[[str], None] = lambda preset: None,
    **reading: Any,
) -> list[dict[str, Any]]:
    """Train each preset into a folder of its name under `out`; write comparison.json and comparison.png there.

    Args:
        settings: changes that apply to all presets.
        reading: further arguments of `train` (validation, test, columns, encoding, overwrite).
    Returns:
        one row per preset; see `comparison_row`.
    """
    configs = {preset: resolve(preset, config_file, **(settings or {})) for preset in presets}
    rows, histories = [], {}
    for preset, config in configs.items():
        started(preset)
        run = train(data, Path(out) / preset, config, events=events, **reading)
        rows.append(comparison_row(preset, run))
        histories[preset] = [epoch.validation_accuracy for epoch in run.fitted.history]
    write_json(Path(out) / "comparison.json", rows)
    write_comparison(rows, histories, Path(out))
    return rows


def comparison_row(preset: str, run: Run) -> dict[str, Any]:
    """The figures users compare; `gap` is training minus validation accuracy in the epoch that was kept."""
    history = run.fitted.history
    watched = [epoch for epoch in history if epoch.validation_accuracy is not None]
    best = max(watched, key=lambda epoch: epoch.validation_accuracy or 0.0, default=None)
    return {
        "preset": preset,
        "validation_accuracy": run.metrics.get("validation", {}).get("accuracy"),
        "test_accuracy": run.metrics.get("test", {}).get("accuracy"),
        "seconds_per_epoch": sum(epoch.seconds for epoch in history) / max(1, len(history)),
        "epochs": len(history),
        "parameters": sum(layer.parameters for layer in layers(run.fitted.classifier)),
        "gap": None if best is None else (best.train_accuracy or 0.0) - (best.validation_accuracy or 0.0),
    }
