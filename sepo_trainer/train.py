"""SEPO-GRPO on one screen: read, play, credit, learn, publish, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from sepo_envs.exact.action_table import ActionTable
from sepo_trainer.advantage import (
    centered,
    rewards_to_go,
    role_conditioned,
    standardized,
    whole_episode,
)
from sepo_trainer.credit import Credited, credit
from sepo_trainer.demonstrations import write_traces
from sepo_trainer.records import Group, Row
from sepo_trainer.rows import rows_of
from sepo_trainer.run import Run
from sepo_trainer.scores import Scores, sampled
from sepo_trainer.warm_start import warm_start


class Step(NamedTuple):
    """What one iteration leaves behind."""

    iteration: int
    table: ActionTable | None
    """None where the game is too large for it; the scores are then of the episodes played."""
    scores: Scores
    groups: Sequence[Group]
    stats: dict[str, float]
    seconds: dict[str, float]
    """By part: read, play, learn."""


def train(run: Run, report: Callable[[Step], None]) -> None:
    """Iterate until the configured number is done; ``report`` may raise to stop in between."""
    config, progress = run.config, run.progress
    while progress.iteration < config.learning.iterations:
        clock = [perf_counter()]
        known = run.read()
        run.remember(known.table)
        clock.append(perf_counter())

        groups = run.arena.play(run.sampler, known.opponents, iteration=progress.iteration)
        scores = known.scores or sampled(groups, run.stage.domain.harms, run.weights)
        clock.append(perf_counter())

        rows, group_stats = learnable(run, groups, known.gates)
        progress.notice(scores)
        rate, pull = run.learning_rate(progress.iteration), run.pull(progress.iteration)
        for _ in range(config.learning.epochs):
            stats = run.learner.update(rows, pull, learning_rate=rate)
        progress.iteration += 1
        reference = config.reference
        if reference.kind == "refresh" and progress.iteration % reference.every == 0:
            run.learner.refresh_reference()
        run.sampler.publish(progress.iteration)
        clock.append(perf_counter())

        seconds = dict(zip(("read", "play", "learn"), np.diff(clock).tolist(), strict=True))
        stats |= group_stats | {"learning_rate": rate}
        report(Step(progress.iteration - 1, known.table, scores, groups, stats, seconds))


def learnable(
    run: Run, groups: Sequence[Group], gates: Mapping[str, float]
) -> tuple[list[Row], dict[str, float]]:
    """What was played as rows to learn from, and how much signal the groups carry."""
    credited = credit(
        groups,
        arm=run.config.objective.penalty_credit,
        weights=run.weights,
        harms=run.stage.domain.harms,
        gates=gates,
        foul_penalty=run.config.objective.foul_penalty,
    )
    advantages = [_advantage(run, one) for one in credited]
    rows = rows_of(credited, advantages, move_tokens=run.renderer.move_tokens)
    silent = sum(not table.any() for table in advantages)
    return rows, {"groups": len(groups), "groups_without_signal": silent, "rows": len(rows)}


def _advantage(run: Run, one: Credited) -> Any:
    returns = (
        rewards_to_go(one.rewards)
        if run.config.learning.credit == "turn"
        else whole_episode(one.rewards)
    )
    match run.config.learning.advantage:
        case "centered":
            return centered(returns)
        case "std":
            return standardized(returns)
        case "rae":
            key = one.group.key
            role = f"{key.domain}/{key.pool}/{key.opponent}/{key.seat}"
            return role_conditioned(returns, run.progress.baselines, role)


def prepare(run: Run, progress: Callable[[int, float], None]) -> None:
    """Warm start, and what learning needs after it. A resumed run restores a checkpoint instead."""
    settings = run.config.warm_start
    if settings.steps:
        traces = write_traces(
            run.stage,
            run.renderer,
            run_seed=run.config.seed,
            episodes=settings.episodes,
            style=run.config.rollout.style,
            thoughts=settings.thoughts,
        )
        warm_start(
            run.learner,
            traces,
            steps=settings.steps,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            run_seed=run.config.seed,
            progress=progress,
        )
    run.begin_learning()
