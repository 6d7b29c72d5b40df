"""The split negotiation: Nash's demand game over one pie, played a few times. General sum.

In each round both players demand a whole number of points out of a pie of 10, without seeing the
other's demand.

    the two demands         seat 0 gets    seat 1 gets
    fit: 10 or less         its demand     its demand
    exceed the pie          0              0              (no deal)

What nobody demands is lost. Demands run from 1 to 9, and both are shown after the round; an episode
is ``rounds`` rounds of the same pie. A forfeited demand counts as 0: the offender is paid nothing
and the other its own demand.

The one-round game has nine pure equilibria, the pairs of demands that sum to exactly the pie.

Source: J. F. Nash, "Two-person cooperative games", Econometrica 21 (1953); the rounds are those of
"negotiation v1" in arXiv 2605.30854.

>>> game = SplitNegotiation()
>>> state = game.play(game.start(), {0: 6, 1: 4})
>>> state = game.play(state, {0: 6, 1: 5})
>>> game.payoffs(state)
((6.0, 4.0), (0.0, 0.0))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sepo_envs.game import Forfeit, Stage
from sepo_envs.games.options import check_whole

Demands: TypeAlias = tuple[int, int]
"""One round's demands, seat 0's first; 0 is a forfeited one."""


@dataclass(frozen=True, slots=True)
class State:
    """The rounds played, oldest first."""

    history: tuple[Demands, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one seat sees: every round played, as (its own demand, the other's)."""

    seat: int
    pie: int
    rounds: int
    history: tuple[tuple[int, int], ...]

    @property
    def infostate(self) -> str:
        """The seat, then each round's demands, its own first (``"0: 6-4 6-5"``)."""
        return f"{self.seat}:" + "".join(f" {mine}-{theirs}" for mine, theirs in self.history)

    @property
    def situation(self) -> str:
        """The infostate: an opponent may remember every round."""
        return self.infostate


@dataclass(frozen=True, slots=True)
class SplitNegotiation:
    """The split negotiation over ``rounds`` pies of ``pie`` points; see the module for the rules.

    >>> SplitNegotiation(rounds=0)
    Traceback (most recent call last):
        ...
    ValueError: rounds is 0, but a negotiation has at least 1 round.
    """

    rounds: int = 4
    pie: int = 10

    def __post_init__(self) -> None:
        for name, least, because in (
            ("rounds", 1, "a negotiation has at least 1 round"),
            ("pie", 2, "a pie has at least 2 points, 10 as a rule"),
        ):
            whole = check_whole(name, getattr(self, name), least=least, because=because)
            object.__setattr__(self, name, whole)

    @property
    def name(self) -> str:
        return "split_negotiation"

    @property
    def seats(self) -> int:
        return 2

    @property
    def moves(self) -> tuple[int, ...]:
        return tuple(range(1, self.pie))

    @property
    def longest(self) -> int:
        return self.rounds

    def start(self) -> State:
        return State()

    def actors(self, state: State) -> tuple[int, ...]:
        return (0, 1) if len(state.history) < self.rounds else ()

    def chance_outcomes(self, state: State) -> tuple[tuple[int, float], ...]:
        """Never any: nothing is left to chance."""
        return ()

    def legal_moves(self, state: State, seat: int) -> tuple[int, ...]:
        return self.moves if seat in self.actors(state) else ()

    def play(self, state: State, moves: Mapping[int, int | Forfeit]) -> State:
        """A FORFEIT demands 0."""
        if tuple(sorted(moves)) != self.actors(state):
            raise ValueError(
                f"{tuple(moves)} demanded, but {self.actors(state) or 'nobody'} must, at {state}."
            )
        demands = (self._demand(moves[0]), self._demand(moves[1]))
        return State((*state.history, demands))

    def deal(self, demands: Demands) -> bool:
        """Whether the demands fit; two forfeited ones are no deal."""
        return 0 < sum(demands) <= self.pie

    def payoffs(self, state: State) -> tuple[tuple[float, float], ...]:
        return tuple(
            (float(mine), float(theirs)) if self.deal((mine, theirs)) else (0.0, 0.0)
            for mine, theirs in state.history
        )

    def stage(self) -> Stage:
        return Stage(
            tuple(
                tuple(self.payoffs(State(((mine, theirs),)))[0] for theirs in self.moves)
                for mine in self.moves
            )
        )

    def after(self, rounds: Sequence[Demands]) -> State:
        return State(tuple(rounds))

    def past(self, state: State) -> tuple[Demands, ...]:
        return state.history

    def present(self, state: State) -> int:
        """How many rounds are played."""
        return len(state.history)

    def rejoin(self, past: tuple[Demands, ...], present: int) -> State:
        return State(past)

    def payoff_range(self) -> tuple[float, float]:
        return 0.0, float(self.pie - 1)

    def observe(self, state: State, seat: int) -> Observation:
        history = tuple((demands[seat], demands[1 - seat]) for demands in state.history)
        return Observation(seat, self.pie, self.rounds, history)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (
            "share of rounds left",
            *(
                f"round {number}: {what}"
                for number in range(1, self.rounds + 1)
                for what in ("my demand / pie", "the other's demand / pie", "a deal")
            ),
        )

    def features(self, state: State, seat: int) -> tuple[float, ...]:
        """Rounds not played yet are zeros."""
        history = self.observe(state, seat).history
        numbers = [1 - len(history) / self.rounds]
        for mine, theirs in history:
            numbers += [mine / self.pie, theirs / self.pie, float(self.deal((mine, theirs)))]
        return tuple(numbers + [0.0] * (3 * (self.rounds - len(history))))

    def _demand(self, move: int | Forfeit) -> int:
        if isinstance(move, Forfeit):
            return 0
        if move not in self.moves:
            raise ValueError(f"{move!r} is no demand; demands are 1 to {self.pie - 1}.")
        return int(move)
