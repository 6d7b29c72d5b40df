"""What a policy earns in sampled play against every pool, held-out opponents included.

Fresh deals, the same for all opponents and both seats, played in the text, tokens and foul rule of
training; `opponents.scorecard` makes the numbers and their intervals. Where the game's tree is
read, the exact payoffs stand beside them as a check.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from opponents.opponent import Opponent, Pool
from opponents.scorecard import Scorecard, scorecard
from opponents.tally import Match
from sepo_envs.exact import ActionTable, GameTree
from sepo_trainer.courses.course import Course
from sepo_trainer.courses.scores import meet

SEED_OFFSET = 1_000_003
"""Added to the run's seed, so that evaluation meets no draw that training met."""


class Evaluation(NamedTuple):
    """One policy against every opponent of its domain."""

    card: Scorecard
    exact: dict[str, float]
    """Points per round against each opponent by enumeration; empty where no tree is read."""


def evaluate(course: Course, *, episodes: int) -> Evaluation:
    """Play at least ``episodes`` episodes against each opponent of each pool."""
    table, tree = course.table(), course.stage.tree
    opponents = {name: _met(pool, table, tree) for name, pool in course.stage.pools.items()}
    arena = replace(
        course.arena,
        run_seed=course.config.seed + SEED_OFFSET,
        deals=-(-episodes // course.stage.game.seats),
        own_deals=False,
        replicates=1,
        common_draws=False,
    )
    matches = [
        Match(group.key.pool, group.key.opponent, group.key.seat, group.key.deal, rollout.episode)
        for group in arena.play(course.sampler, opponents, iteration=0)
        for rollout in group.rollouts
    ]
    exact = {}
    if table is not None and tree is not None:
        exact = {
            opponent.name: meet(tree, table, opponent).payoff
            for members in opponents.values()
            for opponent in members
        }
    return Evaluation(scorecard(course.stage.domain, matches, weights=course.weights), exact)


def _met(pool: Pool, table: ActionTable | None, tree: GameTree | None) -> tuple[Opponent, ...]:
    """The pool as a policy with this table meets it."""
    if table is not None and tree is not None:
        return pool.met_by(table, tree=tree)
    fixed = tuple(member for member in pool.opponents if isinstance(member, Opponent))
    if len(fixed) < len(pool.opponents):
        raise ValueError(
            f"an opponent of pool {pool.name!r} adapts to the policy, which cannot be read out in "
            "so large a game. Put a fixed opponent in its place."
        )
    return fixed
