"""Moments of episodes, with what the environments ask about each worked out once.

A moment is an `Episode` that remembers: where each move led, what a seat saw, what had been paid.
All tables of one game share the moments that any of them has come to, so a game that is small, or
the opening of one that is large, costs its rules only once. Pickled, a moment is its episode.

>>> from sepo_envs.episode import begin
>>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker
>>> king = moment_of(begin(KuhnPoker())).after(Card.KING)
>>> king is moment_of(begin(KuhnPoker()).play(Card.KING))
True
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from random import Random
from typing import Any, Final, TypeVar, cast

from sepo_envs.episode import Entry, Episode, advance
from sepo_envs.game import CHANCE, Forfeit, Game, Move, State

T = TypeVar("T")
MOST: Final = 20_000
"""Moments of one game that are remembered, some 20 to 110 MB; later ones are forgotten at once."""


class Moment:
    """Where an episode stands: its state, and the moment before with the move that led here.

    Made by `moment_of` and `after` alone.
    """

    def __init__(
        self,
        game: Game,
        state: State,
        remembered: list[int],
        pending: tuple[Move | Forfeit, ...] = (),
        before: Moment | None = None,
        move: Move | Forfeit | None = None,
    ) -> None:
        self.game, self.state, self.pending = game, state, pending
        self._before, self._move = before, move
        if before is not None and pending:
            actors, rounds = before._actors, before.rounds
        else:
            actors, rounds = game.actors(state), game.payoffs(state)
            if before is not None and len(rounds) == len(before.rounds):
                rounds = before.rounds
        self.actor = actors[len(pending)] if actors else None
        self.rounds: tuple[tuple[float, ...], ...] = rounds
        """Points of each finished round; the same object as before where none has settled since."""
        self._actors: tuple[int, ...] = actors
        self._remembered = remembered
        """How many moments of the game are remembered, in a list that they share."""
        self._after: dict[Move | Forfeit, Moment] = {}
        self._recalled: dict[Any, Any] = {}

    def after(self, move: Move | Forfeit) -> Moment:
        """The moment after `actor` did ``move``.

        Raises:
            ValueError: the episode is over, or the move is illegal here.
        """
        known = self._after.get(move)
        if known is not None:
            return known
        state, pending = advance(self.game, self.state, self._actors, self.pending, move)
        moment = Moment(self.game, state, self._remembered, pending, self, move)
        if self._remembered[0] < MOST:
            self._remembered[0] += 1
            self._after[move] = moment
        return moment

    def deal(self, rng: Random) -> Moment:
        """`Episode.deal`, by the same draws."""
        moment = self
        while moment.actor == CHANCE:
            outcomes, cumulative = moment._chance  # and what `Random.choices` does with them:
            place = bisect(cumulative, rng.random() * cumulative[-1], 0, len(outcomes) - 1)
            moment = moment.after(outcomes[place])
        return moment

    def recall(self, key: Hashable, work: Callable[..., T], *asked: Any) -> T:
        """What ``work(*asked)`` answers here, done once for each ``key``. Treat it as shared."""
        found: T | None = self._recalled.get(key)
        if found is None:
            found = self._recalled[key] = work(*asked)
        return found

    @cached_property
    def episode(self) -> Episode:
        """Everything that has happened up to here."""
        entries, place = [], self
        while (before := place._before) is not None:
            entries.append(Entry(cast(int, before.actor), place._move))
            place = before
        return Episode(self.game, self.state, tuple(reversed(entries)), self.pending)

    def decisions(self, seat: int) -> Iterator[tuple[State, Move | Forfeit]]:
        """`Episode.decisions`."""
        return self.episode.decisions(seat)

    @cached_property
    def legal(self) -> tuple[Move, ...]:
        """What the seat that is to move may do; nothing at the end."""
        if self.actor is None:
            return ()
        return self.game.legal_moves(self.state, self.actor)

    @cached_property
    def features(self) -> tuple[tuple[float, ...], ...]:
        """`Game.features` of every seat."""
        game = self.game
        return tuple(game.features(self.state, seat) for seat in range(game.seats))

    @cached_property
    def _chance(self) -> tuple[Sequence[Move], Sequence[float]]:
        outcomes, weights = zip(*self.game.chance_outcomes(self.state), strict=True)
        return outcomes, list(accumulate(weights))

    def __reduce__(self) -> tuple[Any, ...]:
        return moment_of, (self.episode,)


@lru_cache(maxsize=16)
def _first(game: Hashable) -> Moment:
    rules = cast(Game, game)
    return Moment(rules, rules.start(), [1])


def first_moment(game: Game) -> Moment:
    """The moment at which nothing has happened yet."""
    return _first(cast(Hashable, game))


def moment_of(episode: Episode) -> Moment:
    """The moment at which ``episode`` stands."""
    moment = first_moment(episode.game)
    for _, move in episode.entries:
        moment = moment.after(move)
    return moment
