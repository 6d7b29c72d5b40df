"""Exploitability over training as one small picture: a line for each training, on a logarithmic
axis, and what is known beforehand as levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Final

from markupsafe import Markup, escape

from benchmarks.leaderboard.courses import Course

WIDTH: Final = 640
HEIGHT: Final = 260
LEFT, RIGHT, TOP, BOTTOM = 56, 20, 12, 40
"""Room for what the axes say."""
LEAST: Final = 1e-4
"""A smaller number is drawn here: a logarithmic axis has no 0."""
STEPS: Final = 4
"""Of the axis of updates."""


def exploitability_curves(found: Mapping[str, Course], levels: Mapping[str, float]) -> Markup:
    """
    Args:
        found: by the training's seed.
        levels: by name, to compare with; one of 0 is left out.
    """
    values = [max(value, LEAST) for course in found.values() for _, value in course]
    shown = {name: value for name, value in levels.items() if value > LEAST}
    low, high = min(values), max([*values, *shown.values()])
    low, high = low / 1.3, high * 1.3
    most = max(at for course in found.values() for at, _ in course) or 1.0

    def x(at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at / most, 1)

    def y(value: float) -> float:
        share = log10(max(value, LEAST) / low) / log10(high / low)
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)

    parts = [
        f'<path class="grid" d="M{LEFT} {y(tick)}H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 6}" y="{y(tick) + 4}" text-anchor="end">{tick:g}</text>'
        for tick in ticks(low, high)
    ]
    parts += [
        f'<text x="{x(at)}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{at:,.0f}</text>'
        for at in dict.fromkeys(round(most * step / STEPS) for step in range(STEPS + 1))
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 4}" text-anchor="middle">updates</text>')
    for name, value in shown.items():
        parts.append(
            f'<path class="level" d="M{LEFT} {y(value)}H{WIDTH - RIGHT}"/>'
            f'<text x="{WIDTH - RIGHT}" y="{y(value) - 4}" text-anchor="end">{escape(name)}</text>'
        )
    for course in found.values():
        points = "L".join(f"{x(at):g} {y(value):g}" for at, value in course)
        parts.append(f'<path class="course" d="M{points}"/>')
    says = f"Exploitability of {len(found)} trainings over their updates, on a logarithmic axis."
    return Markup(
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{says}">'
        f"{''.join(parts)}</svg>"
    )


def ticks(low: float, high: float) -> Sequence[float]:
    """Ones, twos and fives between both.

    >>> ticks(0.003, 0.4)
    [0.005, 0.01, 0.02, 0.05, 0.1, 0.2]
    """
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    found = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return [tick for tick in found if low <= tick <= high]
