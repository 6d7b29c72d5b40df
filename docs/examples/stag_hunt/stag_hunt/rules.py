"""The stag hunt. Two players, simultaneous moves, general sum.

In each round both hunters choose, neither knowing the other's choice, to hold out for the stag or
to go after a hare. A hare can be caught alone; the stag only by both.

    row \\ column   STAG    HARE
    STAG           4, 4    0, 3
    HARE           3, 0    3, 3

Both equilibria in pure strategies are symmetric: the stag pays more, and the hare risks nothing. A
match is ``rounds`` rounds, and everyone sees what was chosen. A FORFEIT hunts nothing: the offender
gets 0, and the other what it would get alone.

Source: J.-J. Rousseau, "Discourse on the Origin of Inequality" (1755), part 2; as a game, B.
Skyrms, "The Stag Hunt and the Evolution of Social Structure" (2004). The payoffs are ours.

>>> game = StagHunt(rounds=2)
>>> state = game.play(game.start(), {0: Move.STAG, 1: Move.STAG})
>>> state = game.play(state, {0: Move.STAG, 1: Move.HARE})
>>> game.payoffs(state)
((4.0, 4.0), (0.0, 3.0))
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from sepo_envs.game import Forfeit


class Move(StrEnum):
    STAG = "stag"
    HARE = "hare"


MOVES: Final = (Move.STAG, Move.HARE)
TOGETHER: Final = 4.0
"""Points to each when both hunt the stag."""
ALONE: Final = 3.0
"""Points for a hare."""

Round: TypeAlias = tuple[Move | Forfeit, Move | Forfeit]
"""What seat 0 and seat 1 chose."""


@dataclass(frozen=True, slots=True)
class State:
    """The rounds played, oldest first."""

    played: tuple[Round, ...] = ()


@dataclass(frozen=True, slots=True)
class Observation:
    """What one seat sees: every round played, as (its own choice, the other's)."""

    seat: int
    rounds: int
    played: tuple[Round, ...]

    @property
    def infostate(self) -> str:
        """The seat, then each round's choices, its own first; F is a forfeit (``"0: SS SH"``)."""
        return f"{self.seat}:" + "".join(f" {_letter(a)}{_letter(b)}" for a, b in self.played)

    @property
    def situation(self) -> str:
        """The infostate: an opponent may remember every round."""
        return self.infostate


def _letter(choice: Move | Forfeit) -> str:
    return choice.name[0]


@dataclass(frozen=True, slots=True)
class StagHunt:
    """The match; see the module for the rules."""

    rounds: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.rounds, int) or self.rounds < 1:
            raise ValueError(
                f"rounds is {self.rounds!r}, but a hunt has at least 1 round, and a whole number."
            )

    @property
    def name(self) -> str:
        return "stag_hunt"

    @property
    def seats(self) -> int:
        return 2

    @property
    def moves(self) -> tuple[Move, ...]:
        return MOVES

    @property
    def longest(self) -> int:
        return self.rounds

    def start(self) -> State:
        return State()

    def actors(self, state: State) -> tuple[int, ...]:
        return (0, 1) if len(state.played) < self.rounds else ()

    def chance_outcomes(self, state: State) -> tuple[tuple[Move, float], ...]:
        """Never any: nothing is left to chance."""
        return ()

    def legal_moves(self, state: State, seat: int) -> tuple[Move, ...]:
        return MOVES if seat in self.actors(state) else ()

    def play(self, state: State, moves: Mapping[int, Move | Forfeit]) -> State:
        """A FORFEIT hunts nothing."""
        if tuple(sorted(moves)) != self.actors(state):
            raise ValueError(
                f"{tuple(moves)} moved, but it is {self.actors(state)}'s turn at {state}."
            )
        return State((*state.played, (_checked(moves[0]), _checked(moves[1]))))

    def payoffs(self, state: State) -> tuple[tuple[float, float], ...]:
        return tuple((points(mine, theirs), points(theirs, mine)) for mine, theirs in state.played)

    def observe(self, state: State, seat: int) -> Observation:
        played = tuple((chosen[seat], chosen[1 - seat]) for chosen in state.played)
        return Observation(seat, self.rounds, played)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (
            "share of rounds left",
            *(
                f"round {number}: {who} hunted the {move}"
                for number in range(1, self.rounds + 1)
                for who in ("I", "they")
                for move in MOVES
            ),
        )

    def features(self, state: State, seat: int) -> tuple[float, ...]:
        """Rounds not played yet are zeros."""
        played = self.observe(state, seat).played
        seen = [float(choice is move) for chosen in played for choice in chosen for move in MOVES]
        left = self.rounds - len(played)
        return (left / self.rounds, *seen, *[0.0] * (4 * left))


def points(mine: Move | Forfeit, theirs: Move | Forfeit) -> float:
    """One round's points to whoever chose ``mine``.

    >>> points(Move.STAG, Move.STAG), points(Move.STAG, Move.HARE), points(Move.HARE, Move.STAG)
    (4.0, 0.0, 3.0)
    """
    if mine is Move.HARE:
        return ALONE
    return TOGETHER if mine is theirs is Move.STAG else 0.0


def _checked(move: Move | Forfeit) -> Move | Forfeit:
    if isinstance(move, Forfeit):
        return move
    if move not in MOVES:
        raise ValueError(f"{move!r} is no move of the stag hunt; the moves are stag and hare.")
    return Move(move)
