"""What each part of SEPO does: one game trained under every arm, from the same warm starts.

    python -m benchmarks.credit_ablation --game.name split_negotiation --seeds 5

    base                the model before any training, as it plays
    warm start          after the supervised stage, which every arm below starts from
    credited            SEPO: each episode bears its own share of J
    reward_only         no penalties
    shared              one penalty for a whole group, which cancels
    auxiliary           each train episode bears what happened in the other pools' episodes
    credited-std        credited, its advantages divided by their group's deviation
    credited-refreshed  credited, its moves pulled to those it had some iterations ago

Settings and draws are equal but for what the arm's name says, so arms are compared in pairs, seed
by seed. A study can be stopped and run again. Where policies are not read out at every iteration,
they are compared by J, as they play, and by how far they have come to the best J of any policy.

`shared` trains the very weights of `reward_only`. So it is trained for the first seed alone and
held against `reward_only` file by file; the study ends there if they differ.

An arm can be added to a record later, without training the others again:

    python -m benchmarks.credit_ablation --arms credited,credited-rae --add
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from rich.console import Console

from benchmarks.arm_records import (
    BENCHMARK,
    Asked,
    Finished,
    added,
    arms_of,
    best_objective,
    headline,
    hold_against,
    summarize,
)
from benchmarks.arms import (
    ARMS,
    BASE,
    CREDITED,
    REWARD_ONLY,
    SHARED,
    TRAINED,
    WARM,
    Given,
    base,
    list_of_arms,
    settings_of,
    training,
)
from benchmarks.command_line import (
    BenchmarkError,
    changed,
    check_games,
    command,
    guarded,
    parse,
    parser,
    record_name,
)
from benchmarks.played import play_out
from benchmarks.progress import watched
from benchmarks.records import Record, load, record_path, save
from benchmarks.replacing import check_replaced
from benchmarks.training_runs import Job, Study, run_all, seeded, study
from sepo_trainer.settings.config import JOINT, RunConfig


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
    made.add_argument(
        "--add",
        action="store_true",
        help=f"to the record that is there: train what it lacks of --arms alone. All warm starts, "
        f"and {CREDITED} with the first seed, are trained again and must come to its numbers",
    )
    told, config = parse(made, arguments)
    check_games(config)
    if config.objective.penalty_credit != CREDITED:
        raise BenchmarkError(
            "objective.penalty_credit is what the arms differ in, so it cannot be set. Use --arms."
        )
    seeds = tuple(range(told.first_seed, told.first_seed + told.seeds))
    given = Given(told.arms, seeds, told.jobs, told.shared_in_full)
    console = Console(highlight=False, soft_wrap=True)
    onto = _stored(config, given, told.name, told.results) if told.add else None
    if not (told.add or told.replace):
        for called in names(config, told.name).values():
            check_replaced(record_path(BENCHMARK, called, told.results), seeds, config)
    where = (told.name, told.runs, told.results, console)
    for record in measured(config, given, *where, onto=onto):
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
    for arm in arms_of(record):
        final = record.measures[arm].get(name)
        if final is not None and final.mean is not None:
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
    *,
    onto: Mapping[str, Record] | None = None,
) -> list[Record]:
    """Run what is not done yet of the study, and sum it up: a record for each of its games.

    Args:
        name: of the record; without one, that of the game. A joint run adds each game's.
        runs: where run folders are kept.
        results: where the record of the best J is.
        onto: records by game; only arms that they lack are new. All warm starts, and credited with
            the first seed, are trained again and held against them first.

    Raises:
        BenchmarkError: a run failed, the code changed, or `shared` and `reward_only` ended apart.
        ApartError: this code does not come to the numbers of ``onto``.
    """
    every = given.arms
    if onto:
        has = set.intersection(*(set(arms_of(record)) for record in onto.values()))
        new = tuple(arm for arm in given.arms if arm not in has)
        alike = SHARED in new and REWARD_ONLY in has and not given.shared_in_full
        known = (CREDITED, REWARD_ONLY) if alike else (CREDITED,)
        given = given._replace(arms=known, known=known)
        again = _run(config, given, runs, console)
        for game, record in onto.items():
            hold_against(record, again, game, (WARM, *known))
        given = given._replace(arms=(*known, *new))
        every = tuple(arm for arm in (BASE, *TRAINED) if arm in has or arm in new)
    finished = _run(config, given, runs, console)
    records = []
    for game, called in names(config, name).items():
        best = best_objective(config.alone(game), results)
        study = Asked(config, given, best, _command(config, given._replace(arms=every), name))
        records.append(
            added(onto[game], finished, game, study)
            if onto
            else summarize(finished, game, study, name=called)
        )
    return records


def names(config: RunConfig, name: str | None = None) -> dict[str, str]:
    """Of a study's records, by game; ``name`` stands for that of the settings.

    >>> names(RunConfig())
    {'kuhn_poker': 'kuhn_poker'}
    """
    called = name or config.game.name
    joint = config.game.name == JOINT
    return {game: f"{called}-{game}" if joint else called for game in config.games}


def is_of(record: Record, config: RunConfig, given: Given) -> bool:
    """Whether ``record`` has these seeds, and the settings that differ from the defaults are these.

    Defaults may have changed since, and settings joined them; what tells is whether the record's
    numbers come out again.
    """
    return record.settings == changed(config) and record.seeds == given.seeds


def _stored(config: RunConfig, given: Given, name: str | None, results: Path) -> dict[str, Record]:
    """The records of a study that are to be added to, by game.

    Raises:
        BenchmarkError: there is none, or it is of other seeds or settings.
    """
    found = {}
    for game, called in names(config, name).items():
        path = record_path(BENCHMARK, called, results)
        if not path.is_file():
            raise BenchmarkError(
                f"there is no record {path} to add to. Leave --add out, and all arms are trained; "
                "or say with --name and --results which record it is."
            )
        found[game] = load(path)
        if not is_of(found[game], config, given):
            raise BenchmarkError(
                f"{path} is of other seeds or settings: of seeds {found[game].seeds}, and of "
                f"{found[game].settings}. Give the same, or leave --add out and give a --name."
            )
    return found


def _command(config: RunConfig, given: Given, name: str | None) -> str:
    options = (*given.options, *(("--name", name) if name else ()))
    return command(f"benchmarks.{BENCHMARK}", config, *options)


def _run(config: RunConfig, given: Given, runs: Path, console: Console) -> Finished:
    """Train and evaluate what is not done yet of the study, while no other process does."""
    place = study(runs, BENCHMARK, config)
    with place.held():
        return _finished(place, config, given, console)


def _finished(place: Study, config: RunConfig, given: Given, console: Console) -> Finished:
    bases = {seed: base(place, config, seed) for seed in given.seeds if BASE in given.arms}
    warm = {
        seed: place.warm_start(seeded(config, seed), f"warm-{seed}")
        for seed in given.seeds
        if config.warm_start.steps
    }
    trained = {
        arm: {
            seed: training(place, settings_of(config, arm), arm, seed, warm.get(seed))
            for seed in given.seeds_of(arm)
        }
        for arm in given.arms
        if arm != BASE
    }
    starts = [*bases.values(), *warm.values()]
    jobs = [trained[arm][s] for s in given.seeds for arm in trained if s in trained[arm]]
    with watched("base and warm start", starts, console) as look:
        run_all(starts, at_once=given.jobs, place=place, look=look)
    with watched(f"{BENCHMARK}, {config.game.name}", jobs, console) as look:
        run_all(jobs, at_once=given.jobs, place=place, look=look)
    notes = []
    if SHARED in trained and REWARD_ONLY in trained and not given.shared_in_full:
        notes.append(check_shared(trained[SHARED], trained[REWARD_ONLY]))
        trained[SHARED] = trained[REWARD_ONLY]
    scored = {job.folder: job for by_seed in trained.values() for job in by_seed.values()}
    ended = [*starts, *scored.values()]
    play_out(ended, config, report=console.print, at_once=given.jobs, brief=given.brief)
    found = {BASE: bases, WARM: warm}
    return Finished(
        {start: of for start, of in found.items() if of}, trained, notes, [*starts, *jobs]
    )


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


def _weights(model: Path) -> dict[str, str]:
    """The digest of each file of weights."""
    files = sorted(model.glob("*.safetensors"))
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in files}


if __name__ == "__main__":
    sys.exit(guarded(main, f"benchmarks.{BENCHMARK}"))
