"""What a policy is worth exactly, from its action table: u, e, J and exploitability. Knows no
model.

Every number is an expectation over deals, seats and both players' draws, by enumeration of the
tree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from opponents.opponent import Opponent
from sepo_envs.exact import ActionTable, Certified, GameTree
from sepo_envs.game import Weights


class Against(NamedTuple):
    """One opponent's exact result against the policy, averaged over seats; points per episode."""

    payoff: float
    """The policy's."""
    margin: float
    """The opponent's payoff less the policy's."""


class Scores(NamedTuple):
    """Exact where `exploitability.high - low` is small: the interval tells what was not covered."""

    exploitability: Certified
    """NashConv over seats, points per episode."""
    u: float
    """Mean payoff against the train pool."""
    e: float
    """Mean over the exploit pool of each opponent's positive margin."""
    objective: float
    """J = s u - lambda_e s e: its payoff part. Collusion and externality are measured by play."""
    against: dict[str, Against]
    """By opponent."""


def score(
    tree: GameTree,
    table: ActionTable,
    opponents: Mapping[str, Sequence[Opponent]],
    weights: Weights,
) -> Scores:
    """``table`` against the pools as it meets them."""
    against = {
        opponent.name: meet(tree, table, opponent)
        for members in opponents.values()
        for opponent in members
    }
    u = mean([against[o.name].payoff for o in opponents.get("train", ())])
    e = mean([max(0.0, against[o.name].margin) for o in opponents.get("exploit", ())])
    return Scores(
        exploitability=tree.exploitability_interval(table),
        u=u,
        e=e,
        objective=weights.scale * (u - weights.exploitability * e),
        against=against,
    )


def meet(tree: GameTree, table: ActionTable, opponent: Opponent) -> Against:
    """The exact result of one pairing, every seat alike, the other seats all the opponent's."""
    theirs = tree.written_out(opponent)
    payoff = margin = 0.0
    for seat in range(tree.game.seats):
        returns = tree.returns([table if s == seat else theirs for s in range(tree.game.seats)])
        others = [returns[s] for s in range(tree.game.seats) if s != seat]
        payoff += float(returns[seat]) / tree.game.seats
        margin += float(mean(others) - returns[seat]) / tree.game.seats
    return Against(payoff, margin)


def mean(values: Sequence[float]) -> float:
    """The plain mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0
