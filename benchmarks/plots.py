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

from benchmarks.outcomes import WINDOW
from benchmarks.records import Measure, Record
from sepo_trainer.runs.report.plots import INK, MUTED, SERIES, SURFACE, render

MOST_BYTES = 200_000
SIZE = (8.0, 4.0)
LEAST = 1e-4
"""A smaller exploitability is drawn here: a logarithmic axis has no 0."""

Floats = NDArray[np.float64]
Curves = Mapping[str, Sequence[tuple[float, ...]]]


COLORED = {
    "credited": SERIES[0],
    "reward_only": SERIES[1],
    "auxiliary": SERIES[2],
    "credited-std": SERIES[3],
    "credited-refreshed": SERIES[4],
    "credited-rae": SERIES[5],
}
"""One colour for an arm in all pictures; the others are drawn in ink."""


class Drawn(NamedTuple):
    """One picture of a record, as a file and as markup inside a page, and what it says."""

    name: str
    says: str
    file: str
    inline: str


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


def objectives(record: Record, arms: Sequence[str], name: str, best: float | None) -> Drawn:
    """J of every policy: a dot per seed, mean and 95 % interval, and J* as a line.

    A base that lies far below all others is named at the edge: its axis would hide the rest.
    """
    shown = {arm: record.measures[arm]["objective"] for arm in arms}
    inner = [value for arm in arms if arm != "base" for value in _numbers(shown[arm])]
    inner += [] if best is None else [best]
    low, high = min(inner), max(inner)
    room = 0.08 * (high - low or 1.0)

    def draw() -> Figure:
        figure = Figure(figsize=(8.0, 0.8 + 0.36 * len(arms)), layout="constrained")
        axes = figure.subplots()
        axes.set_xlim(low - room, high + room)
        if best is not None:
            axes.axvline(best, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                "J*",
                (best, 1),
                xycoords=axes.get_xaxis_transform(),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
            )
        for place, arm in enumerate(arms):
            color, found = COLORED.get(arm, INK), shown[arm]
            if max(_numbers(found)) < low - room:
                axes.annotate(
                    f"\N{BLACK LEFT-POINTING TRIANGLE} {found.mean:.2f}",
                    (0, place),
                    xycoords=axes.get_yaxis_transform(),
                    xytext=(4, 0),
                    textcoords="offset points",
                    va="center",
                    color=color,
                )
                continue
            values = _numbers(found)
            axes.scatter(values, [place] * len(values), color=color, s=16, alpha=0.45, linewidth=0)
            if found.interval is not None:
                ends = found.interval.low, found.interval.high
                axes.hlines(place, *ends, color=color, linewidth=2.2)
            axes.plot(
                found.mean or 0.0, place, "|", color=color, markersize=15, markeredgewidth=2.2
            )
        axes.set_yticks(range(len(arms)), arms)
        axes.set_ylim(len(arms) - 0.5, -0.5)
        axes.yaxis.grid(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("J of the final policy")
        return figure

    says = f"{_title(record)}: J of each final policy, a dot per seed, mean and 95 % interval."
    return Drawn(name, says, *render(name, draw))


def learning_curves(record: Record, name: str, best: float | None) -> Drawn:
    """Running means of J to the end of training: the mean over seeds, and from the lowest to the
    highest of them as a band."""
    arms = [arm for arm in record.curves if not _drawn_before(record, arm)]

    def draw() -> Figure:
        figure = Figure(figsize=SIZE, layout="constrained")
        axes = figure.subplots()
        for arm in arms:
            points = np.array(list(record.curves[arm].seeds.values()))
            color, label = COLORED.get(arm, INK), _with_twins(record, arm)
            iterations, values = points[0, :, 0], points[:, :, 1]
            axes.fill_between(
                iterations, values.min(0), values.max(0), color=color, alpha=0.15, linewidth=0
            )
            width = 2.4 if arm == "credited" else 1.6
            axes.plot(iterations, values.mean(0), color=color, linewidth=width, label=label)
        if best is not None:
            axes.axhline(best, color=INK, linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                "J*",
                (1, best),
                xycoords=axes.get_yaxis_transform(),
                xytext=(-2, 3),
                textcoords="offset points",
                ha="right",
                bbox={"facecolor": SURFACE, "linewidth": 0, "pad": 0.5},
            )
        axes.margins(x=0)
        axes.xaxis.grid(False)
        axes.set_xlabel("iteration")
        axes.set_ylabel(f"J, running mean of {WINDOW} iterations")
        axes.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.16))
        return figure

    says = f"{_title(record)}: J while each arm trains, mean and range over seeds."
    return Drawn(name, says, *render(name, draw))


def _drawn_before(record: Record, arm: str) -> bool:
    """Whether an arm before this one has the very same curves."""
    before = list(record.curves)[: list(record.curves).index(arm)]
    return any(record.curves[other] == record.curves[arm] for other in before)


def _with_twins(record: Record, arm: str) -> str:
    """The arm's name, and those of the arms that have its very curves."""
    return " = ".join(
        [arm, *(o for o in record.curves if o != arm and record.curves[o] == record.curves[arm])]
    )


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
