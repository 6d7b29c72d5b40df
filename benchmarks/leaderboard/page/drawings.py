"""Small pictures as SVG inside the page: every mark is a class that the page's style colours, and
none needs a colour to be understood.

A whisker is an interval, with the value as a dot: filled where it is exact or an estimate, hollow
where something was left uncovered, an arrow to the right where the truth may be higher.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from benchmarks.leaderboard.page.shown import Scale, Shown

NARROW: Final = 84
WIDE: Final = 168
HEIGHT: Final = 9
EDGE: Final = 4
"""Left free on both sides, so that a dot at the end of the scale is whole."""
MARKS: Final[Mapping[str, str]] = {"not exact": "hollow", "lower bound": "arrow"}


def whisker(
    found: Shown, scale: Scale, *, width: int = NARROW, others: Sequence[float] = ()
) -> Markup:
    """The number on its column's scale; 0 as a line where it is inside.

    Args:
        others: values to be seen behind it, as ticks.
    """
    middle = HEIGHT / 2
    parts = [_at_zero(scale, width)]
    if others:
        ticks = "".join(f"M{_x(value, scale, width):g} 1v{HEIGHT - 2}" for value in others)
        parts.append(f'<path class="others" d="{ticks}"/>')
    if found.low is not None and found.high is not None:
        low, high = (_x(end, scale, width) for end in (found.low, found.high))
        parts.append(f'<path class="span" d="M{low:g} {middle:g}H{high:g}"/>')
    if found.value is not None:
        at = _x(found.value, scale, width)
        mark = MARKS.get(found.sure, "dot")
        shape = {
            "dot": f"M{at:g} {middle:g}h0",
            "hollow": f"M{at:g} {middle:g}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0",
            "arrow": f"M{at - 2:g} {middle - 3.5:g}l6 3.5l-6 3.5z",
        }[mark]
        parts.append(f'<path class="{mark}" d="{shape}"/>')
    inner = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {width} {HEIGHT}" aria-hidden="true">{inner}</svg>')


def _at_zero(scale: Scale, width: int) -> str:
    if not scale.low < 0 < scale.high:
        return ""
    return f'<path class="zero" d="M{_x(0.0, scale, width):g} 0v{HEIGHT}"/>'


def _x(value: float, scale: Scale, width: int) -> float:
    return EDGE + scale.at(value, width - 2 * EDGE)
