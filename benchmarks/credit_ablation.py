"""What each part of SEPO does: one game trained under every arm, from the same warm starts.

    python -m benchmarks.credit_ablation --game.name split_negotiation --seeds 5

    base                the model before any training, as it plays
    warm start          after the supervised stage, which every arm below starts from
    credited            SEPO: each episode bears its own share of J
    reward_only         no penalties
    shared              one penalty for a whole group, which cancels
    auxiliary           each train episode bears what happened in the other pools' episodes
    credited-std        credited, its advantages divided by their group's deviation
    credited-refreshed  credited, held to itself some iterations ago instead of to the warm start

Settings and draws are equal but for what the arm's name says, so arms are compared in pairs, seed
by seed. A study can be stopped and run again. Where policies cannot be read out, they are compared
by J, as they play, and by how far they have come from the warm start to the best J of any policy.

`shared` trains the very weights of `reward_only`. So it is trained for the first seed alone and
held against `reward_only` file by file; the study ends there if they differ.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from rich.console import Console

from benchmarks import outcomes
from benchmarks.arms import (
    ARMS,
    BASE,
    CREDITED,
    REWARD_ONLY,
    SHARED,
    base,
    list_of_arms,
    settings_of,
    training,
)
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
from benchmarks.played import play_out
from benchmarks.progress import watched
from benchmarks.records import Measure, Record, difference, load, measure, save
from benchmarks.time_to_equilibrium import LAST_FOULS, inexact
from benchmarks.training_runs import Job, run_all, seeded, study
from sepo_trainer.settings.config import RunConfig

BENCHMARK = "credit_ablation"
WARM = "warm start"
WAY = "share of the way to J*"
PAIRED = (
    *("exploitability", "objective", "safety", "u", "e", "c", "x"),
    *("held-out payoff", "NRA, heldout", "profit gain against always-1", "overbidding"),
)
"""Quantities whose differences are told."""


class Given(NamedTuple):
    """What a study is asked for, besides the settings of its runs."""

    arms: tuple[str, ...] = ARMS
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    jobs: int = 1
    shared_in_full: bool = False
    """`shared` for every seed, and not only for the first."""

    @property
    def options(self) -> list[str]:
        """Those of the command line that say so."""
        return [
            *("--seeds", str(len(self.seeds))),
            *(("--first-seed", str(self.seeds[0])) if self.seeds[0] else ()),
            *(("--jobs", str(self.jobs)) if self.jobs > 1 else ()),
            *(("--arms", ",".join(self.arms)) if self.arms != ARMS else ()),
            *(("--shared-in-full",) if self.shared_in_full else ()),
        ]


def main(arguments: Sequence[str]) -> None:
    made = parser(f"benchmarks.{BENCHMARK}", __doc__ or "")
    made.add_argument(
        "--name", type=record_name, help="of the record (by itself, that of the game)"
    )
    made.add_argument(
        "--arms",
        type=list_of_arms,
        default=ARMS,
        metavar="A,B",
        help=f"with commas between; {CREDITED} is always one (all: {','.join(ARMS)}; "
        "also: credited-rae)",
    )
    made.add_argument(
        "--shared-in-full",
        action="store_true",
        help="train shared for every seed, and not for the first alone",
    )
    told, config = parse(made, arguments)
    if config.objective.penalty_credit != CREDITED:
        raise BenchmarkError(
            "objective.penalty_credit is what the arms differ in, so it cannot be set. Use --arms."
        )
    seeds = tuple(range(told.first_seed, told.first_seed + told.seeds))
    given = Given(told.arms, seeds, told.jobs, told.shared_in_full)
    console = Console(highlight=False, soft_wrap=True)
    for record in measured(config, given, told.name, told.runs, told.results, console):
        store(record, told.results, console)
    console.print("Now: python -m benchmarks.readme")


def store(record: Record, results: Path, console: Console) -> None:
    """Keep ``record`` with its picture, and say what it says."""
    path = save(record, results=results)
    from benchmarks.plots import arms as picture  # matplotlib only now, as this process runs long

    picture(record, tuple(record.curves), path.with_suffix(".svg"))
    for note in record.notes[2:]:
        console.print(note)
    name = headline(record)
    for arm in record.measures:
        final = record.measures[arm].get(name)
        if final is not None and final.mean is not None and " - " not in arm:
            values = ", ".join(f"{value:.4f}" for value in final.values if value is not None)
            console.print(f"{arm:>18}  final {name} {final.mean:.4f} ({values})")
    console.print(f"Written to {path}")


def measured(
    config: RunConfig,
    given: Given,
    name: str | None,
    runs: Path,
    results: Path,
    console: Console,
) -> list[Record]:
    """Run what is not done yet of the study, and sum it up: a record for each of its games.

    Args:
        name: of the record; without one, that of the game. A joint run adds each game's.
        runs: where run folders are kept.
        results: where the record of the best J is.

    Raises:
        BenchmarkError: a run failed, the code changed, or `shared` and `reward_only` ended apart.
    """
    place = study(runs, BENCHMARK, config)
    bases = {seed: base(place, config, seed) for seed in given.seeds if BASE in given.arms}
    warm = {
        seed: place.warm_start(seeded(config, seed), f"warm-{seed}")
        for seed in given.seeds
        if config.warm_start.steps
    }
    ran = {
        (arm, seed): training(place, settings_of(config, arm), arm, seed, warm.get(seed))
        for seed in given.seeds
        for arm in given.arms
        if arm != BASE and (arm != SHARED or seed in _shared_seeds(given))
    }
    starts, jobs = [*bases.values(), *warm.values()], list(ran.values())
    with watched("base and warm start", starts, console) as look:
        run_all(starts, at_once=given.jobs, place=place, look=look)
    with watched(f"{BENCHMARK}, {config.game.name}", jobs, console) as look:
        run_all(jobs, at_once=given.jobs, place=place, look=look)

    trained = {
        arm: {seed: ran[arm, seed] for seed in given.seeds if (arm, seed) in ran}
        for arm in given.arms
        if arm != BASE
    }
    notes = []
    if SHARED in trained and REWARD_ONLY in trained and not given.shared_in_full:
        notes.append(check_shared(trained[SHARED], trained[REWARD_ONLY]))
        trained[SHARED] = trained[REWARD_ONLY]
    play_out([*starts, *jobs], config)
    called = name or config.game.name
    return [
        summarize(
            trained,
            {BASE: bases, WARM: warm},
            game,
            best=best_objective(config.alone(game), results),
            config=config,
            given=given,
            name=called if len(config.games) == 1 else f"{called}-{game}",
            notes=notes,
            spent=[*starts, *jobs],
            reproduce=command(
                f"benchmarks.{BENCHMARK}",
                config,
                *given.options,
                *(("--name", name) if name else ()),
            ),
        )
        for game in config.games
    ]


def check_shared(shared: Mapping[int, Job], reward_only: Mapping[int, Job]) -> str:
    """A note that `shared` ended in the weights of `reward_only`, for the seeds it was trained for.

    Raises:
        BenchmarkError: it did not, or there are no weights to compare.
    """
    for seed, job in shared.items():
        ours, theirs = (_weights(ended.folder / "model") for ended in (job, reward_only[seed]))
        if not ours or ours != theirs:
            raise BenchmarkError(
                f"{SHARED} and {REWARD_ONLY} of seed {seed} did not end in the same weights, as a "
                "penalty that cancels in its group must make them. Nothing was recorded. Find out "
                f"why, in {job.folder} and {reward_only[seed].folder}; with --shared-in-full the "
                f"study trains {SHARED} for every seed and takes nothing for granted."
            )
    named = ", ".join(map(str, shared))
    return (
        f"{SHARED} was trained for seed {named} alone, and ended in the very weights of "
        f"{REWARD_ONLY}, file by file: what a whole group is charged cancels. Its numbers are "
        f"those of {REWARD_ONLY}."
    )


def summarize(
    trained: Mapping[str, Mapping[int, Job]],
    starts: Mapping[str, Mapping[int, Job]],
    game: str,
    *,
    best: float | None,
    config: RunConfig,
    given: Given,
    name: str,
    notes: Sequence[str],
    spent: Sequence[Job],
    reproduce: str,
) -> Record:
    """The record of finished runs in one of their games.

    Args:
        trained: by arm and seed.
        starts: what was only evaluated, the base and the warm start, likewise; empty where there
            is none.
        best: J*, if it is known under these weights.
        notes: beside those that hold for every study.
        spent: every process that the study took.
    """
    folders = {
        arm: [job.folder for job in by_seed.values()]
        for arm, by_seed in {**starts, **trained}.items()
        if by_seed
    }
    measures = {arm: outcomes.measures(of, game) for arm, of in folders.items()}
    for arm in trained:
        measures[arm] |= _of_training(folders[arm], game)
        if best is not None and WARM in folders:
            measures[arm] |= _of_the_way(folders[arm], folders[WARM], game, best)
    for arm in [arm for arm in folders if arm != CREDITED]:
        measures[f"{CREDITED} - {arm}"] = {
            quantity: difference(measures[CREDITED][quantity], measures[arm][quantity])
            for quantity in PAIRED
            if all(_whole(measures[each].get(quantity)) for each in (CREDITED, arm))
        }
    uncovered = {
        f"{arm} seed {seed}": share
        for arm in trained
        if "uncovered" in measures[arm]
        for seed, share in zip(given.seeds, measures[arm]["uncovered"].values, strict=True)
        if share is not None
    }
    walls = [job.cost.wall_seconds for job in spent]
    peaks = [job.cost.peak_memory_mib for job in spent]
    exact = "exploitability" in measures[CREDITED]
    return Record(
        benchmark=BENCHMARK,
        name=name,
        summary="Final exact exploitability, J and its parts, under every arm."
        if exact
        else "Final J and its parts, by play, under every arm.",
        notes=(
            "All arms of a seed share its warm start, its deals and its draws; each difference is "
            "of two runs of one seed.",
            f"The settings are those of {CREDITED}; no arm was tuned for itself.",
            *notes,
            *inexact(uncovered),
        ),
        game=game_id(game),
        settings=changed(config),
        config_digest=config_digest(config),
        seeds=given.seeds,
        measures=measures,
        certificate=certify(
            command=reproduce,
            threads=config.threads,
            jobs=given.jobs,
            wall_seconds=None if None in walls else sum(wall or 0.0 for wall in walls),
            peak_memory_mib=None if None in peaks else max(peak or 0.0 for peak in peaks),
        ),
        curves={
            arm: outcomes.learning_curve({seed: job.folder for seed, job in by_seed.items()}, game)
            for arm, by_seed in trained.items()
        },
    )


def headline(record: Record) -> str:
    """The quantity that the arms are compared by."""
    return "exploitability" if "exploitability" in record.measures[CREDITED] else "objective"


def best_objective(config: RunConfig, results: Path) -> float | None:
    """J* of the game by the record of `benchmarks.optimum`, if weights and rules are its own."""
    weighed = {"scale", "exploitability", "collusion", "externality"}
    own = config.objective.model_dump(include=weighed, exclude_none=True)
    return None if own or config.game.options else optimum(config.game.name, results)


def optimum(game: str, results: Path) -> float | None:
    """J* of ``game`` at its own weights and rules, if it is on record."""
    path = results / "optimum" / f"{game}.json"
    if not path.is_file():
        return None
    [best] = [group["J*"].low for group in load(path).measures.values() if "J*" in group]
    return best


def _of_training(folders: Sequence[Path], game: str) -> dict[str, Measure]:
    """How the trainings in ``folders`` ended."""
    metrics = [outcomes.metrics_of(folder, game) for folder in folders]
    fouls = [fmean(line["foul_rate"] for line in each[-LAST_FOULS:]) for each in metrics]
    found = {f"foul rate of the last {LAST_FOULS} iterations": measure(fouls, "fouls per decision")}
    if "exploitability" in metrics[0][0]:
        starts = [each[0]["exploitability"] for each in metrics]
        found["start exploitability"] = measure(starts, outcomes.QUANTITIES["exploitability"])
    return found


def _of_the_way(
    folders: Sequence[Path], warm: Sequence[Path], game: str, best: float
) -> dict[str, Measure]:
    """How far each training in ``folders`` went from its warm start to J*, and back again."""
    starts = [outcomes.quantities(folder, game)["objective"] for folder in warm]
    ends = [outcomes.quantities(folder, game)["objective"] for folder in folders]
    falls = [outcomes.collapse(folder, game) for folder in folders]
    ways = [(end - start) / (best - start) for start, end in zip(starts, ends, strict=True)]
    back = [fall.given_back(start, best) for start, fall in zip(starts, falls, strict=True)]
    points = outcomes.QUANTITIES["objective"]
    return {
        WAY: measure(ways, outcomes.SHARE),
        outcomes.BEST: measure([fall.best for fall in falls], points),
        outcomes.LAST: measure([fall.last for fall in falls], points),
        outcomes.GIVEN_BACK: measure(back, outcomes.SHARE),
    }


def _whole(found: Measure | None) -> bool:
    return found is not None and found.missing == "none"


def _weights(model: Path) -> dict[str, str]:
    """The digest of each file of weights."""
    files = sorted(model.glob("*.safetensors"))
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in files}


def _shared_seeds(given: Given) -> tuple[int, ...]:
    alone = given.shared_in_full or REWARD_ONLY not in given.arms
    return given.seeds if alone else given.seeds[:1]


if __name__ == "__main__":
    sys.exit(guarded(main, f"benchmarks.{BENCHMARK}"))
