"""Where a penalty is charged decides whether it works: all arms of `objective.penalty_credit`.

``python -m benchmarks.credit_ablation --seeds 5`` trains every arm from the same warm start of each
seed, with equal settings and draws, and compares them in pairs. It can be stopped and run again.
``--game.name split_negotiation`` does so on another game. Policies that cannot be read out are
compared by J, as they play, and by how far they have come from the warm start to the best J.
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
from benchmarks.records import Measure, Record, difference, load, measure, save
from benchmarks.time_to_equilibrium import LAST_FOULS, POINTS, inexact
from benchmarks.training_runs import Job, Study, lines, run_all, seeded, study
from sepo_trainer.config import ObjectiveConfig, RunConfig

BENCHMARK = "credit_ablation"
ARMS: tuple[str, ...] = get_args(ObjectiveConfig.model_fields["penalty_credit"].annotation)
BASE = "credited"
WARM = "warm start"
WAY = "share of the way to J*"
QUANTITIES = {
    "exploitability": POINTS,
    "objective": "J, scaled points",
    "u": POINTS,
    "e": POINTS,
    "c": "collusion, as the domain measures it",
    "x": "externality, as the domain measures it",
    "held-out payoff": POINTS,
}
"""Of the final policy, those that `result.json` has: exactly if exploitability is one of them, else
by play."""


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
        [warm[seed] for seed in seeds] if _warms(config) else [],
        best=best_objective(config, given.results),
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
        name = headline(record)
        final = record.measures[arm][name]
        values = ", ".join(f"{value:.4f}" for value in final.values)
        console.print(f"{arm:>14}  final {name} {final.mean:.4f} ({values})")
    console.print(f"Written to {path}; now: python -m benchmarks.readme")


def summarize(
    finished: dict[str, list[Job]],
    warm: Sequence[Job],
    *,
    best: float | None,
    config: RunConfig,
    seeds: tuple[int, ...],
    name: str,
    jobs_at_once: int,
    reproduce: str,
) -> Record:
    """The record of the ``finished`` trainings, by arm and in the order of the seeds.

    Args:
        warm: their warm starts, in the same order.
        best: J*, if it is known under these weights.
    """
    processes = [*warm, *(job for jobs in finished.values() for job in jobs)]
    measures = {arm: _quantities([job.folder for job in jobs]) for arm, jobs in finished.items()}
    if warm:
        measures[WARM] = _results([job.folder for job in warm])
    for arm in [arm for arm in (*finished, WARM) if arm != BASE and arm in measures]:
        measures[f"{BASE} - {arm}"] = {
            quantity: difference(measures[BASE][quantity], measures[arm][quantity])
            for quantity in QUANTITIES
            if quantity in measures[BASE] and quantity in measures[arm]
        }
    if warm and best is not None:
        for arm in finished:
            start, end = (measures[name]["objective"].values for name in (WARM, arm))
            ways = [
                (after - before) / (best - before)
                for before, after in zip(start, end, strict=True)
                if before is not None and after is not None
            ]
            measures[arm][WAY] = measure(ways, "share")
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
            if "uncovered" in measures[arm]
            for seed, share in zip(seeds, measures[arm]["uncovered"].values, strict=True)
            if share is not None
        }
    )
    exact = "exploitability" in measures[BASE]
    return Record(
        benchmark=BENCHMARK,
        name=name,
        summary="Final exact exploitability, J, u and e when the penalties are charged elsewhere."
        if exact
        else "Final J and its parts, by play, when the penalties are charged elsewhere.",
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


def headline(record: Record) -> str:
    """The quantity that the arms are compared by."""
    return "exploitability" if "exploitability" in record.measures[BASE] else "objective"


def best_objective(config: RunConfig, results: Path) -> float | None:
    """J* of the game by the record of `benchmarks.optimum`, if weights and rules are its own."""
    path = results / "optimum" / f"{config.game.name}.json"
    weighed = {"scale", "exploitability", "collusion", "externality"}
    own = config.objective.model_dump(include=weighed, exclude_none=True)
    if own or config.game.options or not path.is_file():
        return None
    found = load(path).measures
    [best] = [group["J*"].low for group in found.values() if "J*" in group]
    return best


def _results(folders: Sequence[Path]) -> dict[str, Measure]:
    """The final policies in ``folders``."""
    results = [_result(folder) for folder in folders]
    return {
        quantity: measure([result[quantity] for result in results], unit)
        for quantity, unit in QUANTITIES.items()
        if all(quantity in result for result in results)
    }


def _result(folder: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    pools = {line["pool"]: line for line in result.get("scorecard", {}).get("pools", [])}
    held = {"held-out payoff": pools["heldout"]["payoff"]["value"]} if "heldout" in pools else {}
    return result | held


def _quantities(folders: Sequence[Path]) -> dict[str, Measure]:
    """One measure per quantity over the runs in ``folders``."""
    results = [_result(folder) for folder in folders]
    starts = [lines(folder / "metrics.jsonl")[0] for folder in folders]
    ends = [lines(folder / "metrics.jsonl")[-LAST_FOULS:] for folder in folders]
    found = _results(folders)
    if "exploitability" in found:
        found |= {
            "start exploitability": measure([start["exploitability"] for start in starts], POINTS),
            "uncovered": measure([result["uncovered"] for result in results], "probability"),
        }
    return found | {
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
