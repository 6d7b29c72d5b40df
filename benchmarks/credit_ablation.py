"""Where a penalty is charged decides whether it works: all arms of `objective.penalty_credit`.

``python -m benchmarks.credit_ablation --seeds 5`` trains every arm from the same warm start of each
seed, with equal settings and draws, and compares them in pairs. It can be stopped and run again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

from rich.console import Console

from benchmarks.certificate import certify
from benchmarks.command_line import (
    BenchmarkError,
    changed,
    command,
    config_digest,
    game_id,
    guarded,
    parse,
    parser,
    record_name,
)
from benchmarks.progress import watched
from benchmarks.records import Measure, Record, difference, measure, save
from benchmarks.time_to_equilibrium import LAST_FOULS, POINTS, inexact
from benchmarks.training_runs import Job, Study, lines, run_all, seeded, study
from sepo_trainer.config import ObjectiveConfig, RunConfig

BENCHMARK = "credit_ablation"
ARMS: tuple[str, ...] = get_args(ObjectiveConfig.model_fields["penalty_credit"].annotation)
BASE = "credited"
QUANTITIES = {
    "exploitability": POINTS,
    "objective": "J, scaled points",
    "u": POINTS,
    "e": POINTS,
}
"""Of the final policy, exactly, as `result.json` has them."""


def main(arguments: Sequence[str]) -> None:
    made = parser(f"benchmarks.{BENCHMARK}", __doc__ or "")
    made.add_argument(
        "--name", type=record_name, default="default", help="of the record (%(default)s)"
    )
    made.add_argument(
        "--arms",
        type=_arms,
        default=ARMS,
        metavar="A,B",
        help=f"with commas between; {BASE} is always one (all: {','.join(ARMS)})",
    )
    made.add_argument(
        "--advantage",
        choices=("std", "rae"),
        help=f"one arm more: {BASE} with this learning.advantage",
    )
    given, config = parse(made, arguments)
    if config.objective.penalty_credit != BASE:
        raise BenchmarkError(
            "objective.penalty_credit is what the arms differ in, so it cannot be set. Use --arms."
        )
    console = Console(highlight=False, soft_wrap=True)
    seeds = tuple(range(given.first_seed, given.first_seed + given.seeds))
    arms = {arm: _arm(config, arm) for arm in given.arms}
    if given.advantage:
        learning = config.learning.model_copy(update={"advantage": given.advantage})
        arms[f"{BASE}-{given.advantage}"] = config.model_copy(update={"learning": learning})

    place = study(given.runs, BENCHMARK, config)
    warm = {seed: place.warm_start(seeded(config, seed), f"warm-{seed}") for seed in seeds}
    trainings = {
        (arm, seed): _training(place, settings, arm, seed, warm[seed] if _warms(config) else None)
        for seed in seeds
        for arm, settings in arms.items()
    }
    jobs = list(trainings.values())
    if _warms(config):
        with watched("warm start", list(warm.values()), console) as look:
            unused = {s for s in seeds if all(trainings[arm, s].done for arm in arms)}
            needed = [job for seed, job in warm.items() if seed not in unused]
            run_all(needed, at_once=given.jobs, place=place, look=look)
    with watched(BENCHMARK, jobs, console) as look:
        run_all(jobs, at_once=given.jobs, place=place, look=look)

    options = ["--seeds", str(given.seeds), "--name", given.name]
    options += ["--first-seed", str(given.first_seed)] if given.first_seed else []
    options += ["--jobs", str(given.jobs)] if given.jobs > 1 else []
    options += ["--arms", ",".join(given.arms)] if given.arms != ARMS else []
    options += ["--advantage", given.advantage] if given.advantage else []
    record = summarize(
        {arm: [trainings[arm, seed] for seed in seeds] for arm in arms},
        [*warm.values(), *jobs] if _warms(config) else jobs,
        config=config,
        seeds=seeds,
        name=given.name,
        jobs_at_once=given.jobs,
        reproduce=command(f"benchmarks.{BENCHMARK}", config, *options),
    )
    path = save(record, results=given.results)
    from benchmarks.plots import arms as picture  # matplotlib only now, as this process runs long

    picture(record, tuple(arms), path.with_suffix(".svg"))
    for note in record.notes[2:]:
        console.print(note)
    for arm in arms:
        final = record.measures[arm]["exploitability"]
        console.print(f"{arm:>14}  final exploitability {final.mean:.4f}, worst {final.high:.4f}")
    console.print(f"Written to {path}; now: python -m benchmarks.readme")


def summarize(
    finished: dict[str, list[Job]],
    processes: Sequence[Job],
    *,
    config: RunConfig,
    seeds: tuple[int, ...],
    name: str,
    jobs_at_once: int,
    reproduce: str,
) -> Record:
    """The record of the ``finished`` trainings, by arm and in the order of the seeds.

    Args:
        processes: all that were run for it.
    """
    measures = {arm: _quantities([job.folder for job in jobs]) for arm, jobs in finished.items()}
    for arm in [arm for arm in finished if arm != BASE]:
        measures[f"{BASE} - {arm}"] = {
            quantity: difference(measures[BASE][quantity], measures[arm][quantity])
            for quantity in QUANTITIES
        }
    walls = [job.cost.wall_seconds for job in processes]
    peaks = [job.cost.peak_memory_mib for job in processes]
    notes = [
        "All arms of a seed share its warm start, its deals and its draws; each difference is of "
        "two runs of one seed.",
        f"The settings are those of {BASE}; no arm was tuned for itself.",
    ]
    notes += inexact(
        {
            f"{arm} seed {seed}": share
            for arm in finished
            for seed, share in zip(seeds, measures[arm]["uncovered"].values, strict=True)
            if share is not None
        }
    )
    return Record(
        benchmark=BENCHMARK,
        name=name,
        summary="Final exact exploitability, J, u and e when the penalties are charged elsewhere.",
        notes=tuple(notes),
        game=game_id(config),
        settings=changed(config),
        config_digest=config_digest(config),
        seeds=seeds,
        measures=measures,
        certificate=certify(
            command=reproduce,
            threads=config.threads,
            jobs=jobs_at_once,
            wall_seconds=None if None in walls else sum(wall or 0.0 for wall in walls),
            peak_memory_mib=None if None in peaks else max(peak or 0.0 for peak in peaks),
        ),
    )


def _quantities(folders: Sequence[Path]) -> dict[str, Measure]:
    """One measure per quantity over the runs in ``folders``."""
    results: list[dict[str, Any]] = [
        json.loads((folder / "result.json").read_text()) for folder in folders
    ]
    starts = [lines(folder / "metrics.jsonl")[0] for folder in folders]
    ends = [lines(folder / "metrics.jsonl")[-LAST_FOULS:] for folder in folders]
    found = {
        quantity: measure([result[quantity] for result in results], unit)
        for quantity, unit in QUANTITIES.items()
    }
    return found | {
        "start exploitability": measure([start["exploitability"] for start in starts], POINTS),
        "uncovered": measure([result["uncovered"] for result in results], "probability"),
        f"foul rate of the last {LAST_FOULS} iterations": measure(
            [fmean(line["foul_rate"] for line in end) for end in ends], "fouls per decision"
        ),
    }


def _arm(config: RunConfig, arm: str) -> RunConfig:
    objective = config.objective.model_copy(update={"penalty_credit": arm})
    return config.model_copy(update={"objective": objective})


def _training(place: Study, settings: RunConfig, arm: str, seed: int, warm: Job | None) -> Job:
    """One arm of one seed, from its warm start where that is a job of its own.

    The supervised stage knows no arm, and a loaded model holds the very weights that were saved, so
    this is the run that would have warmed up by itself, line by line of its metrics.
    """
    config = seeded(settings, seed)
    if warm is not None:
        config = config.model_copy(
            update={
                "model": config.model.model_copy(update={"path": warm.folder}),
                "warm_start": config.warm_start.model_copy(update={"steps": 0}),
            }
        )
    return place.training(config, f"{arm}-{seed}")


def _warms(config: RunConfig) -> bool:
    return config.warm_start.steps > 0


def _arms(text: str) -> tuple[str, ...]:
    named = tuple(text.split(","))
    wrong = [arm for arm in named if arm not in ARMS]
    if wrong or BASE not in named or len(set(named)) < len(named):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no list of arms: name {BASE} and any of "
            f"{', '.join(arm for arm in ARMS if arm != BASE)}, each once, with commas between"
        )
    return named


if __name__ == "__main__":
    sys.exit(guarded(main, f"benchmarks.{BENCHMARK}"))
