"""A number as the page shows it: with its interval, or with the reason why there is none."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10
from typing import Final, Literal, NamedTuple, TypeAlias

from benchmarks.leaderboard.records import Exploitability, Measured

Sure: TypeAlias = Literal["estimate", "exact", "not exact", "lower bound", "count"]
"""How sure a number is. A ``count`` needs no interval."""

MINUS: Final = "\N{MINUS SIGN}"
MOST_DIGITS: Final = 4


class Shown(NamedTuple):
    """One number."""

    value: float | None
    """None where there is none."""
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """Why there is none."""
    sure: Sure = "estimate"
    how: str = ""
    """What the interval comes from, where that differs from one column's row to another's."""

    @property
    def ends(self) -> list[float]:
        """The value and the ends of its interval, as far as there are any."""
        return [end for end in (self.value, self.low, self.high) if end is not None]


def of(found: Measured) -> Shown:
    """A measured number.

    >>> of((0.25, 0.1, 0.4)).ends
    [0.25, 0.1, 0.4]
    >>> of("no such pool").reason
    'no such pool'
    """
    return Shown(None, reason=found) if isinstance(found, str) else Shown(*found)


def certain(found: Exploitability | str) -> Shown:
    """An exploitability, which says how sure it is."""
    if isinstance(found, str):
        return Shown(None, reason=found)
    return Shown(found.value, found.low, found.high, sure=found.kind, how=found.how)


def count(value: float) -> Shown:
    """What was counted, and needs no interval.

    >>> scale([count(4_000), count(90)]).write(count(4_000).value)
    '4,000'
    """
    return Shown(float(value), sure="count")


class Scale(NamedTuple):
    """The axis that all numbers of a column share, and how finely they are written."""

    low: float
    high: float
    whole: bool = False
    """Whether all numbers on it are whole."""

    def at(self, value: float, width: float) -> float:
        """How far from the left, of ``width``; what lies outside is drawn at the edge.

        >>> Scale(-1.0, 3.0).at(0.0, 100.0)
        25.0
        """
        share = (value - self.low) / (self.high - self.low)
        return round(width * min(max(share, 0.0), 1.0), 1)

    @property
    def digits(self) -> int:
        """Behind the point, so that some hundred steps of the scale can be told apart; none where
        all numbers are whole.

        >>> Scale(0.0, 0.5).digits, Scale(-2.0, 3.0).digits, Scale(0.0, 900.0).digits
        (3, 2, 0)
        """
        if self.whole:
            return 0
        return min(max(2 - floor(log10(self.high - self.low)), 0), MOST_DIGITS)

    def write(self, value: float) -> str:
        """With a minus as it is printed; a 0 has no sign.

        >>> Scale(-2.0, 3.0).write(-0.001), Scale(-2.0, 3.0).write(-1.5) == f"{MINUS}1.50"
        ('0.00', True)
        """
        text = f"{value:,.{self.digits}f}"
        return (text if float(text.replace(",", "")) else text.lstrip("-")).replace("-", MINUS)


def scale(numbers: Iterable[Shown]) -> Scale:
    """From the lowest end of these to the highest; a length of 1 where they do not differ.

    >>> scale([Shown(0.0, 0.0, 1.0)])
    Scale(low=0.0, high=1.0, whole=True)
    """
    ends = [end for number in numbers for end in number.ends]
    low, high = min(ends, default=0.0), max(ends, default=0.0)
    whole = all(end.is_integer() for end in ends)
    return Scale(low, high, whole) if high > low else Scale(low - 0.5, high + 0.5, whole)
