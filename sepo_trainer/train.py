"""SEPO-GRPO on one screen: read, play, credit, learn, publish, report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.game import Move
from sepo_trainer.courses.course import Course, Reading
from sepo_trainer.courses.scores import Scores, sampled
from sepo_trainer.learning.advantage import (
    centered,
    rewards_to_go,
    role_conditioned,
    standardized,
    whole_episode,
)
from sepo_trainer.learning.counterfactual import Decision, decisions, would_earn
from sepo_trainer.learning.credit import Credited, Floats, credit
from sepo_trainer.learning.demonstrations import write_traces
from sepo_trainer.learning.learner import Batch
from sepo_trainer.learning.rows import Gains, minibatches, rows_of
from sepo_trainer.learning.warm_start import mixture, warm_start
from sepo_trainer.records import Group, Rollout, Row
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
            run.refresh_reference()
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
    made = gains = None
    if course.config.learning.credit == "counterfactual":
        found = [[_could_earn(course, one, r) for r in one.group.rollouts] for one in credited]
        gains = [[could for could, _ in of_group] for of_group in found]
        made = [np.stack([own for _, own in of_group]) for of_group in found]
    advantages = [
        _advantage(course, one, 0.0 if made is None else made[number])
        for number, one in enumerate(credited)
    ]
    rows = rows_of(credited, advantages, move_tokens=course.renderer.move_tokens, gains=gains)
    silent = sum(
        not table.any() and not (gains and any(map(_tells_apart, gains[number])))
        for number, table in enumerate(advantages)
    )
    return rows, {"groups": len(groups), "groups_without_signal": silent, "rows": len(rows)}


def _could_earn(course: Course, one: Credited, rollout: Rollout) -> tuple[Gains, Floats]:
    """What each legal move would have earned in its round; and what those earned that were made,
    which is then no more to be credited, ``(rounds,)``."""
    episode, seat = rollout.episode, rollout.key.seat
    earned = one.worth(episode.state)
    gains, made = dict[int, list[dict[int, float]]](), np.zeros_like(earned)
    for decision in decisions(episode, seat):
        legal = course.stage.game.legal_moves(decision.state, seat)
        said = {move: course.stage.words.say(move, decision.state, seat) for move in legal}
        own = decision.moves[seat]

        def would(move: Move, at: Decision = decision) -> float:
            return would_earn(move, at, seat, episode, one.worth)

        places = [{token: would(own)} for token in course.renderer.answer(said[own])]
        for number, place, token in course.renderer.beside(said[own], tuple(said.values())):
            places[place][token] = would(legal[number])
        made[decision.round] = earned[decision.round]
        gains[decision.round] = places
    return gains, made


def _tells_apart(gains: Gains) -> bool:
    """Whether some move would have earned more than another."""
    return any(len(set(found.values())) > 1 for places in gains.values() for found in places)


def _advantage(course: Course, one: Credited, made: Floats | float) -> Floats:
    """
    Args:
        made: what is credited to moves by itself, and to no reply.
    """
    learning = course.config.learning
    if learning.credit == "episode":
        returns = whole_episode(one.rewards)
    else:
        returns = rewards_to_go(one.rewards, learning.discount) - made
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
