"""How exploitable a training run was while it trained, from what the run wrote down itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.leaderboard.records import DIGITS
from benchmarks.records import thinned

RUN: Final = "run:"
MOST_POINTS: Final = 100

Course: TypeAlias = tuple[tuple[float, float], ...]
"""(updates, exploitability in points per episode) of each policy on the way."""


def courses(spec: str, game: str) -> Mapping[str, Course]:
    """By the training's seed; empty of what is no run, of one that never read its policy out, and
    of the policy that a run began with."""
    if not spec.startswith(RUN):
        return {}
    from sepo_trainer.runs.report.run_record import read_record  # draws too, so it takes a second
    from sepo_trainer.runs.run_folder import RunFolder

    place, _, at = spec.removeprefix(RUN).replace("{domain}", game).partition("@")
    if at == "0":
        return {}
    record = read_record(RunFolder(Path(place)), game)
    if not record.is_read:
        return {}
    curve = record.curve("exploitability")
    points = [
        (float(update), float(value))
        for update, value in zip(curve.iterations, curve.values, strict=True)
    ]
    kept = thinned(points, MOST_POINTS, digits=DIGITS)
    return {str(record.config.seed): tuple((update, value) for update, value in kept)}
