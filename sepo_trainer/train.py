"""SEPO-GRPO on one screen: read, play, credit, learn, publish, report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sepo_envs.exact.action_table import ActionTable
from sepo_trainer.courses.course import Course, Reading
from sepo_trainer.courses.scores import Scores, sampled
from sepo_trainer.learning.advantage import (
    ALIKE,
    centered,
    rewards_to_go,
    role_conditioned,
    standardized,
    whole_episode,
)
from sepo_trainer.learning.alternatives import Gains, gains
from sepo_trainer.learning.credit import Credited, Floats, credit
from sepo_trainer.learning.demonstrations import write_traces
from sepo_trainer.learning.learner import Batch
from sepo_trainer.learning.rows import Known, minibatches, rows_of
from sepo_trainer.learning.warm_start import mixture, warm_start
from sepo_trainer.records import Group, Row
from sepo_trainer.run import Run


class Step(NamedTuple):
    """What one iteration leaves behind."""

    iteration: int
    game: str
    table: ActionTable | None
    """None where the game is too large for it; the scores are then of the episodes played."""
    scores: Scores
    groups: Sequence[Group]
    stats: dict[str, float]
    seconds: dict[str, float]
    """By part: read, play, learn; the courses of a run learn together, and in equal parts."""


def train(run: Run, report: Callable[[Sequence[Step]], None]) -> None:
    """Iterate until the configured number is done; ``report`` takes a step per course, and may
    raise to stop in between."""
    config = run.config
    while run.iteration < config.learning.iterations:
        run.begin_iteration()
        met = [_meet(course, run.iteration) for course in run.courses]

        began = perf_counter()
        lessons = [
            learnable(
                course,
                each.groups,
                each.known.gates,
                each.known.emphasis,
                iteration=run.iteration,
            )
            for course, each in zip(run.courses, met, strict=True)
        ]
        run.rest()
        agreed = [run.corrected(rows) for rows, _ in lessons]
        batches = [
            Batch(rows, course.pull(run.iteration), config.weight(course.stage.domain.name))
            for course, (rows, _) in zip(run.courses, agreed, strict=True)
        ]
        rate = run.learning_rate(run.iteration)
        stats = _learn(run, batches, rate)
        for course, each in zip(run.courses, met, strict=True):
            course.settle(each.scores, run.iteration)
        run.iteration += 1
        reference = config.reference
        if reference.kind == "refresh" and run.iteration % reference.every == 0:
            run.renew_magnet()
        run.publish()
        learned = (perf_counter() - began) / len(run.courses)

        report(
            [
                Step(
                    run.iteration - 1,
                    course.stage.domain.name,
                    each.known.table,
                    each.scores,
                    each.groups,
                    of_update | of_groups | apart | each.climbed | {"learning_rate": rate},
                    each.seconds | {"learn": learned},
                )
                for course, each, of_update, (_, of_groups), (_, apart) in zip(
                    run.courses, met, stats, lessons, agreed, strict=True
                )
            ]
        )


def _learn(run: Run, batches: Sequence[Batch], rate: float) -> list[dict[str, float]]:
    """The updates on what was played; of each batch, the mean over them of what is worth a line."""
    settings = run.config.learning
    parts = [minibatches(batch.rows, settings.minibatches) for batch in batches]
    updates = [
        run.learner.update(
            [batch._replace(rows=rows) for batch, rows in zip(batches, part, strict=True)],
            learning_rate=rate,
        )
        for _ in range(settings.epochs)
        for part in zip(*parts, strict=True)
    ]
    return [
        {name: float(np.mean([found[name] for found in of_batch])) for name in of_batch[0]}
        for of_batch in zip(*updates, strict=True)
    ]


class _Met(NamedTuple):
    """What a course knew of the policy, and what was then played."""

    known: Reading
    groups: Sequence[Group]
    scores: Scores
    climbed: dict[str, float]
    """What the run climbs in the place of parts of J."""
    seconds: dict[str, float]


def _meet(course: Course, iteration: int) -> _Met:
    """Read the policy, and play it against the pools."""
    clock = [perf_counter()]
    known = course.read()
    course.remember(known.table)
    clock.append(perf_counter())
    groups = course.arena.play(course.sampler, known.opponents, iteration=iteration)
    _check_versions(groups, iteration)
    scores = known.scores or sampled(
        groups, course.stage.domain.harms, course.weights, selves=known.selves
    )
    course.standing.notice(scores)
    clock.append(perf_counter())
    seconds = dict(zip(("read", "play"), np.diff(clock).tolist(), strict=True))
    return _Met(known, groups, scores, course.climbed(known, scores, iteration), seconds)


def _check_versions(groups: Sequence[Group], iteration: int) -> None:
    """Raises RuntimeError: a reply was written by other weights than those that learn from it."""
    versions = {
        turn.version for group in groups for rollout in group.rollouts for turn in rollout.turns
    }
    if stale := versions - {iteration}:
        raise RuntimeError(
            f"replies of iteration {iteration} were written by weights of version {min(stale)}: "
            "the sampler was not given the newest. What was saved before stands; go on with "
            "--resume, and please report this."
        )


def learnable(
    course: Course,
    groups: Sequence[Group],
    gates: Mapping[str, float],
    emphasis: Mapping[str, float] = MappingProxyType({}),
    *,
    iteration: int = 0,
) -> tuple[list[Row], dict[str, float]]:
    """What was played as rows to learn from, and how much signal the groups carry.

    Args:
        gates, emphasis: as `credit` takes them.
        iteration: the one that they were played in, which a curriculum goes by.
    """
    credited = credit(
        groups,
        arm=course.config.objective.penalty_credit,
        weights=course.prices(iteration),
        harms=course.stage.domain.harms,
        gates=gates,
        emphasis=emphasis,
        foul_penalty=course.config.objective.foul_penalty,
    )
    advantages = [_advantage(course, one) for one in credited]
    known = None
    if course.config.learning.credit == "counterfactual":
        known = [_known(course, one) for one in credited]
    rows = rows_of(credited, advantages, move_tokens=course.renderer.move_tokens, known=known)
    silent = sum(not table.any() for table in advantages if known is None)
    silent += sum(not each.rest.any() and not _differ(each.gains) for each in known or ())
    return rows, {
        "groups": len(groups),
        "groups_without_signal": silent,
        "rows": len(rows),
        "distinct_rows": len({(row.prompt_ids, row.rest_ids) for row in rows}),
    }


def _known(course: Course, one: Credited) -> Known:
    """What all moves of a group would have earned in their rounds, and what is left to credit to
    those that were made: the rounds after them, and fouls."""
    made = np.stack([one.worth(rollout.episode.state) for rollout in one.group.rollouts])
    return Known(
        _advantage(course, one, known=made),
        [
            gains(rollout, one.worth, stage=course.stage, renderer=course.renderer)
            for rollout in one.group.rollouts
        ],
    )


def _differ(gains: Iterable[Iterable[Gains]]) -> bool:
    """Whether some move would have earned more than another."""
    return any(
        np.nanmax(found) - np.nanmin(found) > ALIKE
        for of_replicate in gains
        for of_turn in of_replicate
        for found in of_turn
        if found
    )


def _advantage(course: Course, one: Credited, *, known: Floats | float = 0.0) -> Floats:
    """
    Args:
        known: what each round earned that is credited otherwise, ``(replicates, rounds)``.
    """
    learning = course.config.learning
    if learning.credit == "episode":
        returns = whole_episode(one.rewards)
    else:
        returns = rewards_to_go(one.rewards, learning.discount) - known
    match learning.advantage:
        case "centered":
            return centered(returns)
        case "std":
            return standardized(returns)
        case "rae":
            key = one.group.key
            role = f"{key.domain}/{key.pool}/{key.opponent}/{key.seat}"
            return role_conditioned(returns, course.standing.baselines, role)


def prepare(run: Run, progress: Callable[[int, float], None]) -> None:
    """Warm start, and what learning needs after it. A resumed run restores a checkpoint instead."""
    settings = run.config.warm_start
    if settings.steps:
        traces = [
            write_traces(
                course.stage,
                run.renderer,
                run_seed=run.config.seed,
                episodes=course.config.warm_start.episodes,
                style=course.config.rollout.style,
                thoughts=course.config.warm_start.thoughts,
                notes=course.config.warm_start.notes,
            )
            for course in run.courses
        ]
        warm_start(
            run.learner,
            mixture(traces, [run.config.weight(game) for game in run.config.games]),
            steps=settings.steps,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            run_seed=run.config.seed,
            progress=progress,
        )
    run.begin_learning()
    run.publish()
