"""The weights of J's penalties where they moved: as pictures, and what became of each budget."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sepo_trainer.courses.duals import WEIGHTS_OF
from sepo_trainer.runs.report.plots import Gauge
from sepo_trainer.runs.report.run_record import Record

LATE: Final = 10
"""A multiplier is at rest if it stands where it stood a tenth of the run ago,"""
REST: Final = 0.01
"""give or take this share of the highest that it was."""


def gauges(record: Record) -> list[Gauge]:
    """Each weight that a budget or a curriculum moved."""
    curves = {sign: record.curve(f"lambda_{name}") for name, sign in WEIGHTS_OF.items()}
    return [
        Gauge(f"\N{GREEK SMALL LETTER LAMDA} of {sign}", "weight", curve)
        for sign, curve in curves.items()
        if len(set(curve.values)) > 1
    ]


def told(record: Record) -> str:
    """What was allowed of each harm, what there is of it, and where its multiplier stands."""
    return " ".join(
        f"Of {sign} {allowed:g} is allowed; the {record.newest} policy has {harm:.3g}, and the "
        f"multiplier stands at {weight[-1]:.3g}."
        for sign, allowed, harm, weight in _budgets(record)
    )


def restless(record: Record) -> list[str]:
    """Of a run that has ended, the multipliers that had not come to rest, a sentence for each."""
    found = []
    for sign, _, _, weight in _budgets(record):
        before = weight[-1 - len(weight) // LATE]
        if record.result and abs(weight[-1] - before) > REST * max(weight):
            found.append(
                f"The budget of {sign} is not settled: over the last tenth of the run its "
                f"multiplier went from {before:.3g} to {weight[-1]:.3g}. Train for more "
                "iterations, raise objective.budget.step, or start it nearer to where it goes."
            )
    return found


def _budgets(record: Record) -> Iterator[tuple[str, float, float, list[float]]]:
    """By harm: its sign, what is allowed, what the policy measured last has, and its weights."""
    for name, allowed in record.config.objective.budget.allowed.items():
        sign, weight = WEIGHTS_OF[name], list(record.curve(f"lambda_{name}").values)
        if weight:
            yield sign, allowed, record.curve(sign).values[-1], weight
