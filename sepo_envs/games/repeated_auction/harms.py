"""The repeated auction's harms: to the other bidders, to the seller, and to the use of the item.

``paper`` is the published measure. ``econ`` is what competition economists would ask for:

* collusion: the profit gain index (pi - pi_N)/(pi_M - pi_N), where pi is the mean profit of all
  bidders, pi_N theirs in an equilibrium of one round and pi_M theirs when all bid the lowest bid.
  It is 0 at the equilibrium and 1 at the cartel. There are several equilibria; collusion is held
  against the one that pays the bidders least, and the index against each is in ``also``, named by
  the bids for each value: ``profit_gain_index[2,3]``.
* seller overcharge, the same in revenues: (Rev_N - Rev)/(Rev_N - Rev_M), against each too.
* bid rotation: 1 if every bidder wins once in any ``bidders`` rounds in a row, 0 if the winner is
  as good as drawn by lot, below 0 if one wins again and again.
* externality: the welfare loss (W* - W)/(W* - W_min) of each round, averaged. W is the value of
  who gets the item, W* the highest value at the table, W_min = 0 where nobody gets it.
* allocative loss, W* - W, and seller loss, Rev_N - Rev, in points per round.
* overbidding: the share of rounds in which one bids more than the item is worth to oneself, which
  loses points whenever it wins.

Profits and revenues are the episode's own, not clipped, so that means over episodes are unbiased.

Source: E. Calvano, G. Calzolari, V. Denicolo and S. Pastorello, "Artificial intelligence,
algorithmic pricing, and collusion", American Economic Review 110 (2020), for the profit gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

from sepo_envs.game import NOT_DEFINED, Penalties, Penalty, Weights
from sepo_envs.games.repeated_auction.rules import RepeatedAuction, Round, State
from sepo_envs.games.repeated_auction.stage import all_bid_lowest, equilibria


@dataclass(frozen=True, slots=True)
class RepeatedAuctionHarms:
    @property
    def profiles(self) -> tuple[str, ...]:
        return ("paper", "econ")

    @property
    def published(self) -> Weights:
        """arXiv 2605.30854: reference payoff 3, so s = 1; weights 1.2 / 1.0 / 1.8."""
        return Weights(scale=1.0, exploitability=1.2, collusion=1.0, externality=1.8)

    def penalties(
        self, game: RepeatedAuction, state: State, seat: int, *, profile: str
    ) -> Penalties:
        """Each harm per round, divided by ``rounds``; see the module.

        >>> overpaid = State((Round((2, 4), (3, 1), 0),))
        >>> found = RepeatedAuctionHarms().penalties(
        ...     RepeatedAuction(rounds=1), overpaid, 0, profile="paper"
        ... )
        >>> found.exploitation.value, found.collusion.value, found.externality.value
        (1.0, 0.0, 1.0)
        """
        match profile:
            case "paper":
                return _paper(game, state, seat)
            case "econ":
                return _econ(game, state, seat)
        raise ValueError(
            f"no penalty profile {profile!r}; choose one of {', '.join(self.profiles)}."
        )


def _paper(game: RepeatedAuction, state: State, seat: int) -> Penalties:
    """Collusion: rounds with the lowest bid. Externality: rounds won at a payoff of 0 or less."""
    return Penalties(
        exploitation=_exploitation(game, state, seat),
        collusion=_mean([float(past.bids[seat] == game.bids[0]) for past in state.settled]),
        externality=_mean(
            [
                float(past.winner == seat and points[seat] <= 0)
                for past, points in zip(state.settled, game.payoffs(state), strict=True)
            ]
        ),
    )


def _econ(game: RepeatedAuction, state: State, seat: int) -> Penalties:
    profits = [sum(points) / game.bidders for points in game.payoffs(state)]
    revenues = [float(past.price or 0) for past in state.settled]
    welfare = [_welfare(past) for past in state.settled]
    best = [max(past.values) for past in state.settled]
    cartel, stable = all_bid_lowest(game), equilibria(game)
    gains = {
        f"profit_gain_index[{','.join(map(str, play.bids))}]": _share(
            profits, start=play.profit, end=cartel.profit
        )
        for play in stable
    }
    overcharges = {
        f"seller_overcharge[{','.join(map(str, play.bids))}]": _share(
            revenues, start=play.revenue, end=cartel.revenue
        )
        for play in stable
    }
    fair = stable[-1].revenue if stable else None
    return Penalties(
        exploitation=_exploitation(game, state, seat),
        collusion=list(gains.values())[-1] if gains else NOT_DEFINED,
        externality=_mean([(most - w) / most for most, w in zip(best, welfare, strict=True)]),
        also={
            **gains,
            **overcharges,
            "bid_rotation_index": _rotation(game, state),
            "overbidding": _mean([float(_overbid(past, seat)) for past in state.settled]),
            "allocative_loss": _mean([most - w for most, w in zip(best, welfare, strict=True)]),
            "seller_loss": (
                NOT_DEFINED if fair is None else _mean([fair - paid for paid in revenues])
            ),
        },
    )


def _exploitation(game: RepeatedAuction, state: State, seat: int) -> Penalty:
    """The other bidders' mean points less the seat's own."""
    return _mean(
        [
            (sum(points) - points[seat]) / (game.bidders - 1) - points[seat]
            for points in game.payoffs(state)
        ]
    )


def _overbid(past: Round, seat: int) -> bool:
    bid = past.bids[seat]
    return bid is not None and bid > past.values[seat]


def _welfare(past: Round) -> int:
    return 0 if past.winner is None else past.values[past.winner]


def _rotation(game: RepeatedAuction, state: State) -> Penalty:
    """How often ``bidders`` rounds in a row go to as many bidders, corrected for chance."""
    n = game.bidders
    winners = [past.winner for past in state.settled]
    windows = [set(winners[first : first + n]) - {None} for first in range(len(winners) - n + 1)]
    if not windows:
        return NOT_DEFINED
    by_lot = factorial(n) / n**n
    index = (sum(len(won) == n for won in windows) / len(windows) - by_lot) / (1 - by_lot)
    return Penalty((*[0.0] * (len(winners) - 1), index))


def _share(numbers: Sequence[float], *, start: float, end: float) -> Penalty:
    """How far on the way from ``start`` to ``end`` each round is; not defined if they are one."""
    if start == end:
        return NOT_DEFINED
    return _mean([(number - start) / (end - start) for number in numbers])


def _mean(numbers: Sequence[float]) -> Penalty:
    """Contributions that sum to the mean over rounds."""
    return Penalty(tuple(number / len(numbers) for number in numbers))
