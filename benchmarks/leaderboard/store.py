"""Finished matches on disk, so that none is played twice and none is lost.

    <home>/matches/<domain>/<first>-vs-<second>-<digest>.jsonl
    <home>/exploitability/<domain>/<name>-<digest>.json

A file holds the matches of one seating: who sits where, on the deals of one seed, under one state
of the code. It is a file of replays (`sepo_envs.replays`), each line with its deals under
``about``: equal matches are one line. Matches of scripted players are written when all deals of a
seating are played, others as each ends; whatever ended a run, the next goes on with what is there.

How exploitable somebody is can take longer to work out than all matches, so it is kept too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from os import getpid
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.certificate import CODE, source_digest
from opponents.matches import Played, Player, Spoken, play_matches
from opponents.opponent import Opponent
from sepo_envs.batch import Board
from sepo_envs.catalogue import Domain
from sepo_envs.episode import Episode
from sepo_envs.exact import Certified
from sepo_envs.protocol import Message
from sepo_envs.replays import ReplayError, check, line, telling

HOME: Final = Path("runs/leaderboard")


class Sitter(NamedTuple):
    """Who sits in a seat."""

    name: str
    mark: str
    """A digest of how it plays there: equal marks, equal play."""
    player: Player


class Kept(NamedTuple):
    """One finished match."""

    deal: int
    episode: Episode
    moves: str
    """The episode as JSON; equal for equal matches, and then the same object."""
    spoken: Mapping[int, Spoken]


@dataclass(frozen=True)
class Store:
    """Plays what is not there yet.

    Args:
        home: the folder of all matches.
        seed: of the deals.
        had: told how many matches more there are, as they end or are found.
    """

    home: Path
    seed: int
    had: Callable[[int], object] = lambda count: None

    def matches(
        self, domain: Domain, board: Board, seats: Sequence[Sitter], deals: Sequence[int]
    ) -> list[Kept]:
        """One match for each of ``deals``, in that order, played or read back."""
        path = self.path(domain, board, seats)
        there = _read(path, domain)
        missing = [deal for deal in deals if deal not in there]
        self.had(len(deals) - len(missing))
        if missing:
            path.parent.mkdir(parents=True, exist_ok=True)
            about = {"players": [seat.name for seat in seats], "seed": self.seed}

            def keep(played: Sequence[Played]) -> None:
                fresh = _kept(played)
                _add(path, fresh.values(), about)
                there.update(fresh)
                self.had(len(fresh))

            spoken = not all(isinstance(seat.player, Opponent) for seat in seats)
            played = play_matches(
                domain,
                [seat.player for seat in seats],
                deals=missing,
                seed=self.seed,
                board=board,
                finished=(lambda match: keep([match])) if spoken else _nothing,
            )
            if not spoken:
                keep(played)
        return [there[deal] for deal in deals]

    def points(
        self, domain: Domain, board: Board, seats: Sequence[Sitter], deals: Sequence[int]
    ) -> NDArray[np.float64]:
        """What everybody earns in each match, ``(deals, seats)``; a file of ours is believed."""
        found: dict[int, list[float]] = {}
        path = self.path(domain, board, seats)
        for raw in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
            if raw.endswith(b"}\n"):
                read = json.loads(raw)
                found |= dict.fromkeys(read["about"]["deals"], read["returns"])
        if any(deal not in found for deal in deals):
            matches = self.matches(domain, board, seats, deals)
            return np.array([match.episode.returns for match in matches])
        return np.array([found[deal] for deal in deals])

    def certified(
        self, domain: Domain, board: Board, sitter: Sitter, work: Callable[[], Certified | None]
    ) -> Certified | None:
        """How exploitable the sitter is, worked out or read back; None where ``work`` cannot say.

        Args:
            work: works it out.
        """
        digest = self._digest(domain, board, [sitter], (*CODE, "benchmarks"))
        path = self.home / "exploitability" / domain.name / f"{sitter.name}-{digest}.json"
        if path.is_file():
            return Certified(**json.loads(path.read_text()))
        found = work()
        if found is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(f".{getpid()}.draft")
            draft.write_text(json.dumps(asdict(found)))
            draft.replace(path)
        return found

    def path(self, domain: Domain, board: Board, seats: Sequence[Sitter]) -> Path:
        """Where the matches of this seating are."""
        digest = self._digest(domain, board, seats, CODE)
        names = "-vs-".join(seat.name for seat in seats)
        return self.home / "matches" / domain.name / f"{names}-{digest}.jsonl"

    def _digest(
        self, domain: Domain, board: Board, seats: Sequence[Sitter], packages: tuple[str, ...]
    ) -> str:
        """Of all that decides how these do: the rules, who they are, the seed, the code."""
        marks = [seat.mark for seat in seats]
        rules = [domain.name, domain.version, repr(board.game)]
        told = json.dumps([*rules, marks, self.seed, _code(packages)])
        return sha256(told.encode()).hexdigest()[:12]


@cache
def _code(packages: tuple[str, ...]) -> str:
    return source_digest(packages=packages)


def _nothing(match: Played) -> None:
    """What is told of a match that is written with the others."""


def _kept(played: Sequence[Played]) -> dict[int, Kept]:
    moves: dict[int, str] = {}
    for match in played:
        if id(match.episode) not in moves:
            moves[id(match.episode)] = line(match.episode)
    return {
        match.deal: Kept(match.deal, match.episode, moves[id(match.episode)], match.spoken)
        for match in played
    }


def _add(path: Path, kept: Iterable[Kept], about: Mapping[str, Any]) -> None:
    """Append the matches; equal ones in one line, unless words were said in them."""
    text = ""
    for deals, match in alike(kept):
        told = {**about, "deals": deals} | spoken_as_told(match.spoken)
        text += telling(match.moves, told)
    with path.open("ab", buffering=0) as file:  # in one write: another process may append too
        file.write(text.encode())


def alike(kept: Iterable[Kept]) -> Iterator[tuple[list[int], Kept]]:
    """Equal matches together, with their deals, unless words were said in them."""
    found: dict[str, tuple[list[int], Kept]] = {}
    for match in kept:
        key = f"{match.deal} {match.moves}" if match.spoken else match.moves
        found.setdefault(key, ([], match))[0].append(match.deal)
    yield from found.values()


def spoken_as_told(spoken: Mapping[int, Spoken]) -> dict[str, Any]:
    """What was said in a match, as a line of replays tells it; empty where nothing was."""
    return {"spoken": {str(seat): list(said) for seat, said in spoken.items()}} if spoken else {}


def spoken_in(about: Mapping[str, Any]) -> dict[int, Spoken]:
    """What a line of replays tells of what was said, by seat.

    Raises:
        TypeError, ValueError: that has not the form of it.
    """
    return {
        int(seat): Spoken(tuple(Message(*said) for said in messages), *counts)
        for seat, (messages, *counts) in about.get("spoken", {}).items()
    }


def _read(path: Path, domain: Domain) -> dict[int, Kept]:
    """The matches of the file; what was cut short in it is taken away and played again."""
    if not path.is_file():
        return {}
    there: dict[int, Kept] = {}
    whole = True
    for found in check(path, {domain.name: domain}):
        if isinstance(found, ReplayError):
            whole = False
            continue
        moves = line(found.episode)
        spoken = spoken_in(found.about)
        for deal in found.about["deals"]:
            there[deal] = Kept(deal, found.episode, moves, spoken)
    if not whole:
        good = [raw for raw in path.read_text().splitlines(keepends=True) if _is_whole(raw)]
        path.write_text("".join(good))
    return there


def _is_whole(raw: str) -> bool:
    try:
        json.loads(raw)
    except ValueError:
        return False
    return raw.endswith("\n")
