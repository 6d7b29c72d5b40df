"""Runs of the real trainer in a few seconds: a small model, warm-started for a few steps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sepo_trainer.courses.scores import Scores, score
from sepo_trainer.records import Group, Row
from sepo_trainer.run import Run, put_together
from sepo_trainer.settings.resolve import build
from sepo_trainer.train import learnable

UNTRAINED = {"hidden": 32, "layers": 2, "heads": 2}
"""The shape of a model that has learned nothing, and so babbles to the last token allowed."""


def run_with(
    model: Path | dict[str, int], *, style: str = "fresh", group_size: int = 2, **settings: object
) -> Run:
    """A run on the model in a folder, or on an untrained one of a shape; nothing is played yet."""
    found = {"path": str(model)} if isinstance(model, Path) else model
    rollout = {"style": style, "group_size": group_size, **settings.pop("rollout", {})}
    tree = {"model": found, "warm_start": {"steps": 0}, "rollout": rollout, **settings}
    run = put_together(build(tree, source="test"))
    run.begin_learning()
    return run


def play(run: Run, *, iteration: int = 0) -> tuple[list[Group], Scores]:
    """One iteration's episodes and the exact scores that gate them."""
    table = run.course.table()
    opponents = run.course.opponents(table)
    groups = run.course.arena.play(run.course.sampler, opponents, iteration=iteration)
    return groups, score(run.course.stage.tree, table, opponents, run.course.weights)


def gates(scores: Scores) -> dict[str, float]:
    """Which opponents earn more than the policy."""
    return {name: float(met.margin > 0) for name, met in scores.against.items()}


def rows_played(run: Run) -> tuple[list[Group], list[Row]]:
    groups, scores = play(run)
    return groups, learnable(run.course, groups, gates(scores))[0]


def turns_of(groups: Sequence[Group]):
    """Every turn that the policy took."""
    return [turn for group in groups for rollout in group.rollouts for turn in rollout.turns]
