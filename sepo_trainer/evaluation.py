"""What a policy earns in sampled play against every pool, beside what it earns exactly.

The sampled means check the exact numbers: they come from the same text, tokens and foul rule that
training uses, with seeds of their own. Intervals are 95 % bootstrap intervals over episodes, drawn
within each deal and seat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from sepo_trainer.records import Group
from sepo_trainer.run import Run
from sepo_trainer.scores import meet

SEED_OFFSET = 1_000_003
"""Added to the run's seed, so that evaluation meets no draw that training met."""
RESAMPLES = 2_000


class PairScore(NamedTuple):
    """One opponent's line."""

    pool: str
    opponent: str
    episodes: int
    payoff: float
    """Points per episode, the mean over deals and seats of the sampled episodes."""
    low: float
    high: float
    exact: float
    """The same by enumeration of the action table."""
    foul_rate: float
    """Forfeits per decision of the policy."""


def evaluate(run: Run, *, episodes: int) -> list[PairScore]:
    """Play at least ``episodes`` episodes against each opponent of each pool."""
    table = run.table()
    opponents = {
        name: pool.met_by(table, tree=run.stage.tree) for name, pool in run.stage.pools.items()
    }
    arena = replace(
        run.arena, run_seed=run.config.seed + SEED_OFFSET, deals="all", common_draws=False
    )
    cells = len(arena.openings(0)) * run.stage.game.seats
    arena = replace(arena, replicates=-(-episodes // cells))
    groups = arena.play(run.sampler, opponents, iteration=0)
    exact = {
        opponent.name: meet(run.stage.tree, table, opponent).payoff * run.stage.game.rounds
        for members in opponents.values()
        for opponent in members
    }
    return [
        _pair(pool, member.name, exact[member.name], _of(groups, pool, member.name))
        for pool, members in opponents.items()
        for member in members
    ]


def _of(groups: Sequence[Group], pool: str, opponent: str) -> list[Group]:
    return [g for g in groups if g.key.pool == pool and g.key.opponent == opponent]


def _pair(pool: str, opponent: str, exact: float, groups: Sequence[Group]) -> PairScore:
    # (replicates, cells): a column is one deal and seat, weighted alike in every resample.
    payoffs = np.array(
        [[r.episode.returns[g.key.seat] for r in g.rollouts] for g in groups], dtype=float
    ).T
    shares = np.array([g.weight for g in groups]) / sum(g.weight for g in groups)
    decisions = sum(r.decisions for g in groups for r in g.rollouts)
    fouls = sum(r.fouls for g in groups for r in g.rollouts)
    mean = float(payoffs.mean(0) @ shares)
    low, high = mean, mean
    if np.ptp(payoffs, axis=0).any():
        rng = np.random.default_rng(0)
        means = [
            np.take_along_axis(payoffs, rng.integers(len(payoffs), size=payoffs.shape), axis=0)
            .mean(0)
            .dot(shares)
            for _ in range(RESAMPLES)
        ]
        low, high = (float(value) for value in np.quantile(means, [0.025, 0.975]))
    return PairScore(
        pool, opponent, payoffs.size, mean, low, high, exact, fouls / max(1, decisions)
    )
