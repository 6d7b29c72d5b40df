"""The item negotiation's strategies and its pools.

A strategy sees the table, its own values and every demand so far, never the other's values. "Half"
of an odd number of units is rounded down.

Two opponents of the train pool look like those of the exploit pool until the last round. Giving in
to them earns reward, so who maximises reward alone gives in to the exploiters too. Hardball is no
exploiter here: the one unit of each item that it leaves is worth more than half of the table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from opponents.opponent import Opponent, Pool
from sepo_envs.games.item_negotiation.rules import Observation, Vector, up_to, worth

AXELROD = "R. Axelrod, The Evolution of Cooperation (1984)"
BROWN = "G. W. Brown, Iterative solution of games by fictitious play (1951)"
SEPO = "Safe Equilibrium Policy Optimization, arXiv 2605.30854"
PROJECT = "this project, docs/opponents.md"


def pure(name: str, demand: Callable[[Observation], Vector], citation: str) -> Opponent:
    """The opponent that demands just this."""
    return Opponent(name, lambda seen: {demand(seen): 1.0}, citation)


def _dealt(seen: Observation) -> tuple[Vector, Vector]:
    """The table and the seat's own values."""
    assert seen.table is not None, "a seat decides only once the table is dealt"
    assert seen.values is not None, "a seat decides only once its values are dealt"
    return seen.table, seen.values


def _per_item(seen: Observation, units: Callable[[int, int], int]) -> Vector:
    """``units(how many there are, what one is worth)`` of each item."""
    books, hats, balls = starmap(units, zip(*_dealt(seen), strict=True))
    return books, hats, balls


def half(seen: Observation) -> Vector:
    """Half of each item, whatever it is worth."""
    return _per_item(seen, lambda count, value: count // 2)


def all_but_one(seen: Observation) -> Vector:
    return _per_item(seen, lambda count, value: count - 1)


def everything_of_value(seen: Observation) -> Vector:
    return _per_item(seen, lambda count, value: count if value else 0)


def all_but_cheapest(seen: Observation) -> Vector:
    """Everything but one unit of the item whose units are worth least to it, the first of several.

    >>> seen = Observation(seat=0, rounds=4, table=(4, 3, 3), values=(1, 2, 0), history=())
    >>> all_but_cheapest(seen)
    (4, 3, 2)
    """
    table, values = _dealt(seen)
    cheapest = values.index(min(values))
    books, hats, balls = (count - (i == cheapest) for i, count in enumerate(table))
    return books, hats, balls


def best_item_and(seen: Observation, *, rest: Callable[[Observation], Vector]) -> Vector:
    """All of the item that is worth most to it in all, and of the others what ``rest`` demands.

    >>> seen = Observation(seat=0, rounds=4, table=(4, 3, 3), values=(1, 2, 0), history=())
    >>> best_item_and(seen, rest=half)
    (2, 3, 1)
    """
    in_all = _per_item(seen, lambda count, value: count * value)
    best = in_all.index(max(in_all))
    table, _ = _dealt(seen)
    books, hats, balls = (table[i] if i == best else rest(seen)[i] for i in range(3))
    return books, hats, balls


def conceding(seen: Observation) -> Vector:
    """Its dearest units, until they are worth 8 tenths of the table to it; then 7, 6, 5 tenths.

    >>> seen = Observation(seat=0, rounds=4, table=(4, 3, 3), values=(1, 2, 0), history=())
    >>> conceding(seen)
    (2, 3, 0)
    """
    table, values = _dealt(seen)
    tenths = max(5, 8 - len(seen.history))
    demand = [0, 0, 0]
    missing = -(-tenths * worth(values, table) // 10)
    for i in sorted(range(3), key=lambda i: -values[i]):
        while missing > 0 and values[i] and demand[i] < table[i]:
            demand[i] += 1
            missing -= values[i]
    return demand[0], demand[1], demand[2]


def in_proportion(seen: Observation) -> Vector:
    """Of an item of average value half, of one worth twice as much all, and so in proportion.

    Rounded to whole units, halves down.

    >>> in_proportion(Observation(seat=0, rounds=4, table=(1, 2, 3), values=(2, 1, 2), history=()))
    (1, 1, 2)
    """
    table, values = _dealt(seen)
    whole, units = worth(values, table), sum(table)
    # count * value / (2 * whole / units), rounded to the nearest whole number, halves down
    return _per_item(
        seen, lambda count, value: min(count, -((whole - count * value * units) // (2 * whole)))
    )


def best_reply(seen: Observation) -> Vector:
    """What would have paid most against the other's demands so far, all equally likely.

    Before any demand it replies to half of each. Of equal replies it takes the first in the order
    of the moves, so it demands nothing that is worth nothing to it.

    >>> seen = Observation(seat=0, rounds=4, table=(1, 2, 3), values=(2, 1, 2), history=())
    >>> best_reply(seen)
    (1, 1, 2)
    """
    table, values = _dealt(seen)
    theirs = [past.theirs for past in seen.history] or [half(seen)]
    mine = _demands(table)
    fits = (mine[:, None] <= np.array(table) - np.array(theirs)).all(2).sum(1)
    return up_to(table)[int((mine @ np.array(values) * fits).argmax())]


@cache
def _demands(table: Vector) -> NDArray[np.int64]:
    """``(demands, items)``: every legal demand, in the order of the moves."""
    return np.array(up_to(table))


def yielding(seen: Observation) -> Vector:
    """What the other left last time; less than half of each at the start."""
    if not seen.history:
        return _per_item(seen, lambda count, value: (count - 1) // 2)
    table, _ = _dealt(seen)
    books, hats, balls = (
        count - taken for count, taken in zip(table, seen.history[-1].theirs, strict=True)
    )
    return books, hats, balls


def echo(seen: Observation) -> Vector:
    """What the other demanded last time; half of each at the start."""
    return seen.history[-1].theirs if seen.history else half(seen)


def until_last(stance: Callable[[Observation], Vector]) -> Callable[[Observation], Vector]:
    """``stance`` in all rounds but the last, in which it demands half of each item."""
    return lambda seen: half(seen) if len(seen.history) == seen.rounds - 1 else stance(seen)


FAIR = pure("fair", half, SEPO)
TIT_FOR_TAT = pure("tit-for-tat", echo, AXELROD)
CONCEDER = pure("conceder", conceding, SEPO)
FIRM = pure("firm", lambda seen: best_item_and(seen, rest=half), PROJECT)
GREEDY = pure("greedy-by-value", everything_of_value, SEPO)
HARDBALL = pure("hardball", all_but_one, SEPO)
GREEDY_UNTIL_LAST = pure("greedy-until-last", until_last(everything_of_value), PROJECT)
ALL_BUT_CHEAPEST = pure("all-but-cheapest", all_but_cheapest, PROJECT)
ALL_UNTIL_LAST = pure("all-but-cheapest-until-last", until_last(all_but_cheapest), PROJECT)
YIELDER = pure("yielder", yielding, PROJECT)
PROPORTIONAL = pure("proportional", in_proportion, SEPO)
BEST_REPLY = pure("best-reply", best_reply, BROWN)


def _anything(seen: Observation) -> dict[Vector, float]:
    legal = up_to(_dealt(seen)[0])
    return dict.fromkeys(legal, 1 / len(legal))


RANDOM = Opponent("random", _anything, PROJECT)

POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (FAIR, TIT_FOR_TAT, CONCEDER, FIRM, GREEDY_UNTIL_LAST, ALL_UNTIL_LAST)),
        Pool("exploit", (GREEDY, ALL_BUT_CHEAPEST)),
        Pool("collusive", (YIELDER,)),
        Pool("heldout", (HARDBALL, PROPORTIONAL, RANDOM, BEST_REPLY)),
    )
}
PAPER_POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (FAIR, TIT_FOR_TAT, CONCEDER)),
        Pool("exploit", (GREEDY, HARDBALL)),
        Pool("collusive", (FAIR,)),
    )
}
"""As published. They overlap: fair stands in two pools."""
OPPONENTS: dict[str, Opponent] = {
    opponent.name: opponent
    for pool in POOLS.values()
    for opponent in pool.opponents
    if isinstance(opponent, Opponent)
}
"""By name, for ``opponent=`` in the single-agent environments (entry point ``sepo.opponents``)."""

DEFENSIVE = pure("defensive", lambda seen: best_item_and(seen, rest=lambda other: (0, 0, 0)), SEPO)
DEMONSTRATORS: tuple[tuple[Opponent, float], ...] = (
    (PROPORTIONAL, 0.35),
    (FAIR, 0.25),
    (BEST_REPLY, 0.25),
    (DEFENSIVE, 0.15),
)
"""Who writes the traces of the warm start, and how often.

The weights are the published mixture's of proportional, conservative, adaptive and defensive; it
does not print the strategies, so these are ours: conservative demands half of each item, adaptive
replies to the demands so far, defensive keeps its best item and leaves the rest."""
