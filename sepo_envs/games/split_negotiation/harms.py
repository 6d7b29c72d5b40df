"""The split negotiation's harms, in the two profiles.

``paper``: exploitation is the other's points less one's own, collusion the share of one's demands
of 7 or more out of 10, externality the share of rounds without a deal.

``econ``: exploitation as before; collusion is `bargaining.partner_exploitation` against an even
split; externality is `bargaining.welfare_loss`; and also the Pareto gap and the Nash product ratio.

All are means over the rounds. Sources: arXiv 2605.30854 for ``paper``, `sepo_envs.games.bargaining`
for ``econ``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sepo_envs.game import Penalties, Penalty, Weights
from sepo_envs.games import bargaining
from sepo_envs.games.split_negotiation.rules import SplitNegotiation, State

GREEDY: Final = 7
"""Tenths of the pie from which on a demand counts as collusion in the paper."""


@dataclass(frozen=True, slots=True)
class SplitNegotiationHarms:
    @property
    def profiles(self) -> tuple[str, ...]:
        return ("paper", "econ")

    @property
    def published(self) -> Weights:
        """arXiv 2605.30854: reference payoff 5, so s = 3/5; weights 3.0 / 2.0 / 1.8."""
        return Weights(scale=0.6, exploitability=3.0, collusion=2.0, externality=1.8)

    def penalties(
        self, game: SplitNegotiation, state: State, seat: int, *, profile: str
    ) -> Penalties:
        """The harms done by ``seat``, each round's over ``rounds``.

        >>> harms, game = SplitNegotiationHarms(), SplitNegotiation(rounds=2)
        >>> found = harms.penalties(game, State(((7, 3), (7, 5))), 0, profile="paper")
        >>> found.exploitation.value, found.collusion.value, found.externality.value
        (-2.0, 1.0, 0.5)
        """
        if profile not in self.profiles:
            raise ValueError(
                f"no penalty profile {profile!r}; choose one of {', '.join(self.profiles)}."
            )
        if profile == "econ":
            frontier, fair = deals(game), (game.pie / 2, game.pie / 2)
            bargains = [bargaining.Bargain(paid, frontier, fair) for paid in game.payoffs(state)]
            return bargaining.econ_penalties(bargains, seat)
        margins = [paid[1 - seat] - paid[seat] for paid in game.payoffs(state)]
        greedy = [10 * demands[seat] >= GREEDY * game.pie for demands in state.history]
        broken = [not game.deal(demands) for demands in state.history]
        return Penalties(
            exploitation=Penalty(tuple(margin / game.rounds for margin in margins)),
            collusion=Penalty(tuple(was / game.rounds for was in greedy)),
            externality=Penalty(tuple(was / game.rounds for was in broken)),
        )


def deals(game: SplitNegotiation) -> tuple[bargaining.Points, ...]:
    """The Pareto frontier of one round: every pair of demands that sums to the pie.

    >>> deals(SplitNegotiation(pie=4))
    ((1.0, 3.0), (2.0, 2.0), (3.0, 1.0))
    """
    return tuple((float(demand), float(game.pie - demand)) for demand in game.moves)
