"""Kuhn poker's harms. Zero sum: what one seat gains the other loses, so only exploitation has a
meaning.

There is no welfare to lose and nobody outside the game, hence collusion and externality are *not
defined* here, in both profiles, and never a silent 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from sepo_envs.game import NOT_DEFINED, Penalties, Penalty, Weights
from sepo_envs.games.kuhn_poker.rules import KuhnPoker, State


@dataclass(frozen=True, slots=True)
class KuhnPokerHarms:
    @property
    def profiles(self) -> tuple[str, ...]:
        """Alike here: what ``econ`` adds, exact exploitability, is a policy's, not an episode's."""
        return ("paper", "econ")

    @property
    def published(self) -> Weights:
        """arXiv 2605.30854: reference payoff 2, so s = 3/2; weights 1.5 / 2.4 / 0."""
        return Weights(scale=1.5, exploitability=1.5, collusion=2.4, externality=0.0)

    def penalties(self, game: KuhnPoker, state: State, seat: int, *, profile: str) -> Penalties:
        """Exploitation: the opponent's points less the seat's own, per hand, each over ``hands``.

        >>> from sepo_envs.games.kuhn_poker.rules import Card, Hand
        >>> lost = State((Hand((Card.JACK, Card.KING), "bb"),))
        >>> KuhnPokerHarms().penalties(KuhnPoker(), lost, 0, profile="paper").exploitation.value
        4.0
        """
        if profile not in self.profiles:
            raise ValueError(
                f"no penalty profile {profile!r}; choose one of {', '.join(self.profiles)}."
            )
        hands = [self.of_round(game, paid, seat, profile=profile) for paid in game.payoffs(state)]
        margins = Penalty(tuple([margin for margin, _, _ in hands]))
        return Penalties(margins, NOT_DEFINED, NOT_DEFINED)

    def of_round(
        self, game: KuhnPoker, points: tuple[float, ...], seat: int, *, profile: str
    ) -> tuple[float, None, None]:
        """What one hand adds to `penalties`."""
        return (points[1 - seat] - points[seat]) / game.hands, None, None
