"""A law, what was found to break one, and the random episodes in which laws are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from sepo_envs.catalogue import Domain
from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Game, Move, State, Words

MOST_ENTRIES: Final = 20_000
"""An episode with more moves and chance outcomes than that is taken to have no end."""
BEYOND_LONGEST: Final = 20
"""Decisions of a seat beyond the game's longest after which an episode is taken to have no end."""
SHOWN: Final = 12
"""Moves of the way to a state that a finding shows."""
FORFEITS: Final = 0.1
"""How often a random player forfeits."""

T = TypeVar("T")


class Law(NamedTuple):
    """Something that must hold wherever ``breaches`` is asked; it yields what does not."""

    name: str
    breaches: Callable[[Any], Iterator[str]]
    why: str
    mend: str


class Finding(NamedTuple):
    """One broken law: the first time it was seen to break."""

    law: str
    where: str
    what: str
    why: str
    mend: str

    def __str__(self) -> str:
        return (
            f"BROKEN: {self.law}\n  where  {self.where}\n  found  {self.what}\n"
            f"  why    {self.why}\n  mend   {self.mend}"
        )


PLAYABLE: Final = Law(
    "random legal play reaches the end",
    lambda _: iter(()),
    "every environment, solver and trainer plays the game in just this way.",
    "let start, actors, chance_outcomes, legal_moves and play answer in every state that play "
    "returns, and let actors return () once the episode is over.",
)


@dataclass(slots=True)
class Laws:
    """The findings so far. A law that was broken once is not tried again."""

    findings: list[Finding] = field(default_factory=list)
    stuck: bool = False
    """Whether play itself failed, so that there is nothing left to try."""
    _broken: set[str] = field(default_factory=set)

    def try_all(self, laws: Iterable[Law], thing: Any, where: str) -> None:
        """Ask each law that still holds about ``thing``; what it raises is a breach as well."""
        for law in laws:
            if law.name in self._broken:
                continue
            try:
                what = next(law.breaches(thing), None)
            except Exception as error:  # of a stranger's code: told, not swallowed
                what = raised(error)
            if what is not None:
                self._add(law, where, what)

    def attempt(self, name: str, make: Callable[[], T]) -> T | None:
        """What ``make`` returns; None, and a finding, if it raises."""
        try:
            return make()
        except Exception as error:  # of a stranger's code: told, not swallowed
            self._add(PLAYABLE._replace(name=name), "before the first move", raised(error))
            self.stuck = True
            return None

    def give_up(self, where: str, what: str) -> None:
        """Play cannot go on."""
        self._add(PLAYABLE, where, what)
        self.stuck = True

    def _add(self, law: Law, where: str, what: str) -> None:
        self._broken.add(law.name)
        self.findings.append(Finding(law.name, where, what, law.why, law.mend))


def raised(error: Exception) -> str:
    """
    >>> raised(KeyError("table"))
    "KeyError was raised: 'table'"
    """
    return f"{type(error).__name__} was raised: {error}"


@dataclass(frozen=True, slots=True)
class Subject:
    """The game under examination."""

    domain: Domain
    game: Game
    words: Words

    @staticmethod
    def of(domain: Domain, options: Mapping[str, Any]) -> Subject:
        game = domain.make(**options)
        return Subject(domain, game, domain.words(game))


@dataclass(frozen=True, slots=True)
class Place:
    """A state on the way of an episode."""

    subject: Subject
    episode: Episode
    rng: Random

    @property
    def game(self) -> Game:
        return self.subject.game

    @property
    def words(self) -> Words:
        return self.subject.words

    @property
    def state(self) -> State:
        return self.episode.state

    @property
    def actors(self) -> tuple[int, ...]:
        return self.game.actors(self.state)

    @property
    def seats(self) -> tuple[int, ...]:
        """The seats that are to move, chance left out."""
        return tuple(actor for actor in self.actors if actor != CHANCE)

    @property
    def where(self) -> str:
        """The way here, so that it can be walked again."""
        entries = self.episode.entries
        if not entries:
            return "at the start"
        steps = [f"{'chance' if a == CHANCE else f'seat {a}'} {m!r}" for a, m in entries[-SHOWN:]]
        skipped = f"{len(entries) - SHOWN} more, " if len(entries) > SHOWN else ""
        return f"after {skipped}{', '.join(steps)}"


class Walk(NamedTuple):
    """A whole episode, every state of it, and a generator of its own."""

    places: tuple[Place, ...]
    rng: Random

    @property
    def episode(self) -> Episode:
        return self.places[-1].episode


def walk(
    subject: Subject,
    rng: Random,
    laws: Laws,
    choose: Callable[[Place, int], Move | Forfeit] | None = None,
) -> Iterator[Place]:
    """The states of one episode in which everybody plays at random and sometimes forfeits.

    Stops and tells ``laws`` where play fails.

    Args:
        choose: in place of a random move, for the seats whose turn it is.
    """
    try:
        episode = begin(subject.game)
    except Exception as error:  # of a stranger's code: told, not swallowed
        laws.give_up("at the start", raised(error))
        return
    while True:
        place = Place(subject, episode, rng)
        try:
            actors: Any = subject.game.actors(episode.state)
            if not isinstance(actors, tuple):
                laws.give_up(place.where, f"actors is {actors!r}, not a tuple")
                return
            actor = episode.actor
            if not episode.pending:
                yield place
            if actor is None:
                return
            episode = episode.play(_entry(place, actor, choose or random_move))
            overlong = _overlong(episode)
        except Exception as error:  # of a stranger's code: told, not swallowed
            laws.give_up(place.where, raised(error))
            return
        moved = len(episode.entries)
        if moved > MOST_ENTRIES or overlong:
            longest = episode.game.longest
            laws.give_up("at the start", f"no end after {moved:,} moves, and longest is {longest}")
            return


def _overlong(episode: Episode) -> bool:
    """Whether a seat has decided far more often than the game says that it may."""
    if type(episode.game.longest) is not int or not episode.entries:
        return False
    last = episode.entries[-1].actor
    decided = sum(entry.actor == last for entry in episode.entries)
    return last != CHANCE and decided > episode.game.longest + BEYOND_LONGEST


def random_move(place: Place, seat: int) -> Move | Forfeit:
    """Any legal move, or now and then a forfeit."""
    if place.rng.random() < FORFEITS:
        return FORFEIT
    return place.rng.choice(place.game.legal_moves(place.state, seat))


def _entry(place: Place, actor: int, choose: Callable[[Place, int], Move | Forfeit]) -> Any:
    if actor != CHANCE:
        return choose(place, actor)
    outcomes, weights = zip(*place.game.chance_outcomes(place.state), strict=True)
    return place.rng.choices(outcomes, weights)[0]
