"""Moments of episodes, with what the environments ask about each worked out once.

A moment is an `Episode` that remembers: where each move led, what a seat saw, what had been paid.
All tables of one game share the moments that any of them has come to, so a game that is small, or
the opening of one that is large, costs its rules only once. Pickled, a moment is its episode.

>>> from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker
>>> king = moment_of(begin(KuhnPoker())).after(Card.KING)
>>> king is moment_of(begin(KuhnPoker()).play(Card.KING))
True
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from random import Random
from typing import Any, Final, TypeVar, cast

from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, Forfeit, Game, Move

T = TypeVar("T")
MOST: Final = 20_000
"""Moments of one game that are remembered, some 20 to 60 MB; later ones are forgotten at once."""


class Moment:
    """Where an episode stands. Made by `moment_of` and `after` alone."""

    def __init__(
        self, episode: Episode, remembered: list[int], before: Moment | None = None
    ) -> None:
        self.episode = episode
        self.actor = episode.actor
        self.rounds: tuple[tuple[float, ...], ...] = (
            before.rounds
            if before is not None and episode.pending
            else episode.game.payoffs(episode.state)
        )
        """Points of each finished round."""
        self._remembered = remembered
        """How many moments of the game are remembered, in a list that they share."""
        self._after: dict[Move | Forfeit, Moment] = {}
        self._recalled: dict[Any, Any] = {}

    def after(self, move: Move | Forfeit) -> Moment:
        """The moment after `actor` did ``move``.

        Raises:
            ValueError: the episode is over, or the move is illegal here.
        """
        next_one = self._after.get(move)
        if next_one is None:
            next_one = Moment(self.episode.play(move), self._remembered, self)
            if self._remembered[0] < MOST:
                self._remembered[0] += 1
                self._after[move] = next_one
        return next_one

    def deal(self, rng: Random) -> Moment:
        """`Episode.deal`, by the same draws."""
        moment = self
        while moment.actor == CHANCE:
            outcomes, cumulative = moment._chance  # and what `Random.choices` does with them:
            place = bisect(cumulative, rng.random() * cumulative[-1], 0, len(outcomes) - 1)
            moment = moment.after(outcomes[place])
        return moment

    def recall(self, key: Hashable, work: Callable[[], T]) -> T:
        """What ``work()`` answers here, done once for each ``key``. Treat it as shared."""
        found: T | None = self._recalled.get(key)
        if found is None:
            found = self._recalled[key] = work()
        return found

    @cached_property
    def legal(self) -> tuple[Move, ...]:
        """What the seat that is to move may do; nothing at the end."""
        if self.actor is None:
            return ()
        return self.episode.game.legal_moves(self.episode.state, self.actor)

    @cached_property
    def features(self) -> tuple[tuple[float, ...], ...]:
        """`Game.features` of every seat."""
        game = self.episode.game
        return tuple(game.features(self.episode.state, seat) for seat in range(game.seats))

    @cached_property
    def _chance(self) -> tuple[Sequence[Move], Sequence[float]]:
        outcomes, weights = zip(*self.episode.game.chance_outcomes(self.episode.state), strict=True)
        return outcomes, list(accumulate(weights))

    def __reduce__(self) -> tuple[Any, ...]:
        return moment_of, (self.episode,)


@lru_cache(maxsize=64)
def _first(game: Hashable) -> Moment:
    return Moment(begin(cast(Game, game)), [1])


def first_moment(game: Game) -> Moment:
    """The moment at which nothing has happened yet."""
    return _first(cast(Hashable, game))


def moment_of(episode: Episode) -> Moment:
    """The moment at which ``episode`` stands."""
    moment = first_moment(episode.game)
    for _, move in episode.entries:
        moment = moment.after(move)
    return moment
