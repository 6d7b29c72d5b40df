"""The deals that a table of items allows, and which of them are efficient.

>>> for deal in pareto_frontier((1, 2, 3), ((2, 1, 2), (8, 1, 0))):
...     print(deal, nash_product((1, 2, 3), ((2, 1, 2), (8, 1, 0)), deal.demand))
Deal(demand=(0, 0, 3), points=(6.0, 10.0)) 60.0
Deal(demand=(0, 1, 3), points=(7.0, 9.0)) 63.0
Deal(demand=(0, 2, 3), points=(8.0, 8.0)) 64.0
Deal(demand=(1, 1, 3), points=(9.0, 1.0)) 9.0
Deal(demand=(1, 2, 3), points=(10.0, 0.0)) 0.0
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, TypeAlias

from sepo_envs.games import bargaining
from sepo_envs.games.item_negotiation.rules import Vector, up_to, worth

Values: TypeAlias = tuple[Vector, Vector]
"""Seat 0's and seat 1's, per unit."""


class Deal(NamedTuple):
    """Seat 0 gets ``demand`` and seat 1 all the rest."""

    demand: Vector
    points: bargaining.Points


def points(table: Vector, values: Values, demand: Vector) -> bargaining.Points:
    """What each seat is paid if seat 0 takes ``demand`` and seat 1 all the rest."""
    books, hats, balls = (count - taken for count, taken in zip(table, demand, strict=True))
    return float(worth(values[0], demand)), float(worth(values[1], (books, hats, balls)))


def nash_product(table: Vector, values: Values, demand: Vector) -> float:
    """The product of the two payoffs of that deal."""
    return bargaining.nash_product(points(table, values, demand))


@lru_cache(maxsize=8192)
def pareto_frontier(table: Vector, values: Values) -> tuple[Deal, ...]:
    """One deal for each pair of payoffs on the Pareto frontier, seat 0's worst first.

    No deal leaves anything on the table, as worth is never negative; of deals that pay alike, the
    first in the order of the moves stands for all.
    """
    by_points: dict[bargaining.Points, Vector] = {}
    for demand in up_to(table):
        by_points.setdefault(points(table, values, demand), demand)
    return tuple(Deal(by_points[pair], pair) for pair in bargaining.pareto_frontier(by_points))
