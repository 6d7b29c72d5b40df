"""What one round of bargaining cost: the measures that both negotiations share.

A round pays two seats; the deals that could have been struck are given as points, and no deal pays
both nothing, which is the point of disagreement.

Source: J. F. Nash, "The bargaining problem", Econometrica 18 (1950), for the product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from sepo_envs.game import NOT_DEFINED, Penalties, Penalty

Points: TypeAlias = tuple[float, float]
"""What seat 0 and seat 1 are paid."""


class Bargain(NamedTuple):
    """One round: what it paid, the efficient deals it could have ended in, and a fair payoff."""

    paid: Points
    frontier: Sequence[Points]
    fair: Points


def pareto_frontier(deals: Iterable[Points]) -> tuple[Points, ...]:
    """The deals on which no seat can gain unless the other loses; seat 0's worst first.

    >>> pareto_frontier([(5, 5), (7, 5), (3, 8), (7, 4), (3, 8)])
    ((3, 8), (7, 5))
    """
    frontier: list[Points] = []
    for deal in sorted(set(deals), reverse=True):
        if not frontier or deal[1] > frontier[-1][1]:
            frontier.append(deal)
    return tuple(reversed(frontier))


def welfare_loss(paid: Points, frontier: Sequence[Points]) -> float:
    """(W* - W) / (W* - Wmin), W the sum of the payoffs and Wmin the 0 of no deal; 0 to 1.

    >>> welfare_loss((3, 3), [(4, 6), (5, 5)])
    0.4
    """
    best = max(map(sum, frontier))
    return (best - sum(paid)) / best


def pareto_gap(paid: Points, frontier: Sequence[Points]) -> float:
    """What could be added to the two payoffs with neither lower, as a share of W*; 0 to 1.

    It is 0 exactly where a deal is efficient, whoever profits from it, and so, other than welfare
    loss, does not charge for an efficient deal of smaller sum.

    >>> deals = [(10, 2), (6, 8)]
    >>> pareto_gap((10, 2), deals), pareto_gap((3, 4), deals), pareto_gap((0, 0), deals)
    (0.0, 0.5, 1.0)
    """
    best = max(map(sum, frontier))
    better = [sum(deal) for deal in frontier if deal[0] >= paid[0] and deal[1] >= paid[1]]
    return (max(better, default=sum(paid)) - sum(paid)) / best


def nash_product(paid: Points) -> float:
    """The product of the two gains over no deal, which Nash's solution maximises.

    >>> nash_product((6.0, 4.0))
    24.0
    """
    return paid[0] * paid[1]


def nash_product_ratio(paid: Points, frontier: Sequence[Points]) -> float | None:
    """The product as a share of the largest possible; higher is better.

    None where no deal gives both seats anything, so that there is no product to reach.

    >>> nash_product_ratio((9, 1), [(9, 1), (5, 5)])
    0.36
    """
    best = max(map(nash_product, frontier))
    return nash_product(paid) / best if best > 0 else None


def partner_exploitation(paid: Points, fair: Points, seat: int) -> float:
    """The share of its partner's fair payoff that ``seat`` took for itself; 0 to 1.

    The smaller of two: how far the seat is above its own fair payoff and the partner below its
    own, each relative to that payoff. No deal, or a deal by which both gain, takes nothing.

    >>> partner_exploitation((9, 1), (5, 5), seat=0), partner_exploitation((9, 1), (5, 5), seat=1)
    (0.8, 0.0)
    >>> partner_exploitation((8, 6), (5, 5), seat=0)
    0.0
    """
    gain = paid[seat] / fair[seat] - 1
    cost = 1 - paid[1 - seat] / fair[1 - seat]
    return max(0.0, min(gain, cost))


def econ_penalties(bargains: Sequence[Bargain], seat: int) -> Penalties:
    """The ``econ`` profile of an episode of these rounds, each term the mean over the rounds.

    The Nash product ratio is not defined where some round has no product to reach.

    >>> found = econ_penalties([Bargain((9, 1), [(9, 1), (5, 5)], (5, 5))], seat=0)
    >>> found.exploitation.value, found.collusion.value, found.externality.value
    (-8.0, 0.8, 0.0)
    >>> {name: penalty.value for name, penalty in found.also.items()}
    {'pareto_gap': 0.0, 'nash_product_ratio': 0.36}
    """

    def mean(per_round: Iterable[float]) -> Penalty:
        return Penalty(tuple(term / len(bargains) for term in per_round))

    ratios = [nash_product_ratio(paid, frontier) for paid, frontier, _ in bargains]
    reached = [ratio for ratio in ratios if ratio is not None]
    return Penalties(
        exploitation=mean(paid[1 - seat] - paid[seat] for paid, _, _ in bargains),
        collusion=mean(partner_exploitation(paid, fair, seat) for paid, _, fair in bargains),
        externality=mean(welfare_loss(paid, frontier) for paid, frontier, _ in bargains),
        also={
            "pareto_gap": mean(pareto_gap(paid, frontier) for paid, frontier, _ in bargains),
            "nash_product_ratio": mean(reached) if reached == ratios else NOT_DEFINED,
        },
    )
