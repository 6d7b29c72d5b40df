"""Pictures of records in the house style: small SVG files, the same bytes for the same record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray

from benchmarks.records import Measure, Record
from sepo_trainer.report.plots import INK, MUTED, SERIES, render

MOST_BYTES = 200_000
SIZE = (8.0, 4.0)
LEAST = 1e-4
"""A smaller exploitability is drawn here: a logarithmic axis has no 0."""

Floats = NDArray[np.float64]
Curves = Mapping[str, Sequence[tuple[float, ...]]]


class MedianCurve(NamedTuple):
    seconds: Floats
    exploitability: Floats


def exploitability_curves(record: Record, path: Path) -> None:
    """One thin line per seed over the seconds of training, and the median of all."""

    def draw() -> Figure:
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        curves = record.curves["exploitability"].seeds
        for curve in curves.values():
            points = np.array(curve)
            label = f"each of {len(record.seeds)} seeds" if not axes.lines else None
            axes.plot(
                points[:, 1], _drawable(points[:, 2]), color=MUTED, linewidth=0.7, label=label
            )
        middle = median_curve(curves)
        axes.plot(
            middle.seconds,
            _drawable(middle.exploitability),
            color=SERIES[0],
            linewidth=2.4,
            label="median",
        )
        _logarithmic(axes)
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds of warm start and training")
        axes.set_ylabel("exploitability, points per hand")
        axes.set_title(f"{_title(record)}: distance from equilibrium")
        axes.legend(frameon=False)
        return figure

    _write(path, render(f"{record.benchmark}-{record.name}", draw).file)


def arms(record: Record, order: Sequence[str], path: Path) -> None:
    """Each arm's final exploitability, or J where that is not known: a dot per seed, seeds joined,
    mean and interval beside."""

    def draw() -> Figure:
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        exact = "exploitability" in record.measures[order[0]]
        quantity = "exploitability" if exact else "objective"
        shown = [record.measures[arm][quantity] for arm in order]
        places = np.arange(len(order))
        least = LEAST if exact else -np.inf
        for row in np.maximum([_numbers(measure) for measure in shown], least).T:
            axes.plot(places, row, color=MUTED, linewidth=0.6, alpha=0.6, zorder=1)
            axes.scatter(places, row, color=SERIES[0], s=24, zorder=3)
        for place, measure in zip(places.tolist(), shown, strict=True):
            beside = place + 0.13
            axes.plot(beside, max(measure.mean or 0.0, least), "_", color=INK, markersize=13)
            if measure.interval is not None:
                low, high = measure.interval.low, measure.interval.high
                axes.vlines(beside, max(low, least), max(high, least), color=INK, linewidth=1.5)
        if exact:
            _logarithmic(axes)
        axes.set_xticks(places, order)
        axes.xaxis.grid(False)
        axes.margins(x=0.12)
        axes.set_ylabel("final exploitability, points per hand" if exact else "final J, by play")
        axes.set_title(f"{_title(record)}: a dot per seed; mean and 95 % interval beside")
        return figure

    _write(path, render(f"{record.benchmark}-{record.name}", draw).file)


def median_curve(curves: Curves) -> MedianCurve:
    """The median over seeds of both seconds and exploitability, at each iteration that all have."""
    arrays = [np.array(points) for points in curves.values()]
    shared = sorted(set.intersection(*(set(points[:, 0].tolist()) for points in arrays)))
    rows = np.stack([points[np.isin(points[:, 0], shared)] for points in arrays])
    return MedianCurve(np.median(rows[:, :, 1], axis=0), np.median(rows[:, :, 2], axis=0))


def _logarithmic(axes: Axes) -> None:
    """A logarithmic axis that says 0.05, not a power of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _drawable(values: Sequence[float] | Floats) -> list[float]:
    return [max(float(value), LEAST) for value in values]


def _numbers(measure: Measure) -> list[float]:
    return [value for value in measure.values if value is not None]


def _title(record: Record) -> str:
    return record.game.id.replace("_", " ").capitalize()


def _write(path: Path, text: str) -> None:
    size = len(text.encode())
    if size > MOST_BYTES:
        raise ValueError(f"{path} would have {size:,} bytes, over {MOST_BYTES:,}: thin the curves.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
