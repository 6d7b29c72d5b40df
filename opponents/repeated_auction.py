"""The repeated auction's strategies and its pools.

A strategy reads its value, the settled rounds and the legal bids. "On the default grid" values are
2 and 4 and bids 1, 2 and 3; ``2->1, 4->3`` bids 1 with value 2. Each also plays on other grids,
except those that name a bid that is not on them, and those that were computed for this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from opponents.adaptive import quantal_equilibrium
from opponents.opponent import Opponent, Policy, Pool
from sepo_envs.exact.tree import GameTree
from sepo_envs.games.repeated_auction.rules import Observation, RepeatedAuction, contenders

VICKREY = "W. Vickrey, Counterspeculation, auctions, and competitive sealed tenders (1961)"
BROWN = "G. W. Brown, Iterative solution of games by fictitious play (1951)"
MCAFEE = "R. P. McAfee and J. McMillan, Bidding rings, American Economic Review 82 (1992)"
AOYAGI = "M. Aoyagi, Bid rotation and collusion in repeated auctions, JET 112 (2003)"
AXELROD = "R. Axelrod, The Evolution of Cooperation (1984)"
SELTEN = "R. Selten and J. Buchta, Experimental sealed bid first price auctions (1999)"
GOEREE = "J. K. Goeree, C. A. Holt, T. R. Palfrey, Quantal response equilibrium, JET 104 (2002)"
SEPO = "Safe Equilibrium Policy Optimization, arXiv 2605.30854"
PROJECT = "this project, docs/opponents.md"

TEMPERATURE = 0.5
"""Of the quantal response, in points."""


def at_most(limit: float, grid: tuple[int, ...]) -> int:
    """The highest legal bid that is no higher than ``limit``, or else the lowest.

    >>> at_most(2.5, (1, 2, 3)), at_most(0, (1, 2, 3))
    (2, 1)
    """
    return max((bid for bid in grid if bid <= limit), default=grid[0])


def bids(choose: Callable[[Observation], int]) -> Policy:
    """The policy that surely makes the bid of ``choose``."""
    return lambda seen: {choose(seen): 1.0}


def by_value(limit: Callable[[int], float]) -> Policy:
    """The policy that bids at most ``limit(value)``, whatever has happened."""
    return bids(lambda seen: at_most(limit(_value(seen)), seen.grid))


def best_reply(seen: Observation) -> int:
    """The bid that would have earned most, with today's value, against the others' bids so far.

    The lowest of several; before anything is known, the best reply to uniform bids.

    >>> best_reply(Observation(0, 4, (), grid=(1, 2, 3)))
    2
    """
    others = [
        [bid for seat, bid in enumerate(past.bids) if seat != seen.seat] for past in seen.past
    ] or [[bid] for bid in seen.grid]

    def earned(bid: int) -> float:
        tables = [contenders((bid, *theirs)) for theirs in others]
        wins = sum(1 / len(tied) for tied in tables if 0 in tied)
        return (_value(seen) - bid) * wins

    return max(seen.grid, key=lambda bid: (earned(bid), -bid))


def on_its_turn(seen: Observation) -> int:
    """2 in every n-th round, else the lowest bid; seat 0 begins."""
    number = len(seen.past)
    turn = number % len(seen.past[0].bids) if seen.past else 0
    return at_most(2, seen.grid) if seen.seat == turn else seen.grid[0]


def last_bid_of_others(seen: Observation) -> int:
    """What the highest of the others bid last; the lowest bid at first, and after no bid."""
    if not seen.past:
        return seen.grid[0]
    theirs = [bid for seat, bid in enumerate(seen.past[-1].bids) if seat != seen.seat]
    return max((bid for bid in theirs if bid is not None), default=seen.grid[0])


def ladder(seen: Observation) -> int:
    """One step above its last bid after losing, one below after winning, never above its value."""
    if not seen.past:
        return seen.grid[0]
    last = seen.past[-1].bids[seen.seat]
    rung = 0 if last is None else seen.grid.index(last)
    rung += -1 if seen.past[-1].winner == seen.seat else 1
    return at_most(_value(seen), seen.grid[: max(1, rung + 1)])


@cache
def quantal_bids() -> Mapping[int, Mapping[int, float]]:
    """By value, the logit equilibrium of one default round at `TEMPERATURE`."""
    game = RepeatedAuction(rounds=1)
    table = quantal_equilibrium(GameTree(game), temperature=TEMPERATURE)
    return {value: table[f"0|{value}"] for value in game.values}


def quantal(seen: Observation) -> Mapping[int, float]:
    value = _value(seen)
    if value not in quantal_bids() or seen.grid != RepeatedAuction().bids:
        raise ValueError(f"it knows the default values and bids only, not {value} of {seen.grid}")
    return quantal_bids()[value]


def uniform(seen: Observation) -> dict[int, float]:
    return dict.fromkeys(seen.grid, 1 / len(seen.grid))


def _value(seen: Observation) -> int:
    if seen.value is None:
        raise ValueError("nobody bids before the values are dealt")
    return seen.value


def _lowest(seen: Observation) -> int:
    return seen.grid[0]


HALF_VALUE = Opponent("half-value", by_value(lambda value: value / 2), VICKREY)
VALUE_MINUS_1 = Opponent("value-minus-1", by_value(lambda value: value - 1), SEPO)
ADAPTIVE = Opponent("adaptive", bids(best_reply), BROWN)
COMPETITIVE = Opponent("competitive", by_value(lambda value: value), PROJECT)
"""The equilibrium of one default round that pays the bidders least."""

ALWAYS_2 = Opponent("always-2", lambda seen: {2: 1.0}, PROJECT)
ALWAYS_3 = Opponent("always-3", lambda seen: {3: 1.0}, SEPO)

ALWAYS_1 = Opponent("always-1", lambda seen: {1: 1.0}, MCAFEE)
BID_ROTATION = Opponent("bid-rotation", bids(on_its_turn), AOYAGI)

QUANTAL = Opponent("quantal-0.5", quantal, GOEREE)
TIT_FOR_TAT = Opponent("tit-for-tat", bids(last_bid_of_others), AXELROD)
LADDER = Opponent("ladder", bids(ladder), SELTEN)

POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (HALF_VALUE, VALUE_MINUS_1, ADAPTIVE, COMPETITIVE)),
        Pool("exploit", (ALWAYS_2, ALWAYS_3)),
        Pool("collusive", (ALWAYS_1, BID_ROTATION)),
        Pool("heldout", (QUANTAL, TIT_FOR_TAT, LADDER)),
    )
}

TRUTHFUL = Opponent("truthful", COMPETITIVE.policy, SEPO)
CONSERVATIVE = Opponent("conservative", bids(_lowest), SEPO)
SHADED = Opponent("shaded", bids(_lowest), SEPO)
AGGRESSIVE = Opponent("aggressive", ALWAYS_3.policy, SEPO)
LOW = Opponent("low", bids(_lowest), SEPO)
PAPER_POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (TRUTHFUL, CONSERVATIVE, SHADED, ADAPTIVE)),
        Pool("exploit", (AGGRESSIVE,)),
        Pool("collusive", (LOW,)),
    )
}
"""As published, and overlapping: Conservative, Shaded and Low all bid 1 always."""

UNIFORM = Opponent("uniform", uniform, PROJECT)
OPPONENTS: dict[str, Opponent] = {
    opponent.name: opponent
    for pool in (*POOLS.values(), *PAPER_POOLS.values(), Pool("demonstrators", (UNIFORM,)))
    for opponent in pool.opponents
    if isinstance(opponent, Opponent)
}
"""By name, for ``opponent=`` in the single-agent environments (entry point ``sepo.opponents``)."""

DEMONSTRATORS: tuple[tuple[Opponent, float], ...] = (
    (HALF_VALUE, 0.44),
    (VALUE_MINUS_1, 0.28),
    (ADAPTIVE, 0.20),
    (UNIFORM, 0.08),
)
"""Who writes the traces of the warm start, and how often: the published mixture, whose value bidder
plays 2->1, 4->2 and whose aggressive one 2->1, 4->3."""
