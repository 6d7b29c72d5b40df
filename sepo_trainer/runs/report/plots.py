"""The pictures of a run as SVG: one house style, and colours that follow the reader's light or dark
screen once a picture stands in the page. Takes plain numbers; knows no game and no run folder.

Text stays text, so it can be read aloud, searched and set in the page's own font.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, Final, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import NDArray

COLORS: Final[dict[str, tuple[str, str]]] = {
    "surface": ("#fffffe", "#15181d"),
    "ink": ("#1c2128", "#e4e7ec"),
    "muted": ("#5f6873", "#9aa3ae"),
    "grid": ("#e1e4e8", "#2c323a"),
    "series-1": ("#1f6fb5", "#5aa9e6"),
    "series-2": ("#c4560a", "#f28e4b"),
    "series-3": ("#15803d", "#54c583"),
    "series-4": ("#7e3fb0", "#bb8af0"),
    "series-5": ("#b3204d", "#f0718f"),
    "series-6": ("#7a6200", "#d9b93b"),
    "band": ("#16a085", "#34c6a8"),
}
"""Name to (light, dark). The page has a CSS variable of each name."""
INK, MUTED, GRID, BAND, SURFACE = (
    COLORS[name][0] for name in ("ink", "muted", "grid", "band", "surface")
)
SERIES: Final = [light for name, (light, _) in COLORS.items() if name.startswith("series")]

STYLE: Final[Any] = {  # as a dict, it would have to name matplotlib's own list of keys
    "font.size": 10.5,
    "font.family": "sans-serif",
    "text.color": INK,
    "text.parse_math": False,  # names come from outside; a dollar is a dollar
    "figure.facecolor": SURFACE,
    "savefig.facecolor": SURFACE,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "axes.labelsize": 10,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
}

WIDE, NARROW = 10.0, 5.0
"""Inches; at 72 points each, so that a narrow picture on a phone shows its text in full size."""

Floats = NDArray[np.float64]


class Curve(NamedTuple):
    """A number over training, one value per point."""

    iterations: Sequence[float]
    values: Sequence[float]


class Panel(NamedTuple):
    """One situation of the policy over training, against what an equilibrium plays there."""

    curves: Mapping[str, Curve]
    """By move; one of two moves is enough."""
    title: str = ""
    label: str = ""
    """What the axis says; both empty where a neighbour says it already."""
    band: tuple[float, float] | None = None
    """Lowest and highest probability in any equilibrium."""
    nearest: float | None = None
    """In the equilibrium nearest to the final policy."""


class Gauge(NamedTuple):
    """One number over training, in a panel of its own."""

    title: str
    unit: str
    curve: Curve
    limit: tuple[float, str] | None = None
    """A value to stay below, and its name; the axis is then logarithmic."""


class Picture(NamedTuple):
    """As a file of its own, and as markup to stand inside an HTML page."""

    file: str
    inline: str


def exploitability(
    curve: Curve, low: Curve, high: Curve, *, unit: str, uniform: float | None, width: float
) -> Figure:
    """The fall of exploitability, its interval shaded, on a logarithmic axis."""
    figure = Figure(figsize=(width, 3.7), layout="constrained")
    axes = figure.subplots()
    values = np.array(curve.values)
    top = max(*values, *high.values, uniform or 0.0)
    positive = values[values > 0]
    floor = min(positive.min() if len(positive) else top, top) / 2.5 or 1e-6
    _logarithmic(axes, floor, max(top, floor * 10) * 1.6, subs=(1, 2, 5))
    axes.fill_between(
        curve.iterations,
        np.maximum(low.values, floor),
        np.maximum(high.values, floor),
        color=SERIES[0],
        alpha=0.22,
        linewidth=0,
    )
    for value, name in ((uniform, "uniform play"), (float(values[0]), "start")):
        if value:
            _reference(axes, value, f"{name} {value:.4f}")
    _draw(axes, Curve(curve.iterations, np.maximum(values, floor).tolist()), SERIES[0])
    end = (float(curve.iterations[-1]), max(float(values[-1]), floor))
    axes.plot(*end, "o", color=SERIES[0], markersize=5, clip_on=False)
    axes.annotate(
        f"{values[-1]:.4f}",
        end,
        xytext=(0, -15),
        textcoords="offset points",
        ha="right",
        color=SERIES[0],
        fontweight="bold",
    )
    axes.set_ylabel(f"exploitability, {unit}")
    _iterations(axes, curve.iterations)
    return figure


def moves(panels: Sequence[Panel], *, columns: int, width: float) -> Figure:
    """Small multiples of move probabilities, all on one scale."""
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(width, 0.8 + 1.45 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    named = list(dict.fromkeys(move for panel in panels for move in panel.curves))
    colors = {move: SERIES[index % len(SERIES)] for index, move in enumerate(named)}
    for number, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
        if panel.band:
            low, high = panel.band
            if high > low:
                axes.axhspan(low, high, color=BAND, alpha=0.25, linewidth=0)
            else:
                axes.axhline(low, color=BAND, alpha=0.45, linewidth=5, solid_capstyle="butt")
        if panel.nearest is not None:
            axes.axhline(panel.nearest, color=BAND, linewidth=1.3, linestyle=(0, (4, 3)))
        for move, curve in panel.curves.items():
            _draw(axes, curve, colors[move])
            end = curve.iterations[-1], curve.values[-1]
            axes.plot(*end, "o", color=colors[move], markersize=4, clip_on=False)
        axes.set_title(panel.title)
        axes.set_ylabel(panel.label)
        axes.set_ylim(-0.04, 1.04)
        axes.set_yticks([0, 0.5, 1], ["0", "½", "1"])
        end_of_training = next(iter(panel.curves.values())).iterations
        _iterations(axes, end_of_training, named=number + columns >= len(panels))
    if len(named) > 1:
        lines = [grid.flat[0].plot([], [], color=colors[move])[0] for move in named]
        figure.legend(lines, named, loc="outside upper left", ncols=4, frameon=False)
    return figure


def gauges(panels: Sequence[Gauge], *, columns: int, width: float) -> Figure:
    """One number per panel, each on a scale of its own."""
    rows = -(-len(panels) // columns)
    figure = Figure(
        figsize=(width, 0.5 + (1.45 if columns == 1 else 1.6) * rows), layout="constrained"
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for number, (axes, gauge) in enumerate(zip(grid.flat, panels, strict=False)):
        color = SERIES[number % len(SERIES)]
        values = np.array(gauge.curve.values)
        if gauge.limit:
            limit, name = gauge.limit
            seen = np.append(values[values > 0], limit)
            floor = seen.min() / 4
            _logarithmic(axes, floor, seen.max() * 4)
            _reference(axes, limit, name)
            _draw(axes, Curve(gauge.curve.iterations, np.maximum(values, floor).tolist()), color)
        else:
            _draw(axes, gauge.curve, color)
            axes.yaxis.set_major_locator(MaxNLocator(3))
            low, high = axes.get_ylim()
            if not values.any():
                axes.set_ylim(-0.001, 0.01)
            elif values.min() >= 0:
                axes.set_ylim(0, high)
            elif low < 0 < high:
                axes.axhline(0, color=MUTED, linewidth=1)
        axes.set_title(gauge.title)
        axes.set_ylabel(gauge.unit)
        _iterations(axes, gauge.curve.iterations, named=number + columns >= len(panels))
    figure.align_ylabels()
    return figure


def against(curves: Mapping[str, Curve], *, unit: str, width: float) -> Figure:
    """The policy's payoff against each opponent, named at the end of its line."""
    figure = Figure(figsize=(width, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color=MUTED, linewidth=1)
    for index, curve in enumerate(curves.values()):
        _draw(axes, curve, SERIES[index % len(SERIES)])
    low, high = axes.get_ylim()
    ends = [(curve.values[-1] - low) / (high - low) for curve in curves.values()]
    places = _apart(np.array(ends), 0.075)
    for index, (name, place) in enumerate(zip(curves, places, strict=True)):
        color = SERIES[index % len(SERIES)]
        axes.text(1.02, place, name, color=color, transform=axes.transAxes, va="center")
    axes.set_ylim(low, high)
    axes.set_ylabel(f"payoff, {unit}")
    _iterations(axes, next(iter(curves.values())).iterations)
    return figure


def time(parts: Mapping[str, Curve], tokens: Curve, *, width: float) -> Figure:
    """Seconds of each iteration by part, stacked, over the tokens sampled per second of play."""
    figure = Figure(figsize=(width, 3.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.3, 1))
    base: Floats | None = None
    for index, (part, curve) in enumerate(parts.items()):
        upper = np.array(curve.values) + (0.0 if base is None else base)
        above.stairs(
            upper,
            _edges(curve.iterations),
            baseline=0.0 if base is None else base,
            fill=True,
            color=SERIES[index % len(SERIES)],
            alpha=0.85,
            linewidth=0,
            label=part,
        )
        base = upper
    above.set_ylim(0, None)
    above.set_ylabel("seconds")
    above.set_title("Time of an iteration")
    above.legend(
        loc="lower right",
        bbox_to_anchor=(1, 0.97),
        ncols=len(parts),
        frameon=False,
        borderpad=0,
        handlelength=1,
        handleheight=1,
        columnspacing=1.2,
    )
    below.stairs(
        tokens.values, _edges(tokens.iterations), color=SERIES[3], linewidth=1.5, baseline=None
    )
    below.set_ylim(0, 1.15 * max(tokens.values, default=1.0))
    below.set_ylabel("tokens/s")
    below.set_title("Sampled tokens per second of play")
    for axes in (above, below):
        axes.yaxis.set_major_locator(MaxNLocator(3))
        _iterations(axes, _edges(tokens.iterations), named=axes is below)
    figure.align_ylabels([above, below])
    return figure


def render(name: str, draw: Callable[[], Figure]) -> Picture:
    """Draw in the house style. ``name`` keeps the ids of several pictures in one page apart."""
    out = BytesIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        draw().savefig(out, format="svg", metadata={"Date": None})
    file = out.getvalue().decode()
    body = file[file.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r' (?:xmlns(?::xlink)?|width|height|version)="[^"]*"', "", body, count=5)
    body = re.sub(r' id="[\w.]+?_\d+"', "", body)
    for variable, (light, _) in COLORS.items():
        body = re.sub(rf"(fill|stroke): {light}", rf"\1: var(--{variable})", body)
    return Picture(file, body)


def _draw(axes: Axes, curve: Curve, color: str) -> None:
    """A line, or a dot where there are too few points for one."""
    marker = "o" if len(curve.values) < 3 else ""
    axes.plot(curve.iterations, curve.values, color=color, marker=marker, markersize=4)


def _reference(axes: Axes, value: float, name: str) -> None:
    """A dashed level with its name on it."""
    axes.axhline(value, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        name,
        (1, value),
        xycoords=axes.get_yaxis_transform(),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        color=MUTED,
        fontsize=9.5,
        bbox={"facecolor": SURFACE, "linewidth": 0, "pad": 0.5},
        zorder=1.5,  # over the grid, under what is drawn
    )


def _logarithmic(axes: Axes, low: float, high: float, *, subs: tuple[int, ...] = (1,)) -> None:
    """A logarithmic axis that says 0.05, not a power of ten; ``subs`` while there is room."""
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(LogLocator(subs=subs if high / low < 500 else (1,)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _iterations(axes: Axes, iterations: Sequence[float] | Floats, *, named: bool = True) -> None:
    """The shared axis: updates done."""
    first, last = iterations[0], iterations[-1]
    if last > first:
        axes.set_xlim(first, last)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    else:
        axes.set_xlim(first - 0.5, first + 0.5)
        axes.set_xticks([first], [f"{first:g}"])
    axes.grid(axis="x", visible=False)
    if named:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("iteration")


def _edges(iterations: Sequence[float]) -> Floats:
    return np.append(np.array(iterations), iterations[-1] + 1)


def _apart(places: Floats, gap: float) -> Floats:
    """``places`` in 0..1, moved as little as keeps them ``gap`` apart.

    >>> _apart(np.array([0.5, 0.5, 0.9]), 0.1).round(2).tolist()
    [0.45, 0.55, 0.9]
    """
    order = np.argsort(places, kind="stable")
    steps = gap * np.arange(len(places))
    level = places[order] - steps
    blocks: list[list[float]] = []
    for value in level:  # pool adjacent violators: the nearest rising sequence
        blocks.append([float(value)])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    risen = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks])
    moved = np.empty_like(places)
    moved[order] = risen + steps
    return moved
