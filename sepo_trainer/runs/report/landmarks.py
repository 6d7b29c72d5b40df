"""What is known of a game beforehand, for a report to hold a policy against: its unit, uniform
play, its family of equilibria and how its situations are laid out. A game may lack all of it.

>>> kuhn = landmarks("kuhn_poker")
>>> kuhn.unit, round(kuhn.uniform, 4), len(kuhn.cells)
('points per hand', 0.4583, 12)
>>> landmarks("a game to come").family is None
True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from opponents import kuhn_poker
from sepo_envs.catalogue import domain
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree

Rows = Mapping[str, Mapping[str, float]]
"""Move probabilities by situation, as a run's files hold them."""


class Nearest(NamedTuple):
    """The equilibrium closest to a policy."""

    parameter: float
    rows: Rows
    distance: float
    """The largest difference of any probability."""
    situation: str
    """Where that is."""


@dataclass(frozen=True, slots=True)
class Family:
    """All equilibria, by one number between ``low`` and ``high``; probabilities linear in it."""

    parameter: str
    low: float
    high: float
    member: Callable[[float], ActionTable]

    def rows(self, parameter: float) -> Rows:
        return {
            situation: {str(move): float(p) for move, p in row.items()}
            for situation, row in self.member(parameter).rows.items()
        }

    def band(self, situation: str, move: str) -> tuple[float, float]:
        """The lowest and highest probability of ``move`` in any equilibrium."""
        ends = [self.rows(end)[situation][move] for end in (self.low, self.high)]
        return min(ends), max(ends)

    def nearest(self, rows: Rows) -> Nearest:
        """The member with the smallest largest difference from ``rows``.

        >>> kuhn = landmarks("kuhn_poker").family
        >>> nearest = kuhn.nearest(kuhn.rows(0.2) | {"Kb": {"pass": 0.1, "bet": 0.9}})
        >>> round(nearest.distance, 6), nearest.situation
        (0.1, 'Kb')
        """
        low, high = self.low, self.high
        for _ in range(80):  # a maximum of linear functions is convex: cut off the higher third
            third = (high - low) / 3
            if self._gap(low + third, rows)[0] <= self._gap(high - third, rows)[0]:
                high -= third
            else:
                low += third
        best = min((low, high, self.low, self.high), key=lambda at: self._gap(at, rows)[0])
        return Nearest(best, self.rows(best), *self._gap(best, rows))

    def _gap(self, parameter: float, rows: Rows) -> tuple[float, str]:
        member = self.rows(parameter)
        return max(
            (abs(p - rows[situation].get(move, 0.0)), situation)
            for situation, row in member.items()
            for move, p in row.items()
        )


class Cell(NamedTuple):
    """One situation in the grid of all, and the move whose probability describes the policy."""

    situation: str
    move: str
    verb: str
    """What the move is called there."""
    column: str
    row: str


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What a report may compare with; the defaults know nothing."""

    unit: str = "points per episode"
    uniform: float | None = None
    """Exploitability of uniform play."""
    family: Family | None = None
    cells: tuple[Cell, ...] = ()
    """Row by row; empty where the situations have no such order."""
    columns: int = 3


def landmarks(game: str) -> Landmarks:
    """Those of ``game``, or none."""
    return KNOWN[game]() if game in KNOWN else Landmarks()


def _kuhn_poker() -> Landmarks:
    tree = GameTree(domain("kuhn_poker").make())
    lines = {
        "": ("opens", "bet"),
        "p": ("after a check", "bet"),
        "b": ("faces a bet", "call"),
        "pb": ("checked, faces a bet", "call"),
    }
    cards = {"J": "Jack", "Q": "Queen", "K": "King"}
    return Landmarks(
        unit="points per hand",
        uniform=tree.exploitability(tree.uniform()),
        family=Family("alpha", 0.0, 1 / 3, kuhn_poker.nash_table),
        cells=tuple(
            Cell(card + line, "bet", verb, name, row)
            for line, (row, verb) in lines.items()
            for card, name in cards.items()
        ),
    )


KNOWN: dict[str, Callable[[], Landmarks]] = {"kuhn_poker": _kuhn_poker}
