"""`run`: score agents on every domain and write a record for each.

Matches are kept under ``--home`` as they end; the same command goes on after an interruption.
Domains are shared out among processes; their numbers do not depend on how many there are.
"""

from __future__ import annotations

import argparse
import resource
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple, TypeVar

from rich.console import Console

from benchmarks.certificate import Certificate, certify
from benchmarks.leaderboard.agents import (
    HUMAN,
    SEED,
    Agent,
    AgentError,
    agent,
    is_scripted,
    name_of,
)
from benchmarks.leaderboard.asking import Asked, asked
from benchmarks.leaderboard.courses import courses
from benchmarks.leaderboard.over_seeds import combined
from benchmarks.leaderboard.records import AgentRecord, Score, Who, save_agent
from benchmarks.leaderboard.replacing import check_row
from benchmarks.leaderboard.scoring import certified, scores, to_play
from benchmarks.leaderboard.sheet import Use
from benchmarks.leaderboard.speaking import DOMAIN, file_name
from benchmarks.leaderboard.store import Kept, Store
from sepo_envs.batch import Board
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_trainer.runs.progress import bar

Made = TypeVar("Made")

MODULE: Final = "benchmarks.leaderboard"
HEAVIEST: Final = ("item_negotiation", "repeated_auction")
"""Domains that take longest, so they are begun first."""
BOUNDED: Final = ("item_negotiation",)
"""Domains in which exploitability takes as long as all matches: an exploiter is trained."""


class Task(NamedTuple):
    """One process's share: some agents in one domain."""

    domain: str
    specs: tuple[str, ...]
    episodes: int
    seed: int
    home: Path
    ahead: bool = False
    """Whether only exploitability is worked out, for the task that scores the domain to find."""


def run(given: argparse.Namespace, console: Console) -> list[Path]:
    """Score every agent and save its record."""
    what, started = asked(given), perf_counter()
    # All of these before hours are spent on what would be refused.
    names = {spec: row_name(spec, what) for spec in what.specs}
    check_names(names)
    bare = tuple(spec for spec in what.specs if is_scripted(spec))
    known = {spec: named(who(agent(spec)), names[spec]) for spec in bare}
    check_domains(known.values(), what.domains)
    for one in known.values():
        check_row(given, one, {*one.domains} & {*what.domains})
    found: dict[str, dict[str, Score]] = {spec: {} for spec in what.specs}
    for task, made in done(scored, tasks(bare, what), what.jobs):
        for spec, score in made.items():
            found[spec][task.domain] = score
        did = "exploitability of some agents" if task.ahead else f"{len(made)} agents scored"
        seconds = perf_counter() - started
        console.print(f"{task.domain}: {did}, {seconds:.0f} s so far")
    for spec in what.specs:
        if spec not in known:
            row, found[spec] = in_words(spec, what, console)
            known[spec] = named(row, names[spec])
    certificate = made_now(perf_counter() - started, given, what)
    for spec in what.specs:
        check_row(given, known[spec], found[spec])
    paths = []
    for spec in what.specs:
        record = AgentRecord(
            agent=known[spec],
            seed=what.seed,
            episodes=what.episodes,
            trainings=what.trainings if SEED in spec else (),
            domains={name: found[spec][name] for name in what.domains if name in found[spec]},
            not_played={
                name: "it does not play this domain"
                for name in what.domains
                if name not in found[spec]
            },
            certificate=certificate,
        )
        paths.append(save_agent(record, given.board))
    count = f"{len(paths)} record{'s' * (len(paths) > 1)}"
    console.print(f"{count} in {given.board / 'agents'}")
    return paths


def in_words(spec: str, what: Asked, console: Console) -> tuple[Who, dict[str, Score]]:
    """An agent that is asked in words, in this process: its model is loaded once for all."""
    store, each, rows = Store(what.home, what.seed), list[Who](), list[dict[str, Score]]()
    for one in seeded(spec, what.trainings):
        loaded = agent(one, what.ways)
        each.append(who(loaded))
        check_domains(each[-1:], what.domains)
        rows.append(alone(loaded, what, store, console))
    played = [name for name in what.domains if all(name in row for row in rows)]
    row = {name: combined([score[name] for score in rows]) for name in played}
    return (each[0] if len(each) == 1 else _all_of(spec, each)), row


def alone(
    loaded: Agent,
    what: Asked,
    store: Store,
    console: Console,
    seen: Callable[[str, Use, Sequence[Kept]], object] = lambda game, use, kept: None,
) -> dict[str, Score]:
    """One agent's scores by domain, in this process.

    Args:
        seen: told of all matches, as `scores` does.
    """
    found = {}
    for name in what.domains:
        if name in loaded.domains:
            with _counted(loaded, name, what, console) as had:
                counting = replace(store, had=had)
                made = scores(name, [loaded], counting, episodes=what.episodes, seen=seen)
            found[name] = made[loaded.spec].model_copy(
                update={"courses": courses(loaded.spec, name)}
            )
            console.print(f"{loaded.spec}: {name} is scored", markup=False)
    return found


@contextmanager
def _counted(
    loaded: Agent, name: str, what: Asked, console: Console
) -> Iterator[Callable[[int], object]]:
    """What is to be told of each match, to show how many are there of how many."""
    total, there = to_play(name, loaded, episodes=what.episodes), 0
    console.print(f"{loaded.spec}: {name}, {total:,} episodes", markup=False)
    if loaded.kind == HUMAN:  # who needs the terminal
        yield lambda count: None
        return
    with bar(console, name, total) as step:

        def had(count: int) -> None:
            nonlocal there
            there += count
            step(there, f"episodes of {loaded.name}")

        yield had


def seeded(spec: str, trainings: Sequence[int]) -> list[str]:
    """The agents that ``spec`` stands for."""
    return [spec.replace(SEED, str(seed)) for seed in trainings] if SEED in spec else [spec]


def check_domains(known: Iterable[Who], names: Sequence[str]) -> None:
    """
    Raises:
        AgentError: an agent plays none of these domains, so nothing could be said of it.
    """
    for found in known:
        if not {*found.domains} & {*names}:
            raise AgentError(
                f"{found.spec!r} does not play {' or '.join(names)}. "
                f"Give --domains {','.join(found.domains)}."
            )


def check_names(names: Mapping[str, str]) -> None:
    """
    Args:
        names: by spec.

    Raises:
        AgentError: two agents would be called alike, and so their records' files.
    """
    specs: dict[str, str] = {}
    for spec, name in names.items():
        if specs.setdefault(name, spec) != spec:
            raise AgentError(
                f"{specs[name]!r} and {spec!r} would both be called {name!r}. Name one of them "
                "with a --name behind its --agent."
            )


def tasks(specs: Sequence[str], what: Asked) -> list[Task]:
    """The heaviest first; in several parts where there are more processes than domains, and what
    an exploiter is trained for in as many as there are processes, ahead of all."""
    parts = -(-what.jobs // len(what.domains))
    order = sorted(what.domains, key=lambda name: name not in HEAVIEST)
    ahead = [(name, what.jobs, True) for name in order if name in BOUNDED and what.jobs > 1]
    playing = {
        name: [spec for spec in specs if name in agent(spec).domains] for name in what.domains
    }
    return [
        Task(name, tuple(some), what.episodes, what.seed, what.home, only_bounds)
        for name, count, only_bounds in (*ahead, *((name, parts, False) for name in order))
        for part in range(count)
        for some in [playing[name][part::count]]
        if some
    ]


def done(
    work: Callable[[Task], Made], todo: Sequence[Task], jobs: int
) -> Iterator[tuple[Task, Made]]:
    """Each task with what came of it, as it is finished; ``jobs`` of them at once."""
    if min(jobs, len(todo)) <= 1:
        for task in todo:
            yield task, work(task)
        return
    with ProcessPoolExecutor(min(jobs, len(todo)), get_context("spawn")) as pool:
        waiting = {pool.submit(work, task): task for task in todo}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def scored(task: Task) -> dict[str, Score]:
    """What one process does."""
    agents, store = [agent(spec) for spec in task.specs], Store(task.home, task.seed)
    if not task.ahead:
        return scores(task.domain, agents, store, episodes=task.episodes)
    board = Board(domain(task.domain).make())
    for one in agents:
        certified(task.domain, one, store, board)
    return {}


def who(found: Agent) -> Who:
    return Who(
        spec=found.spec,
        name=found.name,
        kind=found.kind,
        fingerprint=found.fingerprint,
        about=found.about,
        domains=found.domains,
    )


def made_now(seconds: float, given: argparse.Namespace, what: Asked) -> Certificate:
    """The certificate of what was just measured."""
    words = ["python", "-m", MODULE, given.command]
    for spec, name in given.agent:
        words += ["--agent", spec, *(() if name is None else ("--name", name))]
    if what.domains != tuple(CATALOGUE):
        words += ["--domains", ",".join(what.domains)]
    if what.trainings:
        words += ["--seeds", ",".join(map(str, what.trainings))]
    for name, value in what.ways.settings.items():
        words += ["--endpoint", f"{name}={value}"]
    if what.ways.prices:
        words += ["--prices", ",".join(map(str, what.ways.prices.values()))]
    words += ["--episodes", str(what.episodes), "--deal-seed", str(what.seed)]
    peak = max(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,
    )
    return certify(
        command=shlex.join(words),
        threads=1,
        jobs=what.jobs,
        wall_seconds=seconds,
        peak_memory_mib=peak / 2**10,
    )


def row_name(spec: str, what: Asked) -> str:
    """What the row of ``spec`` is called.

    Raises:
        AgentError, UnavailableError: the agent cannot be had, or its name is of several.
    """
    usual = [name_of(one, what.ways) for one in seeded(spec, what.trainings)]
    name = what.names.get(spec)
    if name is None:
        place = spec.partition(":")[2].replace(SEED, "").replace(DOMAIN, "")
        return usual[0] if len(usual) == 1 else file_name(place)
    if SEED in name:
        raise AgentError(f"--name {name} names one row over all of --seeds: leave {SEED} out.")
    return name


def named(row: Who, name: str) -> Who:
    """The same agent by this name."""
    return row.model_copy(update={"name": name})


def _all_of(spec: str, each: Sequence[Who]) -> Who:
    """The agent that a row over several trainings is of."""
    marks = "\n".join(one.fingerprint for one in each)
    return each[0].model_copy(
        update={
            "spec": spec,
            "about": f"{spec}, {len(each)} trainings",
            "fingerprint": sha256(marks.encode()).hexdigest(),
        }
    )
