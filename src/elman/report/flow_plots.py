"""Plots of a diagnosis as Matplotlib figures: gradients and gates through time. Each takes one layer's plain data."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .plots import BLUE, COLOURS, GREY, RED, clean, new_figure

_LN10 = math.log(10)
_DECADES = 12  # below the largest median; what lies lower is not looked at
_HEAT_DECADES = 6

Layer = dict[str, Any]


def gradient(layer: Layer, against: str) -> Figure:
    """|dL/dh_t|, and |dL/dc_t| where there is one: median over texts with bands of 25-75 % and 10-90 %."""
    figure, axes = new_figure()
    found = layer["gradient" if against == "lag" else "gradient_by_position"]
    curves = {name: {k: _numbers(v) for k, v in curve.items()} for name, curve in found.items()}
    top = max((float(np.nanmax(curve["q90"], initial=0.0)) for curve in curves.values()), default=0.0) or 1.0
    floor = max(min((v for c in curves.values() for v in c["median"] if v > 0), default=top), top * 10.0**-_DECADES)
    for (name, curve), colour in zip(curves.items(), (RED, BLUE), strict=False):
        _spread(axes, {k: np.maximum(v, floor / 100) for k, v in curve.items()}, colour, f"dL/d{name[1]}")
    axes.set_yscale("log")
    axes.set_ylim(floor / 3, top * 3)
    axes.set_ylabel("norm of the gradient")
    axes.set_xlabel(_lag(layer) if against == "lag" else "position in the text")
    axes.legend(frameon=False, fontsize=9)
    return figure


def jacobian(layer: Layer) -> Figure:
    """Gain of the state over each lag, with the factor of 100 that ends the memory and the lag where it does."""
    figure, axes = new_figure()
    curve = layer["jacobian"]["log_gain"]
    values = {k: _numbers(curve[k]) / _LN10 for k in curve if k != "texts"}
    _spread(axes, values, RED, "gain of the state")
    lowest = np.nanmin(values["median"], initial=-2.0)
    for limit in (-2, 2):
        axes.axhline(limit, color=GREY, linewidth=1, linestyle=":")
    memory = layer["memory"]
    ends = memory["steps"] / layer["skip"]
    axes.axvline(ends, color=BLUE, linewidth=1.2)
    steps = f"{memory['steps']} steps"
    said = {"open": f"at least {steps}", "cut": f"cut by bptt_truncate after {steps}"}.get(memory["end"], steps)
    axes.annotate(
        f" {said} ", (ends, 1), xycoords=("data", "axes fraction"), va="top",
        ha="right" if ends > 0.7 * len(curve["median"]) else "left", color=BLUE, fontsize=9,
    )  # fmt: skip
    axes.set_ylim(1.05 * lowest - 0.5, max(2.5, 0.5 + np.nanmax(values["q90"], initial=0.0)))
    axes.yaxis.set_major_formatter(lambda value, _: f"$10^{{{value:g}}}$")
    axes.set_ylabel("|ds(T) / ds(T-lag)|")
    axes.set_xlabel(_lag(layer))
    return figure


def share(layer: Layer) -> Figure | None:
    """What part of the recurrent weights' gradient lies within each lag."""
    if layer["weight_share"] is None or layer["weight_share"]["within"] is None:
        return None
    figure, axes = new_figure()
    within, parts = layer["weight_share"]["within"], _numbers(layer["weight_share"]["share"])
    axes.fill_between(range(len(parts)), parts.cumsum(), step="mid", color=GREY, alpha=0.35, linewidth=0)
    axes.step(range(len(parts)), parts.cumsum(), where="mid", color=RED)
    axes.axvline(within, color=BLUE, linewidth=1.2)
    far = within > 0.7 * len(parts)
    axes.text(within, 0.05, f" 99 % within {within} ", color=BLUE, fontsize=9, ha="right" if far else "left")
    axes.set_ylim(0, 1.03)
    axes.set_xlabel(_lag(layer))
    axes.set_ylabel("share of the weights' gradient")
    return figure


def gates(layer: Layer) -> Figure | None:
    """A histogram per gate; the ends where it is saturated are red."""
    found = layer["saturation"]
    if not found:
        return None
    figure = Figure(figsize=(1.2 + 2.0 * len(found), 2.6), layout="constrained")
    for axes, gate in zip(np.atleast_1d(figure.subplots(1, len(found))), found, strict=True):
        counts, edges = (np.array(side) for side in gate["histogram"])
        middle = (edges[:-1] + edges[1:]) / 2
        low, high = {"sigmoid": (0.1, 0.9), "tanh": (-0.9, 0.9)}.get(gate["kind"], (-np.inf, np.inf))
        colours = [RED if m < low or m > high else GREY for m in middle]
        axes.bar(middle, counts / max(1.0, counts.sum()), edges[1] - edges[0], color=colours)
        clean(axes)
        axes.tick_params(labelsize=8)
        axes.set_yticks([])
        figures = f"{gate['low']:.0%} low" + ("" if gate["kind"] == "relu" else f", {gate['high']:.0%} high")
        axes.set_title(f"{gate['gate']}: {figures if gate['kind'] != 'linear' else 'linear'}", fontsize=9)
    return figure


def time_constants(layer: Layer) -> Figure | None:
    """Steps after which each unit keeps 1/e, units sorted; the dashed line is a median text."""
    if layer["time_constants"] is None:
        return None
    figure, axes = new_figure(5.2, 2.6)
    taus = sorted(t for t in layer["time_constants"] if t is not None and t > 0)
    axes.plot(range(1, len(taus) + 1), taus, ".", color=RED)
    axes.axhline(float(np.median(layer["lengths"])), color=GREY, linewidth=1, linestyle="--")
    axes.set_yscale("log")
    axes.set_xlabel("units, slowest last")
    axes.set_ylabel("time constant (steps)")
    return figure


def heat(layer: Layer) -> Figure | None:
    """Texts by position: |dL/dh_t| relative to the text's largest, on a log scale."""
    rows = layer["heat"]
    if not rows:
        return None
    figure, axes = new_figure(10.4, 0.9 + 0.13 * len(rows))
    image = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in enumerate(rows):
        norms = _numbers(values)
        shares = norms / np.nanmax(norms, initial=1e-300)
        image[row, : len(values)] = np.log10(np.maximum(shares, 10.0 ** -(_HEAT_DECADES + 1)))
    shown = axes.imshow(image, cmap="magma_r", vmin=-_HEAT_DECADES, vmax=0, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(shown, ax=axes, pad=0.01, format=lambda value, _: f"$10^{{{value:g}}}$")
    bar.ax.tick_params(labelsize=8)
    axes.set_xlabel("position in the text")
    axes.set_ylabel("texts")
    axes.set_yticks([])
    return figure


def over_training(checks: list[dict[str, Any]], kept: int | None = None) -> Figure:
    """Effective memory of each layer by epoch, and which epoch's weights were kept."""
    figure, axes = new_figure()
    if kept is not None:
        axes.axvline(kept, color=GREY, linewidth=1, linestyle=":", label="kept")
    for index, layer in enumerate(checks[0]["layers"]):
        colour = COLOURS[index % len(COLOURS)]
        steps = [check["layers"][index]["memory"]["steps"] for check in checks]
        axes.plot([check["epoch"] for check in checks], steps, "o-", color=colour, label=layer["name"], markersize=4)
    axes.set_xlabel("epochs of training")
    axes.set_ylabel("effective memory (steps)")
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize=9)
    return figure


PLOTS: dict[str, Callable[[Layer], Figure | None]] = {
    "gradient-lag": lambda layer: gradient(layer, "lag"),
    "gradient-position": lambda layer: gradient(layer, "position"),
    "jacobian": jacobian,
    "share": share,
    "gates": gates,
    "time-constants": time_constants,
    "heat": heat,
}


def diagnosis_figures(data: dict[str, Any]) -> dict[str, Figure]:
    """Every plot of a diagnosis by name: "LAYER/PLOT", and "memory" over the epochs if they were watched."""
    drawn = {f"{layer['name']}/{name}": plot(layer) for layer in data["layers"] for name, plot in PLOTS.items()}
    if data["training"] is not None and data["training"]["checks"]:
        drawn["memory"] = over_training(data["training"]["checks"], data["training"].get("kept"))
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _numbers(values: list[float | None]) -> NDArray[np.float64]:
    """NaN, which is not drawn, for what JSON has no number for."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def _lag(layer: Layer) -> str:
    return "lag: steps before the last one" + (f", each {layer['skip']} tokens long" if layer["skip"] > 1 else "")


def _spread(axes: Axes, curve: dict[str, Any], colour: str, label: str) -> None:
    lags = range(len(curve["median"]))
    axes.fill_between(lags, curve["q10"], curve["q90"], color=colour, alpha=0.13, linewidth=0)
    axes.fill_between(lags, curve["q25"], curve["q75"], color=colour, alpha=0.22, linewidth=0)
    axes.plot(lags, curve["median"], color=colour, linewidth=1.5, label=label)
