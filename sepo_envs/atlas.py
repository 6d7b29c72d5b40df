"""The places that episodes come to, shared by all tables, and journeys through them. Knows no API.

What can happen at a place, and what is said there, is worked out once: a game that is small, or the
opening of one that is large, costs its rules and words only once. A `Journey` is an `Episode` being
played: the place where it stands, and the moves that led there.

Each list of moves leads to a place of its own, which is always right. A `MarkovGame` in
`MarkovWords` needs far fewer: there, journeys meet where all that still matters is the same.

>>> from sepo_envs.episode import begin
>>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker
>>> from sepo_envs.games.kuhn_poker.words import KuhnPokerWords
>>> game = KuhnPoker(hands=2)
>>> folded, called = (atlas(game, KuhnPokerWords(game)).start() for _ in range(2))
>>> for journey, answer in [(folded, "pass"), (called, "bet")]:
...     for move in (Card.KING, Card.JACK, "bet", answer, Card.QUEEN, Card.KING):
...         _ = journey.go(move)
>>> folded.place is called.place, folded.returns, called.returns
(True, (1.0, -1.0), (2.0, -2.0))
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import Any, Final, NamedTuple, Never, TypeVar, cast

from sepo_envs.draws import Floats
from sepo_envs.episode import Entry, Episode, advance, fouls, totalled
from sepo_envs.game import (
    CHANCE,
    Forfeit,
    Game,
    MarkovGame,
    MarkovWords,
    Move,
    State,
    Words,
    is_markov,
)
from sepo_envs.protocol import Question, Style, asked

T = TypeVar("T")
Points = tuple[tuple[float, ...], ...]
"""Of rounds, oldest first, with a number for each seat."""
Payments = tuple[tuple[int, float], ...]
"""A seat and its points, for each seat and round, oldest first; nothing is left out but zeros."""
MOST: Final = 20_000
"""Ways of one atlas that are remembered, some 20 to 110 MB; later ones are forgotten at once."""


@dataclass(frozen=True, slots=True)
class Way:
    """What a move at a place comes to."""

    entry: Entry
    """Who acted, and what it did."""
    to: Place
    points: Points = ()
    """Of the rounds that it finishes."""
    payments: Payments = ()
    """The same points, as they are paid out."""
    past: tuple[Any, ...] = ()
    """What it adds to the past."""
    recalled: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """What `Journey.of_rounds` has worked out about the points."""


class Place:
    """Where an episode can stand, and what can happen there. Made by its atlas alone.

    Args:
        state: of the first journey that came here. Others may have another past.
        settled: how many rounds of that state are finished.
    """

    def __init__(
        self,
        atlas: Atlas,
        state: State,
        pending: tuple[Move | Forfeit, ...],
        actors: tuple[int, ...],
        settled: int,
    ) -> None:
        self.atlas, self.state, self.pending = atlas, state, pending
        self.actors, self.settled = actors, settled
        self.actor = actors[len(pending)] if actors else None
        self.ways: dict[Move | Forfeit, Way] = {}
        """Where each move leads that was made here, while there is room (`Atlas.explore`)."""
        outcomes: tuple[tuple[Move, float], ...] = ()
        self.legal: tuple[Move, ...] = ()
        """What the seat that is to move may do; nothing at the end."""
        if self.actor == CHANCE:
            outcomes = atlas.game.chance_outcomes(state)
        elif self.actor is not None:
            self.legal = atlas.game.legal_moves(state, self.actor)
        self.outcomes = [outcome for outcome, _ in outcomes]
        self.cuts = list(accumulate(weight for _, weight in outcomes))
        """Cumulative probabilities of all `outcomes` but the last; some at chance nodes alone."""
        self.whole = self.cuts.pop() if outcomes else 0.0
        """What they come to with the last."""
        self.question: Question | None = None
        """What the actor is asked, once `Atlas.ask` has been."""
        self.recalled: dict[Any, Any] = {}
        """What `Journey.recall` has worked out, if one list of moves alone leads here."""


class Journey:
    """An episode being played: the place where it stands, and the ways that led there.

    Pickled, it is its episode.
    """

    __slots__ = ("place", "ways")

    def __init__(self, place: Place) -> None:
        self.place = place
        self.ways: list[Way] = []
        """Gone so far, oldest first."""

    def go(self, move: Move | Forfeit) -> Payments:
        """Let the actor do ``move``, and answer what the rounds pay that finish with it.

        Raises:
            ValueError: the episode is over, or the move is illegal here.
        """
        place = self.place
        way = place.ways.get(move) or place.atlas.explore(place, move)
        self.place = way.to
        self.ways.append(way)
        return way.payments

    def deal(self, rng: Random | Floats) -> Payments:
        """`Episode.deal`, by the same draws; what the rounds pay that finish with it."""
        paid: Payments = ()
        while (place := self.place).actor == CHANCE:
            drawn = bisect(place.cuts, rng.random() * place.whole)  # as `Random.choices` does
            paid += self.go(place.outcomes[drawn])
        return paid

    def recall(self, key: Hashable, work: Callable[..., T], *asked: Any) -> T:
        """What ``work(*asked)`` answers after this history; for each ``key`` it may be kept and
        shared."""
        place = self.place
        if place.atlas.markov is not None:
            return work(*asked)
        found: T | None = place.recalled.get(key)
        if found is None:
            found = place.recalled[key] = work(*asked)
        return found

    def of_rounds(self, key: Hashable, work: Callable[..., T], *asked: Any) -> list[T]:
        """What ``work(points, *asked)`` answers about each finished round, oldest first; for each
        ``key`` it may be kept and shared."""
        found = [work(points, *asked) for points in self.place.atlas.rounds]
        for way in self.ways:
            if way.points:
                known: list[T] | None = way.recalled.get(key)
                if known is None:
                    known = way.recalled[key] = [work(points, *asked) for points in way.points]
                found += known
        return found

    @property
    def game(self) -> Game:
        return self.place.atlas.game

    @property
    def state(self) -> State:
        atlas, here = self.place.atlas, self.place.state
        if atlas.markov is None:
            return here
        past = list(atlas.past)
        for way in self.ways:
            if way.past:
                past += way.past
        return atlas.markov.rules.rejoin(tuple(past), atlas.markov.rules.present(here))

    @property
    def rounds(self) -> list[tuple[float, ...]]:
        """Points of each finished round."""
        return [*self.place.atlas.rounds, *[each for way in self.ways for each in way.points]]

    @property
    def features(self) -> tuple[tuple[float, ...], ...]:
        """`Game.features` of every seat."""
        return self.recall("features", self._features)

    @property
    def returns(self) -> tuple[float, ...]:
        """`Episode.returns`."""
        return totalled(self.rounds, self.game.seats)

    @property
    def fouls(self) -> tuple[int, ...]:
        """`Episode.fouls`."""
        return fouls(self.entries, self.game.seats)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """`Episode.entries`."""
        return tuple([way.entry for way in self.ways])

    @property
    def episode(self) -> Episode:
        """Everything that has happened so far."""
        return Episode(self.game, self.state, self.entries, self.place.pending)

    def decisions(self, seat: int) -> Iterator[tuple[State, Move | Forfeit]]:
        """`Episode.decisions`."""
        return self.episode.decisions(seat)

    def _features(self) -> tuple[tuple[float, ...], ...]:
        game, state = self.game, self.state
        return tuple(game.features(state, seat) for seat in range(game.seats))

    def __reduce__(self) -> tuple[Any, ...]:
        return Atlas.find, (self.place.atlas, self.episode)


class _Undealt:
    def _refuse(self) -> Never:
        raise RuntimeError("nothing has been dealt yet. Call reset first, reset(seed=0) say.")

    place = ways = entries = rounds = state = episode = features = property(_refuse)
    returns = fouls = go = deal = recall = of_rounds = decisions = property(_refuse)


UNDEALT: Final = cast(Journey, _Undealt())
"""Stands for the journey of a table that nobody has reset, and says so to whoever asks it."""


class Markov(NamedTuple):
    """Rules and words that both say what still matters."""

    rules: MarkovGame
    words: MarkovWords

    def matters(self, state: State) -> Hashable:
        return self.rules.present(state), self.words.memory(state)


class Atlas:
    """The places of one game as it is told in some words and style. Ask `atlas` for it.

    In the style ``fresh`` a prompt tells the whole history, so that no two of them share a place.
    """

    def __init__(self, game: Game, words: Words | None, style: Style) -> None:
        self.game, self.words, self.style = game, words, style
        self.markov = markov(game, words) if style == "conversation" else None
        """None where each list of moves has a place of its own."""
        self._known: dict[Hashable, Place] = {}
        self._remembered = 0
        state = game.start()
        self.rounds = game.payoffs(state)
        """Points of rounds that are finished before anything has happened."""
        self.past = () if self.markov is None else self.markov.rules.past(state)
        """What a shared place leaves out of the state at the start (`MarkovGame.past`)."""
        self._start = self._place(state, (), game.actors(state), len(self.rounds))

    def start(self) -> Journey:
        """A journey on which nothing has happened yet."""
        return Journey(self._start)

    def find(self, episode: Episode) -> Journey:
        """The journey that ``episode`` is."""
        journey = self.start()
        for _, move in episode.entries:
            journey.go(move)
        return journey

    def explore(self, place: Place, move: Move | Forfeit) -> Way:
        """What ``move``, by the actor at ``place``, comes to; kept there while there is room.

        Raises:
            ValueError: the episode is over, or the move is illegal here.
        """
        game, before = self.game, place.state
        state, pending = advance(game, before, place.actors, place.pending, move)
        assert place.actor is not None, "nobody moves after the end"
        named = (known for known in place.outcomes or place.legal if known == move)
        entry = Entry(place.actor, next(named, move))  # 1 for 1.0: others may come this way, too
        if pending:
            way = Way(entry, self._place(state, pending, place.actors, place.settled))
        else:
            rounds, past = game.payoffs(state), ()
            if self.markov is not None:
                rules = self.markov.rules
                past = rules.past(state)[len(rules.past(before)) :]
            to = self._place(state, (), game.actors(state), len(rounds))
            points = rounds[place.settled :]
            way = Way(entry, to, points, payments(points, game.seats), past)
        self._remembered += 1
        if self._remembered <= MOST:
            place.ways[move] = way
        return way

    def ask(self, journey: Journey) -> Question:
        """What the seat that is to move is asked, in the words of this atlas."""
        place = journey.place
        if place.question is not None:
            return place.question
        assert self.words is not None, "an atlas without words asks nothing"
        assert place.actor is not None, "somebody is to move"
        question = asked(self.words, journey, place.actor, self.style)
        if by_value(self.words):  # others may tell otherwise the next time
            place.question = question
        return question

    def _place(
        self,
        state: State,
        pending: tuple[Move | Forfeit, ...],
        actors: tuple[int, ...],
        settled: int,
    ) -> Place:
        if self.markov is None:
            return Place(self, state, pending, actors, settled)
        key = self.markov.matters(state), pending
        place = self._known.get(key)
        if place is None:
            place = Place(self, state, pending, actors, settled)
            if self._remembered < MOST:
                self._known[key] = place
        return place

    def __reduce__(self) -> tuple[Any, ...]:
        return atlas, (self.game, self.words, self.style)


def payments(rounds: Points, seats: int) -> Payments:
    """What these rounds pay out.

    >>> payments(((3.0, 3.0), (0.0, 5.0)), seats=2)
    ((0, 3.0), (1, 3.0), (1, 5.0))
    """
    paid = [pair for points in rounds for pair in zip(range(seats), points, strict=True)]
    return tuple([(seat, points) for seat, points in paid if points])


def by_value(words: Words | None) -> bool:
    """Whether equal ``words`` tell the same, now and later."""
    kind: Any = type(words)
    return isinstance(words, Hashable) and kind.__eq__ is not object.__eq__


def markov(game: Game, words: Words | None) -> Markov | None:
    """Both, if both say what still matters; None else.

    A class must say it itself: one that inherits it may tell, or let matter, more than its parent.
    """
    if not is_markov(game) or not by_value(words) or "memory" not in vars(type(words)):
        return None
    return Markov(game, cast(MarkovWords, words))


@lru_cache(maxsize=16)
def _shared(game: Hashable, words: Hashable, style: Style) -> Atlas:
    return Atlas(cast(Game, game), cast("Words | None", words), style)


def atlas(game: Game, words: Words | None = None, style: Style = "conversation") -> Atlas:
    """The atlas of all who play this game in equal words; of words that may change, one's own."""
    if words is None or by_value(words):
        return _shared(cast(Hashable, game), cast(Hashable, words), style)
    return Atlas(game, words, style)
