"""What an equilibrium does in the kinds of situations that `benchmarks.leaderboard.habits` tells
apart: the same deals, the same seats, anything that can have happened before.

In Kuhn poker, whose equilibria are a family, it is the range over all of them. What is played
elsewhere (`benchmarks.leaderboard.equilibria`) depends on the situation's kind alone, in item
negotiation on the deal too; so it is asked in matches of random players, who get everywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

from benchmarks.leaderboard.agents import RANDOM, strategies
from benchmarks.leaderboard.equilibria import equilibrium
from benchmarks.leaderboard.habits import habits
from opponents.matches import play_matches
from sepo_envs.catalogue import domain
from sepo_envs.game import Move
from sepo_envs.games.item_negotiation.rules import worth
from sepo_trainer.runs.report.landmarks import landmarks


class Range(NamedTuple):
    """How often a move is made, at least and at most over the equilibria that are known."""

    low: float
    high: float


Rows: TypeAlias = Mapping[str, Mapping[str, Range]]
"""By kind of situation, by move."""


@cache
def equilibrium_moves(game: str, seed: int, deals: int) -> Rows:
    """Of the domain ``game``, on that many deals of ``seed``.

    >>> equilibrium_moves("prisoners_dilemma", seed=0, deals=2)["after CC"]
    {'D': Range(low=1.0, high=1.0)}
    >>> equilibrium_moves("kuhn_poker", seed=0, deals=2)["Qb"]["bet"]
    Range(low=0.3333333333333333, high=0.3333333333333333)
    """
    family = landmarks(game).family
    if family is not None:
        return {
            situation: {move: Range(*family.band(situation, move)) for move in row}
            for situation, row in family.rows(family.low).items()
        }
    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for kind, row in _asked(game, seed, deals):
        for move, probability in row.items():
            found[kind][move] += probability
    return {
        kind: {
            move: Range(share, share)
            for move, times in row.items()
            for share in [times / sum(row.values())]
            if times
        }
        for kind, row in found.items()
    }


def _asked(game: str, seed: int, deals: int) -> Iterator[tuple[str, Mapping[str, float]]]:
    """What the equilibrium does wherever random players get, and what kind of situation it is."""
    known, player = domain(game), equilibrium(game)
    rules = known.make()
    anybody = [strategies(game)[RANDOM]] * rules.seats
    for match in play_matches(known, anybody, deals=range(deals), seed=seed):
        for seat in range(rules.seats):
            made = zip(match.episode.decisions(seat), habits(match.episode, seat), strict=True)
            for (state, _), habit in made:
                seen = rules.observe(state, seat)
                row = player.probabilities(seen, tuple(rules.legal_moves(state, seat)))
                told: dict[str, float] = defaultdict(float)
                for move, probability in row.items():
                    told[_NAMED[game](move, seen)] += probability
                yield habit.kind, told


def _letter(move: Any, seen: Any) -> str:
    return str(move.value[0].upper())


def _worth(move: Move, seen: Any) -> str:
    return str(worth(seen.values, move))


def _itself(move: Move, seen: Any) -> str:
    return str(move)


_NAMED: Final[Mapping[str, Callable[[Move, Any], str]]] = {
    "prisoners_dilemma": _letter,
    "repeated_auction": _itself,
    "split_negotiation": _itself,
    "item_negotiation": _worth,
}
"""A move as `habits` names it."""
