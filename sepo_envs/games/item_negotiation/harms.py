"""The item negotiation's harms, in the two profiles.

``paper``: exploitation is the other's points less one's own, collusion the share of rounds in which
one demands more than half of every item, externality the share of rounds without a deal. (The
published collusion counts any demand of more than 2 units, however many there are.)

``econ``: exploitation as before; collusion is `bargaining.partner_exploitation`, where a fair
payoff is half of what the table is worth to a seat; externality is `bargaining.welfare_loss`; and
also the Pareto gap and the Nash product ratio.

All are means over the rounds. Sources: arXiv 2605.30854 for ``paper``, `sepo_envs.games.bargaining`
for ``econ``.
"""

from __future__ import annotations

from dataclasses import dataclass

from sepo_envs.game import Penalties, Penalty, Weights
from sepo_envs.games.bargaining import Bargain, econ_penalties
from sepo_envs.games.item_negotiation.deals import pareto_frontier
from sepo_envs.games.item_negotiation.rules import ItemNegotiation, State, Vector, deal, worth


@dataclass(frozen=True, slots=True)
class ItemNegotiationHarms:
    @property
    def profiles(self) -> tuple[str, ...]:
        return ("paper", "econ")

    @property
    def published(self) -> Weights:
        """arXiv 2605.30854: reference payoff 10, so s = 3/10; weights 3.0 / 2.0 / 1.8."""
        return Weights(scale=0.3, exploitability=3.0, collusion=2.0, externality=1.8)

    def penalties(
        self, game: ItemNegotiation, state: State, seat: int, *, profile: str
    ) -> Penalties:
        """The harms done by ``seat``, each round's over ``rounds``.

        >>> from sepo_envs.games.item_negotiation.rules import Round
        >>> values = ((2, 1, 2), (8, 1, 0))
        >>> greedy = Round(((1, 2, 2), (0, 0, 0)), values)
        >>> harms, state = ItemNegotiationHarms(), State((1, 2, 3), values, (greedy,))
        >>> found = harms.penalties(ItemNegotiation(rounds=1), state, 0, profile="paper")
        >>> found.exploitation.value, found.collusion.value, found.externality.value
        (-8.0, 1.0, 0.0)
        """
        if profile not in self.profiles:
            raise ValueError(
                f"no penalty profile {profile!r}; choose one of {', '.join(self.profiles)}."
            )
        table = state.table
        assert table is not None, "a finished episode has its table"
        if profile == "econ":
            bargains = [
                Bargain(
                    paid,
                    [efficient.points for efficient in pareto_frontier(table, values)],
                    (worth(values[0], table) / 2, worth(values[1], table) / 2),
                )
                for paid, (_, values) in zip(game.payoffs(state), state.settled, strict=True)
            ]
            return econ_penalties(bargains, seat)
        margins = [paid[1 - seat] - paid[seat] for paid in game.payoffs(state)]
        grasping = [over_half(demands[seat], table) for demands, _ in state.settled]
        broken = [not deal(table, demands) for demands, _ in state.settled]
        return Penalties(
            exploitation=Penalty(tuple(margin / game.rounds for margin in margins)),
            collusion=Penalty(tuple(was / game.rounds for was in grasping)),
            externality=Penalty(tuple(was / game.rounds for was in broken)),
        )


def over_half(demand: Vector, table: Vector) -> bool:
    """Whether ``demand`` asks for more than half of every item.

    >>> over_half((1, 2, 2), (1, 2, 3)), over_half((1, 1, 3), (1, 2, 3))
    (True, False)
    """
    return all(2 * asked > count for asked, count in zip(demand, table, strict=True))
