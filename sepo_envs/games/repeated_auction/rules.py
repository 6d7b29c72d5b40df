"""The repeated first-price auction: private values, sealed bids, the same bidders every round.

In each round every bidder's value is drawn anew, uniformly and independently, and told to that
bidder alone. All bid at once. The highest bid wins and is paid; a tie is broken uniformly at
random. Then everybody learns the bids and the winner, and nobody's value.

    who                 payoff of the round
    the winner          value - bid, which may be negative (``floor_losses``: at least 0)
    everybody else      0

By default 2 bidders meet for 6 rounds, values are 2 or 4 and bids 1, 2 or 3. A FORFEIT is no bid:
the best of the others wins, and if nobody bids nobody wins.

One round has three symmetric pure equilibria (`sepo_envs.games.repeated_auction.stage`): values 2
and 4 bid 1 and 2, 2 and 2, or 2 and 3. Both bidding 1 always would pay the bidders more than any.

Source: W. Vickrey, "Counterspeculation, auctions, and competitive sealed tenders", Journal of
Finance 16 (1961); repeated, M. Aoyagi, "Bid rotation and collusion in repeated auctions", Journal
of Economic Theory 112 (2003).

>>> game = RepeatedAuction(rounds=1)
>>> state = game.start()
>>> for moves in [{CHANCE: 4}, {CHANCE: 2}, {0: 2, 1: 1}]:
...     state = game.play(state, moves)
>>> game.payoffs(state)
((2.0, 0.0),)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sepo_envs.game import CHANCE, Forfeit
from sepo_envs.games.options import check_flag, check_whole, listed

Bids = tuple[int | None, ...]
"""One entry per seat; None is no bid."""

PRESETS: Final[Mapping[str, Mapping[str, Any]]] = {
    "default": {},
    "paper": {"floor_losses": True},
}
"""Options by name; ``paper`` is the game as arXiv 2605.30854 played it."""


@dataclass(frozen=True, slots=True)
class Round:
    """Values and bids by seat, as far as they are known, and the winning seat once there is one."""

    values: tuple[int, ...] = ()
    bids: Bids = ()
    winner: int | None = None

    @property
    def price(self) -> int | None:
        """What the winner pays; None if nobody has won."""
        return None if self.winner is None else self.bids[self.winner]


@dataclass(frozen=True, slots=True)
class State:
    """Rounds already settled, oldest first, and the round being dealt, bid for or drawn lots on."""

    settled: tuple[Round, ...] = ()
    round: Round = Round()


@dataclass(frozen=True, slots=True)
class Seen:
    """What one seat knows of a settled round: its own value, and what is public."""

    value: int
    bids: Bids
    winner: int | None


@dataclass(frozen=True, slots=True)
class Observation:
    """What one seat sees: its value in this round, the settled rounds, and the legal bids."""

    seat: int
    value: int | None
    past: tuple[Seen, ...]
    grid: tuple[int, ...]

    @property
    def infostate(self) -> str:
        """The seat, the settled rounds and the value: ``"0|4:2,3>1 2"`` is seat 0 in round 2.

        >>> Observation(0, 2, (Seen(4, (2, 3), 1),), grid=(1, 2, 3)).infostate
        '0|4:2,3>1 2'
        """
        past = [
            f"{seen.value}:{','.join(_or_dash(bid) for bid in seen.bids)}>{_or_dash(seen.winner)} "
            for seen in self.past
        ]
        return f"{self.seat}|{''.join(past)}{'?' if self.value is None else self.value}"

    @property
    def situation(self) -> str:
        """The infostate: one's own earlier values stay in the prompt, so they may matter."""
        return self.infostate


@lru_cache(maxsize=1 << 12)
def contenders(bids: Bids) -> tuple[int, ...]:
    """The seats with the highest bid.

    >>> contenders((2, 3, 3)), contenders((None, 1)), contenders((None, None))
    ((1, 2), (1,), ())
    """
    made = [bid for bid in bids if bid is not None]
    return tuple(seat for seat, bid in enumerate(bids) if made and bid == max(made))


@dataclass(frozen=True, slots=True)
class RepeatedAuction:
    """The auction, ``rounds`` times over; see the module for the rules.

    Args:
        rounds: auctions in an episode.
        bidders: seats at the table, 2 or more.
        values: what the item can be worth, in increasing order, each equally likely.
        bids: the legal bids, in increasing order.
        floor_losses: a winner who overpays loses nothing.
    """

    rounds: int = 6
    bidders: int = 2
    values: tuple[int, ...] = (2, 4)
    bids: tuple[int, ...] = (1, 2, 3)
    floor_losses: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _grid("values", self.values, lowest=1, fewest=1))
        object.__setattr__(self, "bids", _grid("bids", self.bids, lowest=0, fewest=2))
        for name, least, because in (
            ("rounds", 1, "an episode has at least 1 round"),
            ("bidders", 2, "an auction has at least 2 bidders"),
        ):
            whole = check_whole(name, getattr(self, name), least=least, because=because)
            object.__setattr__(self, name, whole)
        check_flag("floor_losses", self.floor_losses)
        if self.bids[0] >= self.values[-1]:
            raise ValueError(
                f"bids {self.bids} are all as high as the highest of values {self.values}, so "
                "nobody could ever gain. Offer a bid below it."
            )

    @property
    def name(self) -> str:
        return "repeated_auction"

    @property
    def seats(self) -> int:
        return self.bidders

    @property
    def moves(self) -> tuple[int, ...]:
        return self.bids

    @property
    def longest(self) -> int:
        return self.rounds

    def profit(self, value: int, bid: int) -> float:
        """Points of a round's winner."""
        return _profit(value, bid, self.floor_losses)

    def start(self) -> State:
        return State()

    def actors(self, state: State) -> tuple[int, ...]:
        """Chance deals a value to each seat in turn; all bid at once; chance breaks a tie."""
        if len(state.settled) == self.rounds:
            return ()
        dealt = len(state.round.values) == self.bidders
        if not dealt or state.round.bids:
            return (CHANCE,)
        return tuple(range(self.bidders))

    def chance_outcomes(self, state: State) -> tuple[tuple[int, float], ...]:
        """The next seat's value or, once bids are tied, the winning seat."""
        if self.actors(state) != (CHANCE,):
            return ()
        outcomes = contenders(state.round.bids) if state.round.bids else self.values
        return _equally_likely(outcomes)

    def legal_moves(self, state: State, seat: int) -> tuple[int, ...]:
        return self.bids if seat != CHANCE and seat in self.actors(state) else ()

    def play(self, state: State, moves: Mapping[int, int | Forfeit]) -> State:
        """A FORFEIT makes no bid in this round."""
        actors = self.actors(state)
        if moves.keys() != set(actors):
            raise ValueError(f"{tuple(moves)} moved, but it is {actors}'s turn at {state}.")
        now = state.round
        if actors == (CHANCE,):
            outcome = moves[CHANCE]
            possible = [known for known, _ in self.chance_outcomes(state)]
            if isinstance(outcome, Forfeit) or outcome not in possible:
                raise ValueError(f"chance cannot bring {outcome!r} here, only one of {possible}.")
            if now.bids:
                return self._settle(state, Round(now.values, now.bids, outcome))
            return State(state.settled, Round((*now.values, outcome)))
        bids = tuple(self._bid(moves[seat]) for seat in actors)
        best = contenders(bids)
        if len(best) > 1:
            return State(state.settled, Round(now.values, bids))
        return self._settle(state, Round(now.values, bids, best[0] if best else None))

    def payoffs(self, state: State) -> tuple[tuple[float, ...], ...]:
        """Each settled round's points by seat."""
        return tuple([_paid(settled, self.floor_losses) for settled in state.settled])

    def past(self, state: State) -> tuple[Round, ...]:
        return state.settled

    def present(self, state: State) -> tuple[int, Round]:
        """How many rounds are settled, and the one on the table."""
        return len(state.settled), state.round

    def rejoin(self, past: tuple[Round, ...], present: tuple[int, Round]) -> State:
        return State(past, present[1])

    def payoff_range(self) -> tuple[float, float]:
        worst, best = (self.values[0], self.bids[-1]), (self.values[-1], self.bids[0])
        return min(0.0, self.profit(*worst)), self.profit(*best)

    def observe(self, state: State, seat: int) -> Observation:
        values = state.round.values
        return Observation(
            seat=seat,
            value=values[seat] if seat < len(values) else None,
            past=tuple(Seen(past.values[seat], past.bids, past.winner) for past in state.settled),
            grid=self.bids,
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        bidders = ["I", *(f"bidder {number} after me" for number in range(1, self.bidders))]
        return (
            *(f"my value is {value}" for value in self.values),
            "share of rounds settled",
            *(f"{who} won the last round" for who in bidders),
            *(f"{who} bid {bid} in the last round" for who in bidders for bid in self.bids),
            *(f"share of rounds in which {who} bid {bid}" for who in bidders for bid in self.bids),
        )

    def features(self, state: State, seat: int) -> tuple[float, ...]:
        seen = self.observe(state, seat)
        last = state.settled[-1] if state.settled else Round(bids=(None,) * self.bidders)
        in_turn = [(seat + number) % self.bidders for number in range(self.bidders)]
        each = [(other, bid) for other in in_turn for bid in self.bids]
        made = [past.bids for past in state.settled]
        return (
            *(float(seen.value == value) for value in self.values),
            len(made) / self.rounds,
            *(float(last.winner == other) for other in in_turn),
            *(float(last.bids[other] == bid) for other, bid in each),
            *(sum(bids[other] == bid for bids in made) / max(1, len(made)) for other, bid in each),
        )

    def _bid(self, move: int | Forfeit) -> int | None:
        if isinstance(move, Forfeit):
            return None
        if move not in self.bids:
            raise ValueError(
                f"{move!r} is no legal bid; the bids are {', '.join(map(str, self.bids))}."
            )
        return move

    @staticmethod
    def _settle(state: State, settled: Round) -> State:
        return State((*state.settled, settled))


@lru_cache(maxsize=1 << 12)  # a finished match is asked for its points again and again
def _paid(settled: Round, floor_losses: bool) -> tuple[float, ...]:
    """What a settled round pays each seat."""
    paid = [0.0] * len(settled.values)
    if settled.winner is not None and settled.price is not None:
        paid[settled.winner] = _profit(settled.values[settled.winner], settled.price, floor_losses)
    return tuple(paid)


def _profit(value: int, bid: int, floor_losses: bool) -> float:
    return float(max(0, value - bid) if floor_losses else value - bid)


@lru_cache(maxsize=1 << 12)
def _equally_likely(outcomes: tuple[int, ...]) -> tuple[tuple[int, float], ...]:
    return tuple((outcome, 1 / len(outcomes)) for outcome in outcomes)


def _grid(name: str, numbers: Any, *, lowest: int, fewest: int) -> tuple[int, ...]:
    """``numbers`` as a tuple.

    Raises:
        ValueError: they are no list, too few, below ``lowest``, not whole, or not increasing.
    """
    grid = listed(name, numbers, of="whole numbers")
    if len(grid) < fewest:
        raise ValueError(f"{name} is {grid}, but there must be at least {fewest}.")
    whole = all(type(number) is int and number >= lowest for number in grid)
    if not whole or list(grid) != sorted(set(grid)):
        raise ValueError(
            f"{name} is {grid}, but it must list whole numbers, {lowest} or more, "
            "each once and in increasing order."
        )
    return grid


def _or_dash(number: int | None) -> str:
    return "-" if number is None else str(number)
