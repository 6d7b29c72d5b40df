"""The split negotiation's strategies and its pools.

Strategies are written for a pie of 10 and scale with it. A forfeited demand is seen as 0.

The pools tell methods apart because giving in to `stubborn` earns reward and, until the last round,
looks like giving in to `hardball`: who maximises reward alone yields to both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from opponents.opponent import Opponent, Pool
from sepo_envs.games.split_negotiation.rules import Observation

NASH = "J. F. Nash, Two-person cooperative games, Econometrica 21 (1953)"
AXELROD = "R. Axelrod, The Evolution of Cooperation (1984)"
SEPO = "Safe Equilibrium Policy Optimization, arXiv 2605.30854"
PROJECT = "this project, docs/opponents.md"


def _legal(seen: Observation, demand: int) -> int:
    return max(1, min(seen.pie - 1, demand))


def _tenths(seen: Observation, tenths: int) -> int:
    """That many tenths of the pie, rounded to a legal demand."""
    return _legal(seen, (tenths * seen.pie + 5) // 10)


def pure(name: str, demand: Callable[[Observation], int], citation: str) -> Opponent:
    """The opponent that demands just this, clipped to the legal demands."""
    return Opponent(name, lambda seen: {_legal(seen, demand(seen)): 1.0}, citation)


def by_round(name: str, tenths: Sequence[int], citation: str) -> Opponent:
    """Demands by round, in tenths of the pie, whatever the other does; the last one stays.

    >>> by_round("falling", (8, 7), "none").policy(Observation(0, 10, 4, ((8, 9), (7, 9))))
    {7: 1.0}
    """

    def demand(seen: Observation) -> int:
        return _tenths(seen, tenths[min(len(seen.history), len(tenths) - 1)])

    return pure(name, demand, citation)


def uniform(name: str, low: int, high: int, citation: str) -> Opponent:
    """Any demand from ``low`` to ``high`` tenths of the pie, equally likely."""

    def policy(seen: Observation) -> Mapping[int, float]:
        demands = range(_tenths(seen, low), _tenths(seen, high) + 1)
        return dict.fromkeys(demands, 1 / len(demands))

    return Opponent(name, policy, citation)


def _stubborn(seen: Observation) -> int:
    """8, and 7 in the last round."""
    return _tenths(seen, 7 if len(seen.history) == seen.rounds - 1 else 8)


def _yielding(seen: Observation) -> int:
    """What the other left last time; 4 at the start."""
    return seen.pie - seen.history[-1][1] if seen.history else _tenths(seen, 4)


def _tit_for_tat(seen: Observation) -> int:
    """What the other demanded last time; half at the start."""
    return seen.history[-1][1] if seen.history else _tenths(seen, 5)


def _conceding(seen: Observation) -> int:
    """6, and 5 after a breakdown for good."""
    broken = any(mine + theirs > seen.pie for mine, theirs in seen.history)
    return _tenths(seen, 5 if broken else 6)


FAIR = by_round("fair", (5,), NASH)
BALANCED = by_round("balanced", (6,), SEPO)
CONCEDER = by_round("conceder", (8, 7, 6, 5), PROJECT)
STUBBORN = pure("stubborn", _stubborn, PROJECT)
HARDBALL = by_round("hardball", (8,), SEPO)
GREEDY = by_round("greedy", (9,), PROJECT)
YIELDER = pure("yielder", _yielding, PROJECT)
TIT_FOR_TAT = pure("tit-for-tat", _tit_for_tat, AXELROD)
RANDOM = uniform("random-3-to-7", 3, 7, PROJECT)
UNIFORM = uniform("uniform", 1, 9, PROJECT)
CONCEDES_ONCE = pure("concedes-once", _conceding, SEPO)
"""The published conceder."""
SELFISH = by_round("selfish", (7,), SEPO)

POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (FAIR, BALANCED, CONCEDER, STUBBORN)),
        Pool("exploit", (HARDBALL, GREEDY)),
        Pool("collusive", (YIELDER,)),
        Pool("heldout", (TIT_FOR_TAT, RANDOM, UNIFORM)),
    )
}
PAPER_POOLS: dict[str, Pool] = {
    pool.name: pool
    for pool in (
        Pool("train", (FAIR, BALANCED, CONCEDES_ONCE, HARDBALL)),
        Pool("exploit", (SELFISH, HARDBALL)),
        Pool("collusive", (FAIR,)),
    )
}
"""As published. They overlap: hardball and fair stand in two pools each."""
OPPONENTS: dict[str, Opponent] = {
    opponent.name: opponent
    for pools in (POOLS, PAPER_POOLS)
    for pool in pools.values()
    for opponent in pool.opponents
    if isinstance(opponent, Opponent)
}
"""By name, for ``opponent=`` in the single-agent environments (entry point ``sepo.opponents``)."""

DEMONSTRATORS: tuple[tuple[Opponent, float], ...] = (
    (FAIR, 0.32),
    (BALANCED, 0.27),
    (CONCEDES_ONCE, 0.18),
    (TIT_FOR_TAT, 0.15),
    (UNIFORM, 0.08),
)
"""Who writes the traces of the warm start, and how often: the published mixture."""
