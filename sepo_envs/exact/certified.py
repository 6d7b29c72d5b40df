"""A number that carries how sure it is, so that none is ever quoted without. Knows no game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

EXACT_BELOW: Final = 1e-3
"""The largest uncovered probability at which a number is called exact (docs/metrics.md)."""

Kind: TypeAlias = Literal["exact", "not exact", "lower bound"]
"""``exact``: up to rounding, or up to an uncovered probability under `EXACT_BELOW`. ``not exact``:
more was uncovered. ``lower bound``: the truth may be higher, however much was played."""


@dataclass(frozen=True, slots=True)
class Certified:
    """A number, between which limits it lies, and what makes that sure.

    >>> print(Certified(0.25, 0.25, 0.25, "exact"))
    0.2500 (exact)
    >>> print(Certified(1.5, 1.25, 1.75, "lower bound", "exploiter, 9 episodes, 95 % CI"))
    1.5000 [1.2500, 1.7500] (lower bound: exploiter, 9 episodes, 95 % CI)
    """

    value: float
    low: float
    high: float
    kind: Kind
    how: str = ""
    """What ``low`` and ``high`` come from; empty where the value needs no explanation."""

    @property
    def label(self) -> str:
        """What a table prints beside the number."""
        return f"{self.kind}: {self.how}" if self.how else self.kind

    def __str__(self) -> str:
        limits = "" if self.low == self.high else f" [{self.low:.4f}, {self.high:.4f}]"
        return f"{self.value:.4f}{limits} ({self.label})"


def covered(value: float, off: float, uncovered: float) -> Certified:
    """``value``, at least 0, which ``uncovered`` of a policy's answers could move by ``off``.

    >>> print(covered(0.25, 0.5, 0.125))
    0.2500 [0.0000, 0.7500] (not exact: up to 1.2e-01 of an answer uncovered)
    """
    how = f"up to {uncovered:.1e} of an answer uncovered" if uncovered else ""
    kind: Kind = "exact" if uncovered < EXACT_BELOW else "not exact"
    return Certified(value, max(0.0, value - off) if off else value, value + off, kind, how)
