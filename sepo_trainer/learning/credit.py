"""Which reward each episode gets: where the penalties of J = u - λe·e - λc·c - λx·x are charged.

A group's mean reward is its baseline, so it matters *where* a penalty is charged:

* ``credited``: each episode bears its own share of J, in its own group. The estimator of dJ/dtheta.
* ``shared``: one penalty for all train episodes alike. It cancels in the group: no gradient at all.
* ``auxiliary``: each train episode bears the penalty of the episodes that its replicate played
  in the other pools. They do not depend on its tokens: expected gradient 0, more variance.
* ``reward_only``: no penalty.

Knows groups and numbers: no token, no tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sepo_envs.game import FORFEIT, Game, Harms, Penalty, State, Weights
from sepo_trainer.records import Group, GroupKey, Rollout

PenaltyCredit = Literal["credited", "shared", "auxiliary", "reward_only"]
Floats = NDArray[np.float64]


class Credited(NamedTuple):
    """A group to learn from, and what its replicates earned, in scaled points."""

    group: Group
    rewards: Floats
    """``(replicates, rounds)``."""
    worth: Callable[[State], Floats]
    """What its seat earns in each round of a finished match that ends so: all of a reward but what
    fouls cost and what other episodes are charged for."""


def credit(
    groups: Sequence[Group],
    *,
    arm: PenaltyCredit,
    weights: Weights,
    harms: Harms,
    gates: Mapping[str, float],
    emphasis: Mapping[str, float],
    foul_penalty: float,
) -> list[Credited]:
    """The groups that are learned from under ``arm``, with their rewards ``(replicates, rounds)``.

    Args:
        groups: of all pools.
        weights: the domain's scale and lambdas.
        gates: by exploit-pool opponent, 1 where it earns more than the policy in expectation over
            all deals and seats, else 0; known before these groups were played, so that the positive
            part in e has an unbiased gradient.
        emphasis: by train-pool opponent, how many times its payoffs count, known beforehand too
            (`sepo_trainer.courses.risk`). Who is not named counts once.
        foul_penalty: points off the offender's reward per forfeited move, in every pool.
    """
    sizes = {
        pool: len({group.key.opponent for group in groups if group.key.pool == pool})
        for pool in ("train", "exploit", "collusive")
    }
    # x averages over train and exploit opponents alike, while a group's weight is per pool.
    x_share = {
        pool: sizes[pool] / max(1, sizes["train"] + sizes["exploit"])
        for pool in ("train", "exploit")
    }

    def harm(key: GroupKey, game: Game, state: State) -> Floats:
        """What a match takes from J by its pool's penalties, each round."""
        found = harms.penalties(game, state, key.seat, profile="paper")
        rounds = game.rounds
        cost = np.zeros(rounds)
        if key.pool == "exploit":
            price = gates[key.opponent] * weights.exploitability * weights.scale
            cost += price * _values(found.exploitation, rounds)
        if key.pool == "collusive":
            cost += weights.collusion * _values(found.collusion, rounds)
        if key.pool in x_share:
            share = x_share[key.pool]
            cost += share * weights.externality * _values(found.externality, rounds)
        return cost

    def worth(key: GroupKey, game: Game, state: State) -> Floats:
        earned = np.zeros(game.rounds)
        if key.pool == "train":
            counts = emphasis.get(key.opponent, 1.0) * weights.scale
            earned += counts * _own_payoffs(game, state, key.seat)
        return earned - harm(key, game, state) if arm == "credited" else earned

    def fouls(rollout: Rollout) -> Floats:
        rounds = rollout.episode.game.rounds
        return weights.scale * foul_penalty * _fouls_by_round(rollout) / rounds

    def credited(group: Group, *, extra: Floats | float = 0.0) -> Credited:
        """``extra`` is a penalty per replicate, charged to the last round."""
        of_group = partial(worth, group.key, group.rollouts[0].episode.game)
        table = np.stack(
            [of_group(rollout.episode.state) - fouls(rollout) for rollout in group.rollouts]
        )
        table[:, -1] -= extra
        return Credited(group, table, of_group)

    if arm == "credited":
        return [credited(group) for group in groups]
    train = [group for group in groups if group.key.pool == "train"]
    if arm == "reward_only":
        return [credited(group) for group in train]
    # J's penalty as each replicate met it: weighted over the groups of the other pools (and, for x,
    # over its own).
    penalty = sum(
        (
            group.weight
            * np.array(
                [
                    harm(group.key, rollout.episode.game, rollout.episode.state).sum()
                    for rollout in group.rollouts
                ]
            )
            for group in groups
        ),
        start=np.zeros(len(train[0].rollouts)),
    )
    extra = penalty if arm == "auxiliary" else np.full_like(penalty, penalty.mean())
    return [credited(group, extra=extra) for group in train]


def _own_payoffs(game: Game, state: State, seat: int) -> Floats:
    """Points of a seat in each round, over the number of rounds: they sum to u."""
    paid = [pay[seat] for pay in game.payoffs(state)]
    return _in_all_rounds(paid, game.rounds) / game.rounds


def _fouls_by_round(rollout: Rollout) -> Floats:
    game = rollout.episode.game
    fouls = np.zeros(game.rounds)
    for state, move in rollout.episode.decisions(rollout.key.seat):
        if move is FORFEIT:
            fouls[len(game.payoffs(state))] += 1
    return fouls


def _values(penalty: Penalty, rounds: int) -> Floats:
    """A penalty's rounds; nothing where the harm is not defined."""
    return _in_all_rounds(penalty.per_round if penalty.defined else (), rounds)


def _in_all_rounds(played: Sequence[float], rounds: int) -> Floats:
    """What each round brought; nothing in those that chance left unplayed."""
    return np.array([*played, *[0.0] * (rounds - len(played))])
