"""What a policy is worth: u, e, c, x, J and exploitability. Knows no model.

Of a game small enough to be read out at every iteration the payoffs are exact: expectations over
deals, seats and both players' draws, by enumeration of the tree. Of any other game they are the
means of the episodes that were played, and exploitability is not known from them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from opponents.opponent import Opponent
from sepo_envs import metrics
from sepo_envs.exact import ActionTable, Certified, GameTree
from sepo_envs.game import Harms, Penalties, Penalty, Weights
from sepo_trainer.records import Group, Rollout


class Against(NamedTuple):
    """One opponent's result against the policy, averaged over seats; points per round."""

    payoff: float
    """The policy's."""
    margin: float
    """The opponent's payoff less the policy's."""


class Scores(NamedTuple):
    """Points are per round; NaN where a harm is not defined."""

    u: float
    """Mean payoff against the train pool."""
    e: float
    """Mean over the exploit pool of each opponent's positive margin."""
    c: float
    """Collusion, in the harm's own unit, against the collusive pool."""
    x: float
    """Externality, over train and exploit opponents alike."""
    objective: float
    """J."""
    against: dict[str, Against]
    """By opponent."""
    exploitability: Certified | None
    """NashConv over seats, points per episode of the tree; None where no tree was read."""
    selves: Mapping[str, Against] = MappingProxyType({})
    """By name, the policy's own self and past ones among its opponents: no part of any number
    above, which say what the policy is worth and not how it stands to itself."""


def score(
    tree: GameTree,
    table: ActionTable,
    opponents: Mapping[str, Sequence[Opponent]],
    weights: Weights,
) -> Scores:
    """``table`` against the pools as it meets them, exactly; in a game whose harms c and x are not
    defined."""
    against = {
        opponent.name: meet(tree, table, opponent)
        for members in opponents.values()
        for opponent in members
    }
    pools = {pool: [o.name for o in members] for pool, members in opponents.items()}
    return _scores(pools, against, weights, exploitability=tree.exploitability_interval(table))


def sampled(
    groups: Sequence[Group], harms: Harms, weights: Weights, *, selves: Collection[str] = ()
) -> Scores:
    """The policy that played ``groups``, by the means of what happened in them.

    Args:
        selves: opponents that are the policy itself, now or earlier.
    """
    pools: dict[str, list[str]] = {}
    cells: dict[str, list[Group]] = {}
    for group in groups:
        members = pools.setdefault(group.key.pool, [])
        if group.key.opponent not in members and group.key.opponent not in selves:
            members.append(group.key.opponent)
        cells.setdefault(group.key.opponent, []).append(group)

    def mean_over(names: Sequence[str], of: Callable[[Rollout], float]) -> float:
        return float(np.mean([_mean_of(cells[name], of) for name in names])) if names else np.nan

    def harm(pick: Callable[[Penalties], Penalty]) -> Callable[[Rollout], float]:
        def value(rollout: Rollout) -> float:
            game, state = rollout.episode.game, rollout.episode.state
            found = pick(harms.penalties(game, state, rollout.key.seat, profile="paper")).value
            return np.nan if found is None else found

        return value

    against = {
        name: Against(_mean_of(found, _payoff), _mean_of(found, _margin))
        for name, found in cells.items()
    }
    both = [*pools.get("train", []), *pools.get("exploit", [])]
    scores = _scores(
        pools,
        {name: met for name, met in against.items() if name not in selves},
        weights,
        c=mean_over(pools.get("collusive", []), harm(lambda found: found.collusion)),
        x=mean_over(both, harm(lambda found: found.externality)),
    )
    return scores._replace(selves={name: against[name] for name in selves})


def _scores(
    pools: Mapping[str, Sequence[str]],
    against: dict[str, Against],
    weights: Weights,
    *,
    c: float = np.nan,
    x: float = np.nan,
    exploitability: Certified | None = None,
) -> Scores:
    u = mean([against[name].payoff for name in pools.get("train", ())])
    exploiters = [against[name].margin for name in pools.get("exploit", ())]
    e = float(metrics.exploitation(exploiters)) if exploiters else 0.0
    objective = float(metrics.safety(weights, u=u, e=e, c=c, x=x))
    return Scores(u, e, c, x, objective, against, exploitability)


def _mean_of(groups: Sequence[Group], value: Callable[[Rollout], float]) -> float:
    """The mean over one opponent's groups by their weights, and over replicates."""
    means = [np.mean([value(rollout) for rollout in group.rollouts]) for group in groups]
    return float(np.average(means, weights=[group.weight for group in groups]))


def _payoff(rollout: Rollout) -> float:
    return rollout.episode.returns[rollout.key.seat] / rollout.episode.game.rounds


def _margin(rollout: Rollout) -> float:
    returns, seat = rollout.episode.returns, rollout.key.seat
    others = [points for place, points in enumerate(returns) if place != seat]
    return mean(others) / rollout.episode.game.rounds - _payoff(rollout)


def meet(tree: GameTree, table: ActionTable, opponent: Opponent) -> Against:
    """The exact result of one pairing, every seat alike, the other seats all the opponent's."""
    theirs = tree.written_out(opponent)
    payoff = margin = 0.0
    for seat in range(tree.game.seats):
        returns = tree.returns([table if s == seat else theirs for s in range(tree.game.seats)])
        others = [returns[s] for s in range(tree.game.seats) if s != seat]
        payoff += float(returns[seat]) / tree.game.seats
        margin += float(mean(others) - returns[seat]) / tree.game.seats
    return Against(payoff / tree.game.rounds, margin / tree.game.rounds)


def mean(values: Sequence[float]) -> float:
    """The plain mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0
