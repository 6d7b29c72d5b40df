"""`cross-play`: every agent against every other and itself, and the ratings that follow.

Matches come from the store where `run` has left them, and are played where not; so a round robin
goes on where it was stopped too. In a game of more than two seats one agent sits among several of
the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.certificate import Certificate
from benchmarks.leaderboard.agents import SEED, Agent, AgentError, agent, is_scripted, name_of
from benchmarks.leaderboard.asking import Asked, asked
from benchmarks.leaderboard.ratings import Rated, limits, rated
from benchmarks.leaderboard.records import (
    OVERALL,
    CrossPlay,
    Measured,
    Rating,
    Who,
    measured,
    save_cross_play,
)
from benchmarks.leaderboard.replacing import check_round_robin
from benchmarks.leaderboard.run import (
    HEAVIEST,
    Task,
    check_names,
    done,
    made_now,
    named,
    seeded,
    who,
)
from benchmarks.leaderboard.scoring import around, per_seat, sitter
from benchmarks.leaderboard.store import Store
from sepo_envs.batch import Board
from sepo_envs.catalogue import domain

Floats: TypeAlias = NDArray[np.float64]


class Met(NamedTuple):
    """Every pair of agents in one domain."""

    specs: tuple[str, ...]
    mine: Floats
    """``(deals, agents, agents, seats)``: points per round of the first agent, in each seat."""
    theirs: Floats
    """What each of the others earned on average."""


def cross_play(given: argparse.Namespace, console: Console) -> list[Path]:
    """Play the round robin of every domain and save its record.

    Raises:
        AgentError: in no domain two agents meet, or two go by one name.
    """
    what, started = asked(given), perf_counter()
    names = _names(what)
    check_names(names)
    specs = tuple(names)
    cast = {spec: agent(spec, what.ways) for spec in specs}
    known = {spec: named(who(found), names[spec]) for spec, found in cast.items()}
    playing = {
        name: tuple(spec for spec in specs if name in cast[spec].domains) for name in what.domains
    }
    todo = [
        Task(name, playing[name], what.episodes, what.seed, what.home)
        for name in sorted(what.domains, key=lambda name: name not in HEAVIEST)
        if len(playing[name]) > 1
    ]
    if not todo:
        raise AgentError(
            "no two of these agents play a domain in common. Name more with --agent; "
            "--agent scripted names all scripted ones."
        )
    everywhere = [spec for spec in specs if all(spec in task.specs for task in todo)]
    for task in todo:
        check_round_robin(given, task.domain, [names[spec] for spec in task.specs])
    if len(todo) > 1 and len(everywhere) > 1:
        check_round_robin(given, OVERALL, [names[spec] for spec in everywhere])
    met: dict[str, Met] = {}
    in_words = not all(map(is_scripted, specs))  # whose model is loaded once, here
    work = partial(met_by, cast) if in_words else meet
    for task, found in done(work, todo, 1 if in_words else what.jobs):
        met[task.domain] = found
        seconds = perf_counter() - started
        console.print(f"{task.domain}: {len(found.specs)} agents have met, {seconds:.0f} s so far")
    certificate = made_now(perf_counter() - started, given, what)
    records = [
        _record(name, [met[name]], known, what, certificate) for name in what.domains if name in met
    ]
    if len(met) > 1 and len(everywhere) > 1:
        picked = [_only(found, everywhere) for found in met.values()]
        records.append(_record(OVERALL, picked, known, what, certificate))
    return [save_cross_play(record, given.board) for record in records]


def _names(what: Asked) -> dict[str, str]:
    """By spec, what those who meet are called; each training is an agent of its own.

    Raises:
        AgentError, UnavailableError: one cannot be had, or a name would be of several.
    """
    names: dict[str, str] = {}
    for spec in what.specs:
        usual = {one: name_of(one, what.ways) for one in seeded(spec, what.trainings)}
        name = what.names.get(spec)
        if name is None:
            names |= usual
            continue
        if (SEED in spec) != (SEED in name):
            mend = f"{name}-{SEED}" if SEED in spec else name.replace(SEED, "").strip("-") or "NAME"
            raise AgentError(
                f"--name {name} does not fit {spec!r}: each training meets the others as an agent "
                f"of its own. Write --name {mend}."
            )
        names |= dict(zip(usual, seeded(name, what.trainings), strict=True))
    return names


def meet(task: Task) -> Met:
    """What one process does: all pairs of one domain."""
    return met_by({spec: agent(spec) for spec in task.specs}, task)


def met_by(cast: Mapping[str, Agent], task: Task) -> Met:
    """All pairs of one domain, of agents by their specs."""
    found = domain(task.domain)
    board, store = Board(found.make()), Store(task.home, task.seed)
    specs = task.specs
    sitters = [sitter(cast[spec], task.domain) for spec in specs]
    seats = board.game.seats
    deals = range(per_seat(task.episodes, seats))
    mine = np.zeros((len(deals), len(specs), len(specs), seats))
    theirs = np.zeros_like(mine)
    known: dict[tuple[str, ...], Floats] = {}
    for a, first in enumerate(sitters):
        for b, second in enumerate(sitters):
            for seat in range(seats):
                places = around(first, second, seat, board)
                key = tuple(each.mark for each in places)
                if key not in known:
                    known[key] = store.points(found, board, places, deals) / board.game.rounds
                points = known[key]
                mine[:, a, b, seat] = points[:, seat]
                theirs[:, a, b, seat] = np.delete(points, seat, axis=1).mean(1)
    return Met(specs, mine, theirs)


def _record(
    name: str,
    met: Sequence[Met],
    known: Mapping[str, Who],
    what: Asked,
    certificate: Certificate,
) -> CrossPlay:
    """Of one domain; or of all, each counting alike."""
    won = np.mean([_won(found) for found in met], axis=0)
    seats = met[0].mine.shape[-1]
    found = rated(won, len(won) * seats * len(met))
    agents = [known[spec] for spec in met[0].specs]
    overall = name == OVERALL
    payoffs = () if overall else _matrix(met[0].mine.mean(-1))
    return CrossPlay(
        domain=name,
        version=0 if overall else domain(name).version,
        seed=what.seed,
        episodes=what.episodes,
        deals=len(won),
        agents=tuple(agents),
        payoffs=payoffs,
        wins=_matrix(won),
        ratings=tuple(
            _rating(agents[place].name, found, place) for place in _strongest_first(found)
        ),
        certificate=certificate,
    )


def _won(met: Met) -> Floats:
    """``(deals, agents, agents)``: the share of matches in which the first earned more."""
    shares: Floats = ((1 + np.sign(met.mine - met.theirs)) / 2).mean(-1)
    return shares


def _matrix(numbers: Floats) -> tuple[tuple[Measured, ...], ...]:
    """``(deals, agents, agents)`` as means with their intervals."""
    value, (low, high) = numbers.mean(0), limits(numbers)
    count = len(value)
    return tuple(
        tuple(
            measured(*map(float, (value[a, b], low[a, b], high[a, b])), reason="never met")
            for b in range(count)
        )
        for a in range(count)
    )


def _rating(name: str, of: Rated, place: int) -> Rating:
    def told(*numbers: Floats) -> Measured:
        value, low, high = (float(each[place]) for each in numbers)
        return measured(value, low, high, reason="never met")

    return Rating(
        name=name,
        rating=told(of.rating, of.low, of.high),
        rank=told(of.rank, of.rank_low, of.rank_high),
    )


def _strongest_first(found: Rated) -> list[int]:
    return sorted(range(len(found.rating)), key=lambda place: float(found.rank[place]))


def _only(met: Met, specs: Sequence[str]) -> Met:
    places = [met.specs.index(spec) for spec in specs]
    picked = np.ix_(range(len(met.mine)), places, places, range(met.mine.shape[-1]))
    return Met(tuple(specs), met.mine[picked], met.theirs[picked])
