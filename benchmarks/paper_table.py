"""The tables of the SEPO paper in miniature, with what the paper could not show.

    python -m benchmarks.paper_table --seeds 5    every domain, and one model for all of them
    python -m benchmarks.paper_table --games split_negotiation,kuhn_poker
    python -m benchmarks.paper_table --quick      one seed, short, in minutes, apart from the rest
    python -m benchmarks.paper_table --write      the tables anew, from the records as they are
    python -m benchmarks.paper_table --check      are the tables as the records are?

Each domain's study is that of `benchmarks.credit_ablation`, at the game's own settings. A record of
these settings, seeds and arms is taken as it is; one that lacks arms, or settings that were added
since, is completed, as by credit_ablation --add. One of other settings or of fewer seeds is made
anew; one of more seeds is written over only with --replace. Finished runs are kept, and an
interrupted study goes on where it was. Out come tables as Markdown and a page with pictures, both
from the records alone.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.arm_records import BENCHMARK as STUDY
from benchmarks.arm_records import ApartError, optimum
from benchmarks.arms import ARMS, DIVIDED, Given
from benchmarks.command_line import (
    RUNS,
    BenchmarkError,
    at_least,
    check_writable,
    config_digest,
    guarded,
    written,
)
from benchmarks.credit_ablation import is_of, measured, names, store
from benchmarks.records import RESULTS, Record, load, record_path
from benchmarks.replacing import check_replaced
from sepo_envs.catalogue import CATALOGUE
from sepo_trainer.settings.config import JOINT, RunConfig
from sepo_trainer.settings.resolve import resolve

BENCHMARK = "paper_table"
GAMES = (
    *("prisoners_dilemma", "repeated_auction", "split_negotiation", "item_negotiation"),
    *("kuhn_poker", JOINT),
)
"""In the order of the paper; the last is one policy for all of them."""
ORDER = (*GAMES[:-1], *(f"{JOINT}-{game}" for game in GAMES[:-1]))
"""Of the records, by name."""
QUICK_RUNS = Path("runs/quick")
QUICK = (
    *("--learning.iterations", "2", "--evaluation_episodes", "2", "--rollout.group_size", "4"),
    *("--warm_start.episodes", "500", "--warm_start.steps", "100", "--warm_start.batch", "32"),
    *("--rollout.deals", "1", "--rollout.most_fouls", "1"),
)
"""Too short to learn anything: it shows that everything works."""


def main(arguments: Sequence[str]) -> None:
    given = _parser().parse_args(arguments)
    results = given.results or (QUICK_RUNS / "results" if given.quick else RESULTS)
    runs = given.runs or (QUICK_RUNS if given.quick else RUNS)
    if given.quick and results.resolve() == RESULTS.resolve():
        raise BenchmarkError(
            "--quick is too short to say anything, so its records have no place among those of "
            "benchmarks/results. Leave --results out, or name another folder."
        )
    console = Console(highlight=False, soft_wrap=True)
    if not (given.write or given.check):
        check_writable("--runs", runs)
        check_writable("--results", results)
        seeds = tuple(range(1 if given.quick and given.seeds is None else given.seeds or 5))
        own = given.quick and given.results is None  # there is nothing but trials there
        if not (given.replace or own):
            _check_kept(given.games, seeds, results, quick=given.quick)
        for game in given.games:
            asked = Given(studied(game), seeds, given.jobs, brief=given.quick)
            _study(game, asked, runs, results, quick=given.quick, again=given.again, to=console)
    found = records(results)
    if not found:
        raise BenchmarkError(
            f"there is nothing to make the tables of: {results / STUDY} holds none of "
            f"{', '.join(f'{name}.json' for name in ORDER)}. Leave --write and --check out to "
            "measure them, or say with --results where they are."
        )
    from benchmarks import paper_page  # draws with matplotlib: only now, as this process runs long

    made = paper_page.files(found, optima())
    place = results / BENCHMARK
    files = {place / name: text for name, text in made.items()}
    anew = written(files, check=given.check, command="python -m benchmarks.paper_table --write")
    told = "are written anew" if anew else "are as the records are"
    console.print(f"The tables and pictures in {place} {told}.")


def settings(game: str, *, quick: bool) -> RunConfig:
    """Of one of `GAMES`: its own, or those of a trial."""
    return resolve(None, ["--game.name", game, *(QUICK if quick else ())])


def studied(game: str) -> tuple[str, ...]:
    """Those of a domain's study; divided advantages are tried where the answer is exact, and where
    the paper saw a late collapse."""
    divided = game in ("kuhn_poker", "prisoners_dilemma")
    return ARMS if divided else tuple(arm for arm in ARMS if arm != DIVIDED)


def records(results: Path) -> dict[str, Record]:
    """Those of the study under ``results``, by name, in that order."""
    found = {name: record_path(STUDY, name, results) for name in ORDER}
    return {name: load(path) for name, path in found.items() if path.is_file()}


def optima() -> dict[str, float]:
    """J* by game, as far as it is on record."""
    known = {game: optimum(game, RESULTS) for game in CATALOGUE}
    return {game: best for game, best in known.items() if best is not None}


def fits(record: Record, config: RunConfig, given: Given) -> bool:
    """Whether ``record`` is of these settings and seeds, and has all arms that are asked for."""
    return (
        record.config_digest == config_digest(config)
        and record.seeds == given.seeds
        and set(given.arms) <= set(record.measures)
    )


def _check_kept(games: Sequence[str], seeds: Sequence[int], results: Path, *, quick: bool) -> None:
    """See that no record is written over that says more.

    A game's own settings change, and then its record is made anew; a trial's are never its own.

    Raises:
        BenchmarkError: one is of more seeds, or a trial would be written over one that is none.
    """
    for game in games:
        config = settings(game, quick=quick)
        for name in names(config).values():
            path = record_path(STUDY, name, results)
            check_replaced(path, seeds, config if quick else None, apart="--results")


def _study(
    game: str, given: Given, runs: Path, results: Path, *, quick: bool, again: bool, to: Console
) -> None:
    """The record, or records, of one domain: taken as they are, or measured."""
    config = settings(game, quick=quick)
    found = records(results)
    stored = {each: found[name] for each, name in names(config).items() if name in found}
    kept = not (quick or again) and len(stored) == len(config.games)
    if kept and all(fits(record, config, given) for record in stored.values()):
        commit = next(iter(stored.values())).certificate.commit[:10]
        to.print(f"{game}: taken as recorded at commit {commit} (--again measures it anew)")
        return
    study = partial(measured, config, given, None, runs, RESULTS, to)
    try:
        add = kept and all(is_of(record, config, given) for record in stored.values())
        if kept and not add:
            to.print(f"{game}: recorded with other settings or seeds, so it is measured anew")
        made = study(onto=stored if add else None)
    except ApartError as error:
        to.print(f"{error}\nSo that is done now.")
        made = study()
    for record in made:
        store(record, results, to)


def _games(text: str) -> tuple[str, ...]:
    named = tuple(text.split(","))
    if wrong := [game for game in named if game not in GAMES]:
        raise argparse.ArgumentTypeError(
            f"there is no domain {wrong[0]!r}; name any of {', '.join(GAMES)}, commas between"
        )
    return named


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{BENCHMARK}",
        description=(__doc__ or "").strip().replace("`", ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--seeds", type=at_least(1), metavar="N", help="how many (5; --quick: 1)")
    made.add_argument(
        "--games",
        type=_games,
        default=GAMES,
        metavar="A,B",
        help=f"with commas between (all: {','.join(GAMES)})",
    )
    made.add_argument(
        "--jobs", type=at_least(1), default=2, metavar="N", help="trainings at once (%(default)s)"
    )
    made.add_argument("--quick", action="store_true", help="one seed, short, into runs/quick")
    made.add_argument("--again", action="store_true", help="do not take a record as it is")
    made.add_argument("--replace", action="store_true", help="write over a record of more seeds")
    made.add_argument("--runs", type=Path, metavar="DIR", help=f"for run folders ({RUNS})")
    made.add_argument(
        "--results", type=Path, metavar="DIR", help="for records (benchmarks/results)"
    )
    only = made.add_mutually_exclusive_group()
    only.add_argument("--write", action="store_true", help="train nothing")
    only.add_argument("--check", action="store_true", help="write nothing, exit 1 when stale")
    return made


if __name__ == "__main__":
    sys.exit(guarded(main, f"benchmarks.{BENCHMARK}"))
