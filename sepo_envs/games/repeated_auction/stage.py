"""One round of the auction as a game of its own: its pure equilibria, found exactly.

A strategy is a bid for each value, as a tuple in the order of ``game.values``. All strategies are
tried, and payoffs are fractions, so a tie in a best response is a tie. Mixed equilibria, symmetric
and asymmetric, are found by `sepo_envs.games.repeated_auction.mixed`. By default the symmetric pure
ones are all: there is no asymmetric one, and no mixed one.

>>> from sepo_envs.games.repeated_auction.rules import RepeatedAuction
>>> for play in equilibria(RepeatedAuction()):
...     print(play.bids, play.profit, play.revenue)
(1, 2) 0.875 1.75
(2, 2) 0.5 2.0
(2, 3) 0.375 2.75
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from math import comb
from typing import Final

from sepo_envs.games.repeated_auction.rules import RepeatedAuction

MOST_STRATEGIES: Final = 100_000
"""With more there is no answer, rather than a search without end."""


@dataclass(frozen=True, slots=True)
class SymmetricPlay:
    """All bidders bid alike: ``bids[i]`` with the i-th value. Expected points per round."""

    bids: tuple[int, ...]
    profit: float
    """Of each bidder."""
    revenue: float
    """Of the seller."""


def symmetric_play(game: RepeatedAuction, bids: Sequence[int]) -> SymmetricPlay:
    """What bidders and seller earn when everybody plays ``bids``.

    >>> symmetric_play(RepeatedAuction(), (1, 1))
    SymmetricPlay(bids=(1, 1), profit=1.0, revenue=1.0)
    """
    profits = [
        _payoff(game, value, bid, bids) for value, bid in zip(game.values, bids, strict=True)
    ]
    seats = game.bidders
    revenue = sum(
        bid * (_below(bids, bid, or_equal=True) ** seats - _below(bids, bid) ** seats)
        for bid in set(bids)
    )
    return SymmetricPlay(tuple(bids), float(sum(profits) / len(profits)), float(revenue))


@cache
def all_bid_lowest(game: RepeatedAuction) -> SymmetricPlay:
    """The best that the bidders can agree on without staying away."""
    return symmetric_play(game, (game.bids[0],) * len(game.values))


@cache
def equilibria(game: RepeatedAuction) -> tuple[SymmetricPlay, ...]:
    """Every symmetric equilibrium in pure strategies, the most profitable first.

    Empty where there is none, or where there are more than `MOST_STRATEGIES` to try.
    """
    if len(game.bids) ** len(game.values) > MOST_STRATEGIES:
        return ()
    found = [
        symmetric_play(game, bids)
        for bids in product(game.bids, repeat=len(game.values))
        if _is_best_reply(game, bids, bids)
    ]
    return tuple(sorted(found, key=lambda play: -play.profit))


def asymmetric_equilibria(
    game: RepeatedAuction,
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Every equilibrium in pure strategies in which two bidders differ, each pair once.

    >>> asymmetric_equilibria(RepeatedAuction())
    ()

    Raises:
        ValueError: there are more than two bidders, or more than `MOST_STRATEGIES` pairs to try.
    """
    strategies = list(product(game.bids, repeat=len(game.values)))
    tried = comb(len(strategies), 2)
    if game.bidders != 2 or tried > MOST_STRATEGIES:
        raise ValueError(
            f"{game.bidders} bidders and {tried:,} pairs of strategies: asymmetric equilibria are "
            f"enumerated for 2 bidders and up to {MOST_STRATEGIES:,} pairs. Use a smaller grid."
        )
    return tuple(
        (one, other)
        for one, other in combinations(strategies, 2)
        if _is_best_reply(game, one, other) and _is_best_reply(game, other, one)
    )


def _is_best_reply(game: RepeatedAuction, bids: Sequence[int], theirs: Sequence[int]) -> bool:
    """Whether nobody who plays ``bids`` gains by another bid when all others play ``theirs``."""
    return all(
        _payoff(game, value, bid, theirs) >= _payoff(game, value, other, theirs)
        for value, bid in zip(game.values, bids, strict=True)
        for other in game.bids
    )


def _payoff(game: RepeatedAuction, value: int, bid: int, theirs: Sequence[int]) -> Fraction:
    """Expected points of ``bid`` with ``value`` when all others play ``theirs``."""
    others = game.bidders - 1
    below = _below(theirs, bid)
    tied = _below(theirs, bid, or_equal=True) - below
    wins = sum(
        (
            comb(others, many) * tied**many * below ** (others - many) / (many + 1)
            for many in range(others + 1)
        ),
        Fraction(0),
    )
    return Fraction(game.profit(value, bid)) * wins


def _below(bids: Sequence[int], bid: int, *, or_equal: bool = False) -> Fraction:
    """How likely one bidder who plays ``bids`` bids less than ``bid``."""
    return Fraction(sum(b < bid or (or_equal and b == bid) for b in bids), len(bids))
