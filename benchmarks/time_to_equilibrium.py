"""How near to equilibrium the embedded default comes, and how long it takes: once per seed.

``python -m benchmarks.time_to_equilibrium --seeds 5`` trains each seed in a process of its own, so
that wall clock and peak memory are those of everything a user waits for. It can be stopped and run
again: finished seeds are kept, and an interrupted one goes on from its last checkpoint.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from rich.console import Console

from benchmarks.certificate import certify
from benchmarks.command_line import (
    changed,
    check_games,
    command,
    config_digest,
    game_id,
    guarded,
    parse,
    parser,
    record_name,
)
from benchmarks.progress import watched
from benchmarks.records import Curve, Measure, Record, measure, record_path, save, thinned
from benchmarks.replacing import check_replaced
from benchmarks.training_runs import Job, lines, run_all, seeded, study, total
from sepo_envs.exact import EXACT_BELOW
from sepo_trainer.settings.config import RunConfig

BENCHMARK = "time_to_equilibrium"
MARKS = (0.02, 0.01, 0.005)
"""Points of exploitability whose first crossing is timed."""
MOST_POINTS = 120
"""Of a stored curve."""
LAST_FOULS = 10
"""Iterations at the end whose foul rate is told."""
POINTS = "points per hand"


class RunCurve(NamedTuple):
    """One finished run: what each policy was worth and when it was there."""

    points: list[tuple[int, float, float]]
    """(updates done, seconds of warm start and training until then, exploitability)."""
    uncovered: list[float]
    foul_rate: float

    @property
    def train_seconds(self) -> float:
        return self.points[-1][1]

    def first_below(self, mark: float) -> float | None:
        """Seconds until the exploitability was first at most ``mark`` and exact."""
        for (_, seconds, value), uncovered in zip(self.points, self.uncovered, strict=True):
            if value <= mark and uncovered < EXACT_BELOW:
                return seconds
        return None


def main(arguments: Sequence[str]) -> None:
    made = parser(f"benchmarks.{BENCHMARK}", __doc__ or "")
    made.add_argument(
        "--name", type=record_name, default="default", help="of the record (%(default)s)"
    )
    given, config = parse(made, arguments)
    check_games(config)
    console = Console(highlight=False, soft_wrap=True)
    seeds = tuple(range(given.first_seed, given.first_seed + given.seeds))
    if not given.replace:
        check_replaced(record_path(BENCHMARK, given.name, given.results), seeds, config)
    place = study(given.runs, BENCHMARK, config)
    jobs = [place.training(seeded(config, seed), f"seed-{seed}") for seed in seeds]
    with place.held(), watched(BENCHMARK, jobs, console) as look:
        run_all(jobs, at_once=given.jobs, place=place, look=look)

    options = ["--seeds", str(given.seeds), "--name", given.name]
    options += ["--first-seed", str(given.first_seed)] if given.first_seed else []
    options += ["--jobs", str(given.jobs)] if given.jobs > 1 else []
    record = summarize(
        jobs,
        config=config,
        seeds=seeds,
        name=given.name,
        jobs_at_once=given.jobs,
        reproduce=command(f"benchmarks.{BENCHMARK}", config, *options),
    )
    path = save(record, results=given.results)
    # matplotlib only now: while the trainings run, this process stays small.
    from benchmarks.plots import exploitability_curves

    exploitability_curves(record, path.with_suffix(".svg"))
    final = record.measures["exploitability"]["final"]
    for note in record.notes[1:]:
        console.print(note)
    console.print(
        f"final exploitability {final.mean:.4f} {POINTS} (mean of {len(seeds)}; worst "
        f"{final.high:.4f}). Written to {path}; now: python -m benchmarks.readme"
    )


def summarize(
    jobs: Sequence[Job],
    *,
    config: RunConfig,
    seeds: tuple[int, ...],
    name: str,
    jobs_at_once: int,
    reproduce: str,
) -> Record:
    """The record of the finished ``jobs``, one per seed in that order."""
    curves = [read_curve(job.folder) for job in jobs]
    costs = [job.cost for job in jobs]
    walls = [cost.wall_seconds for cost in costs]
    peaks = [cost.peak_memory_mib for cost in costs]
    ends: dict[str, Measure] = {
        "start": measure([curve.points[0][2] for curve in curves], POINTS),
        "final": measure([curve.points[-1][2] for curve in curves], POINTS),
        "best": measure([min(p[2] for p in curve.points) for curve in curves], POINTS),
    }
    seconds = {
        f"to {mark}": measure(
            [curve.first_below(mark) for curve in curves], "seconds", missing="not reached"
        )
        for mark in MARKS
    } | {
        "training": measure([curve.train_seconds for curve in curves], "seconds"),
        "whole process": measure(walls, "seconds"),
    }
    checks = {
        "final uncovered": measure([c.uncovered[-1] for c in curves], "probability"),
        f"foul rate of the last {LAST_FOULS} iterations": measure(
            [c.foul_rate for c in curves], "fouls per decision"
        ),
    }
    notes = [
        "Seconds to a mark count the warm start and the training, not the start of the process; "
        "they are those of the first crossing, after which a curve may rise again.",
    ]
    if jobs_at_once > 1:
        notes.append(f"{jobs_at_once} trainings ran at once, so each took longer than alone.")
    notes += inexact({f"seed {s}": c.uncovered[-1] for s, c in zip(seeds, curves, strict=True)})
    if None in walls:
        notes.append(
            "Some seeds were killed with the study and resumed: their whole process is not timed."
        )
    return Record(
        benchmark=BENCHMARK,
        name=name,
        summary="Exact exploitability while the embedded model trains, and the time it takes.",
        notes=tuple(notes),
        game=game_id(config.game.name),
        settings=changed(config),
        config_digest=config_digest(config),
        seeds=seeds,
        measures={
            "exploitability": ends,
            "seconds": seconds,
            "memory": {"peak": measure(peaks, "MiB")},
            "checks": checks,
        },
        certificate=certify(
            command=reproduce,
            threads=config.threads,
            jobs=jobs_at_once,
            **total(costs)._asdict(),
        ),
        curves={
            "exploitability": Curve(
                columns=("iteration", "seconds of warm start and training", "exploitability"),
                seeds={
                    str(seed): thinned(curve.points, MOST_POINTS)
                    for seed, curve in zip(seeds, curves, strict=True)
                },
            )
        },
    )


def inexact(uncovered: Mapping[str, float]) -> list[str]:
    """A note on the runs whose final score is not exact, if there are any.

    >>> inexact({"seed 0": 1e-6, "seed 1": 0.02})
    ['Not exact, as up to 0.02 of a reply is uncovered: seed 1.']
    """
    named = [name for name, share in uncovered.items() if share >= EXACT_BELOW]
    if not named:
        return []
    most = max(uncovered.values())
    return [f"Not exact, as up to {most:.2g} of a reply is uncovered: {', '.join(named)}."]


def read_curve(folder: Path) -> RunCurve:
    """From what a finished run left: a policy is timed when the update that made it was done."""
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    metrics = lines(folder / "metrics.jsonl")
    timings = lines(folder / "timings.jsonl")
    spent = {line["iteration"]: sum(line["seconds"].values()) for line in timings}
    clock = spent.get(-1, 0.0)  # the warm start
    points = []
    for line in metrics:
        points.append((line["iteration"], clock, line["exploitability"]))
        clock += spent[line["iteration"]]
    points.append((len(metrics), clock, result["exploitability"]))
    return RunCurve(
        points,
        [*(line["uncovered"] for line in metrics), result["uncovered"]],
        fmean(line["foul_rate"] for line in metrics[-LAST_FOULS:]),
    )


if __name__ == "__main__":
    sys.exit(guarded(main, f"benchmarks.{BENCHMARK}"))
