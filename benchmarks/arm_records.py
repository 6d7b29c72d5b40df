"""The record of a study's finished runs: every arm's measures and curves, and the pairs of arms.

A study is summed up once all of its arms are trained. An arm that is trained later can be added to
the record: training is deterministic, so runs of the arms that the record has can tell whether the
code still does what it did then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from benchmarks import outcomes
from benchmarks.arms import BASE, CREDITED, REWARD_ONLY, SHARED, TRAINED, WARM, Given
from benchmarks.certificate import certify
from benchmarks.command_line import BenchmarkError, changed, config_digest, game_id
from benchmarks.records import Curve, Measure, Record, difference, load, measure
from benchmarks.time_to_equilibrium import LAST_FOULS, inexact
from benchmarks.training_runs import Cost, Job, total
from sepo_trainer.settings.config import RunConfig

BENCHMARK = "credit_ablation"
WAY = "share of the way to J*"
PAIRED = (
    *("exploitability", outcomes.OF_A_MATCH, "objective", "safety", "u", "e", "c", "x"),
    *("held-out payoff", "NRA, heldout", "profit gain against always-1", "overbidding"),
)
"""Quantities whose differences are told."""
TRIAL = "This was a quick trial, far too short to learn anything: its numbers mean nothing."
"""A note of a record, which its page begins with."""


class ApartError(BenchmarkError):
    """What was trained again is not what a record says of it."""


class Finished(NamedTuple):
    """The runs of a study, all at their end, by arm and seed."""

    starts: Mapping[str, Mapping[int, Job]]
    """What was only evaluated, the base and the warm start; without those that the study lacks."""
    trained: Mapping[str, Mapping[int, Job]]
    notes: Sequence[str]
    """Beside those that hold for every study."""
    processes: Sequence[Job]
    """All that the study took."""


class Asked(NamedTuple):
    """What the record of a study is to say besides its runs."""

    config: RunConfig
    given: Given
    best: float | None
    """J*, if it is known under these weights."""
    reproduce: str
    """The command that measures all of it."""


def summarize(runs: Finished, game: str, asked: Asked, *, name: str) -> Record:
    """The record of ``runs`` in one of their games."""
    config, given, best, reproduce = asked
    measures = _measures(runs.starts, runs.trained, game, best)
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
            *([TRIAL] if given.brief else []),
            *runs.notes,
            *_inexact(measures, runs.trained, given.seeds),
        ),
        game=game_id(game),
        settings=changed(config),
        config_digest=config_digest(config),
        seeds=given.seeds,
        measures=measures | _pairs(measures),
        certificate=certify(
            command=reproduce,
            threads=config.threads,
            jobs=given.jobs,
            **total(job.cost for job in runs.processes)._asdict(),
        ),
        curves={arm: _curve(by_seed, game) for arm, by_seed in runs.trained.items()},
    )


def hold_against(record: Record, runs: Finished, game: str, arms: Sequence[str]) -> None:
    """See that the ``runs`` of these ``arms`` ended, and went, as ``record`` says.

    Raises:
        ApartError: they did not.
    """
    for arm, by_seed in {**runs.starts, **runs.trained}.items():
        if arm not in arms:
            continue
        found = outcomes.measures([job.folder for job in by_seed.values()], game)
        known = record.measures[arm]
        places = [record.seeds.index(seed) for seed in by_seed]
        for quantity in [quantity for quantity in outcomes.QUANTITIES if quantity in known]:
            told = tuple(known[quantity].values[place] for place in places)
            ended = found[quantity].values if quantity in found else None
            if ended != told:
                raise ApartError(_apart(record, arm, by_seed, f"{quantity} is {ended}, not {told}"))
        if arm in record.curves:
            curve = record.curves[arm].seeds
            if any(curve[seed] != went for seed, went in _curve(by_seed, game).seeds.items()):
                raise ApartError(_apart(record, arm, by_seed, "J went another way"))


def added(record: Record, runs: Finished, game: str, asked: Asked) -> Record:
    """``record`` with those arms of ``runs`` that it lacks, as a record of the code as it is.

    Args:
        runs: of known arms too, which were held against the record.
    """
    config, given, best, reproduce = asked
    ran = {**runs.starts, **runs.trained}
    arms = {arm: record.measures[arm] for arm in arms_of(record)}
    curves = dict(record.curves)
    lacking = [arm for arm in ran if arm not in arms]
    if SHARED in lacking and REWARD_ONLY in given.known:
        arms[SHARED], curves[SHARED] = arms[REWARD_ONLY], curves[REWARD_ONLY]
    trained = {arm: runs.trained[arm] for arm in lacking if arm in runs.trained and arm not in arms}
    found = _measures(runs.starts, trained, game, best)
    arms = {
        arm: {**found.get(arm, {}), **arms.get(arm, {})}
        for arm in (BASE, WARM, *TRAINED)
        if arm in found or arm in arms
    }
    before = record.certificate
    spent = total(
        [
            Cost(before.wall_seconds, before.peak_memory_mib),
            *(job.cost for job in runs.processes),
        ]
    )
    return record.model_copy(
        update={
            "notes": (
                *record.notes,
                *runs.notes,
                _told_of_the_addition(record, lacking, runs, given),
                *_inexact(found, trained, given.seeds),
            ),
            "config_digest": config_digest(config),
            "measures": arms | _pairs(arms),
            "curves": curves | {arm: _curve(by_seed, game) for arm, by_seed in trained.items()},
            "certificate": certify(
                command=reproduce,
                threads=config.threads,
                jobs=max(given.jobs, before.jobs),
                **spent._asdict(),
            ),
        }
    )


def headline(record: Record) -> str:
    """The quantity that the arms are compared by."""
    return "exploitability" if "exploitability" in record.measures[CREDITED] else "objective"


def arms_of(record: Record) -> list[str]:
    """The base, the warm start and the arms, without their differences."""
    return [name for name in record.measures if " - " not in name]


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


def _measures(
    starts: Mapping[str, Mapping[int, Job]],
    trained: Mapping[str, Mapping[int, Job]],
    game: str,
    best: float | None,
) -> dict[str, dict[str, Measure]]:
    """Of every arm, that of the starts first."""
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
    return measures


def _pairs(measures: Mapping[str, Mapping[str, Measure]]) -> dict[str, dict[str, Measure]]:
    """Of credited and each other arm, the differences."""
    ours = measures[CREDITED]
    return {
        f"{CREDITED} - {arm}": {
            quantity: difference(ours[quantity], theirs[quantity])
            for quantity in PAIRED
            if all(_whole(of.get(quantity)) for of in (ours, theirs))
        }
        for arm, theirs in measures.items()
        if arm != CREDITED
    }


def _curve(by_seed: Mapping[int, Job], game: str) -> Curve:
    return outcomes.learning_curve({seed: job.folder for seed, job in by_seed.items()}, game)


def _inexact(
    measures: Mapping[str, Mapping[str, Measure]], trained: Iterable[str], seeds: Sequence[int]
) -> list[str]:
    """A note on the trained policies that are not read out exactly, if there are any."""
    return inexact(
        {
            f"{arm} seed {seed}": share
            for arm in trained
            if "uncovered" in measures[arm]
            for seed, share in zip(seeds, measures[arm]["uncovered"].values, strict=True)
            if share is not None
        }
    )


def _apart(record: Record, arm: str, seeds: Iterable[int], how: str) -> str:
    return (
        f"{arm} of seed {', '.join(map(str, seeds))} does not end as the record {record.name} of "
        f"commit {record.certificate.commit[:7]} says: {how}. So another arm, trained with this "
        "code or on this machine, would not compare. All arms have to be measured anew: leave "
        "--add out."
    )


def _told_of_the_addition(record: Record, new: Sequence[str], runs: Finished, given: Given) -> str:
    """A note on which arms came to a record later, and what says that they belong there."""
    again = [f"{' and '.join(given.known)} of seed {given.seeds[0]}"]
    if WARM in runs.starts:
        again.insert(0, "all warm starts")
    made = record.certificate
    came = f"; {' and '.join(new)} came in then" if new else ""
    return (
        f"{', '.join(arms_of(record))}: measured on {made.date:%d %B %Y} at commit "
        f"{made.commit[:7]}. At the commit of this certificate {' and '.join(again)} were trained "
        f"again, and came to the same numbers{came}."
    )


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
