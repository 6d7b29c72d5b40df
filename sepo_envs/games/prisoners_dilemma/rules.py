"""The iterated prisoner's dilemma. Two players, simultaneous moves, general sum.

In each round both players choose to COOPERATE or to DEFECT, neither knowing the other's choice.

    row \\ column   COOPERATE     DEFECT
    COOPERATE      R, R  (3, 3)  S, T  (0, 5)
    DEFECT         T, S  (5, 0)  P, P  (1, 1)

A match is ``rounds`` rounds, known to both from the start, and a player's return is the sum of its
points. Defecting in every round is the only subgame-perfect equilibrium. Two options put chance
into it: after each round but the last the match goes on with probability ``continuation``, and each
choice is carried out as the other one, a slip, with probability ``noise``. Everyone sees what was
carried out; only the chooser knows of a slip.

A FORFEIT is seen as a defection, pays the offender S and the other T, whatever the other did, and
never slips. If both forfeit, both get P.

Source: R. Axelrod, "The Evolution of Cooperation" (1984); with noise, J. Wu and R. Axelrod, "How to
cope with noise in the iterated prisoner's dilemma", Journal of Conflict Resolution 39 (1995).

>>> game = PrisonersDilemma(rounds=2)
>>> state = game.play(game.start(), {0: Move.COOPERATE, 1: Move.DEFECT})
>>> state = game.play(state, {0: Move.DEFECT, 1: FORFEIT})
>>> game.payoffs(state)
((0.0, 5.0), (5.0, 0.0))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final

from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Stage
from sepo_envs.games.options import check_number, check_whole


class Move(StrEnum):
    COOPERATE = "cooperate"
    DEFECT = "defect"

    @property
    def other(self) -> Move:
        return Move.DEFECT if self is Move.COOPERATE else Move.COOPERATE


class Luck(StrEnum):
    """What chance can say: of one seat's choice, as meant or a slip; of the match, on or over."""

    AS_MEANT = "as meant"
    SLIP = "slip"
    GO_ON = "go on"
    STOP = "stop"


COOPERATE: Final = Move.COOPERATE
DEFECT: Final = Move.DEFECT
MOVES: Final = (COOPERATE, DEFECT)


@dataclass(frozen=True, slots=True)
class Round:
    """What each seat chose and, where choices can slip, what came of it, as far as it is known."""

    chosen: tuple[Move | Forfeit, ...]
    luck: tuple[Luck, ...] = ()
    """One for each seat; empty in a game without noise."""

    def done(self, seat: int) -> Move:
        """What everyone sees ``seat`` do."""
        chosen = self.chosen[seat]
        if chosen is FORFEIT:
            return DEFECT
        return chosen.other if self.luck and self.slipped(seat) else chosen

    def forfeited(self, seat: int) -> bool:
        return self.chosen[seat] is FORFEIT

    def slipped(self, seat: int) -> bool:
        return self.luck[seat : seat + 1] == (Luck.SLIP,)


PLAYED: Final[Mapping[tuple[Move | Forfeit, ...], Round]] = {
    (mine, theirs): Round((mine, theirs)) for mine in MOVES for theirs in MOVES
}
"""The four rounds that there can be without noise and forfeits."""


@dataclass(frozen=True, slots=True)
class State:
    """Rounds played so far, oldest first; a round that is being carried out; what comes next."""

    played: tuple[Round, ...] = ()
    running: Round | None = None
    """Chosen by both seats, but chance has still to say what slips."""
    goes_on: bool | None = True
    """Whether there is another round; None while chance has still to say so."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What one seat sees: every round so far, and of its own choices also what became of them."""

    seat: int
    mine: tuple[Move, ...]
    """The seat's own moves, as carried out; a forfeit is seen as a defection."""
    theirs: tuple[Move, ...]
    meant: tuple[Move | Forfeit, ...]
    """What the seat had chosen."""
    forfeits: tuple[bool, ...]
    """In which rounds the other seat forfeited."""
    rounds: int
    """The most rounds that the match can have."""

    @property
    def situation(self) -> str:
        """The seat, then both seats' moves of each round, own move first (``"0:CC,CD"``).

        A small letter is an own move that slipped: ``d`` was meant to be C.
        """
        return self._history().replace("F", "D")

    @property
    def infostate(self) -> str:
        """The situation, with F for the defection that everyone saw in place of a forfeit."""
        return self._history()

    def _history(self) -> str:
        rounds = map(_letters, self.mine, self.meant, self.theirs, self.forfeits)
        return f"{self.seat}:" + ",".join(rounds)


def _letters(mine: Move, meant: Move | Forfeit, theirs: Move, forfeit: bool) -> str:
    """One round: the own move, a small letter if it slipped, then the other's."""
    other = "F" if forfeit else "CD"[theirs is DEFECT]
    if mine is meant:
        return "CD"[mine is DEFECT] + other
    return ("F" if meant is FORFEIT else "cd"[mine is DEFECT]) + other


@dataclass(frozen=True, slots=True)
class PrisonersDilemma:
    """The match; see the module for the rules.

    Args:
        rounds: how many rounds it lasts, or at most lasts.
        reward, sucker, temptation, punishment: R, S, T and P, in points.
        continuation: the probability of another round after each but the last.
        noise: the probability that a choice slips.
    """

    rounds: int = 8
    reward: float = 3.0
    sucker: float = 0.0
    temptation: float = 5.0
    punishment: float = 1.0
    continuation: float = 1.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        t, r, p, s = self.temptation, self.reward, self.punishment, self.sucker
        rounds = check_whole("rounds", self.rounds, least=1, because="a match has at least 1 round")
        for name in ("temptation", "reward", "punishment", "sucker"):
            check_number(name, getattr(self, name), because="a payoff is in points")
        if not (t > r > p > s and 2 * r > t + s):
            raise ValueError(
                f"T={t}, R={r}, P={p}, S={s} is not a prisoner's dilemma: defection must dominate, "
                "and cooperating must beat taking turns to defect. "
                "Choose payoffs with T > R > P > S and 2R > T + S."
            )
        for name in ("continuation", "noise"):
            check_number(name, getattr(self, name), because="it is a probability")
        if not 0 < self.continuation <= 1:
            raise ValueError(
                f"continuation is {self.continuation}, but a probability above 0 and up to 1 is "
                "wanted. Use rounds=1 for a match of one round."
            )
        if not 0 <= self.noise <= 0.5:
            raise ValueError(
                f"noise is {self.noise}, but a choice can slip with probability 0 to 0.5 only: "
                "above that it would mean its opposite."
            )
        object.__setattr__(self, "rounds", rounds)
        for name in ("temptation", "reward", "punishment", "sucker", "continuation", "noise"):
            object.__setattr__(self, name, float(getattr(self, name)))  # 3 and 3.0 are one game

    @property
    def name(self) -> str:
        return "prisoners_dilemma"

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
        if state.running is not None or state.goes_on is None:
            return (CHANCE,)
        return (0, 1) if state.goes_on else ()

    def chance_outcomes(self, state: State) -> tuple[tuple[Luck, float], ...]:
        """First the slips, seat 0's before seat 1's; after the round, whether there is another."""
        if state.running is not None:
            return ((Luck.AS_MEANT, 1 - self.noise), (Luck.SLIP, self.noise))
        if state.goes_on is None:
            return ((Luck.GO_ON, self.continuation), (Luck.STOP, 1 - self.continuation))
        return ()

    def legal_moves(self, state: State, seat: int) -> tuple[Move, ...]:
        return MOVES if seat != CHANCE and seat in self.actors(state) else ()

    def play(self, state: State, moves: Mapping[int, Luck | Move | Forfeit]) -> State:
        """A FORFEIT is settled as the module says; chance acts once for each choice and round."""
        actors = self.actors(state)
        if tuple(moves) != actors and tuple(sorted(moves)) != actors:
            raise ValueError(f"{tuple(moves)} moved, but it is {actors}'s turn at {state}.")
        if actors == (CHANCE,):
            return self._befall(state, moves[CHANCE])
        chosen = self._checked(moves[0]), self._checked(moves[1])
        return self._carry_out(state, PLAYED.get(chosen) or Round(chosen))

    def payoffs(self, state: State) -> tuple[tuple[float, float], ...]:
        """Each finished round's points to seat 0 and seat 1."""
        if self.noise:
            return tuple([self.paid(done) for done in state.played])
        points = points_by_choice(self)
        return tuple([points[done.chosen] for done in state.played])

    def paid(self, done: Round) -> tuple[float, float]:
        """The points of one finished round to seat 0 and seat 1."""
        first, second = done.forfeited(0), done.forfeited(1)
        if first != second:
            points = float(self.sucker), float(self.temptation)
            return points if first else points[::-1]
        row, column = done.done(0), done.done(1)
        return self._points(row, column), self._points(column, row)

    def stage(self) -> Stage | None:
        """None with noise: of a slip, the one who slipped knows more than the other."""
        if self.noise:
            return None
        points = (
            ((self.reward, self.reward), (self.sucker, self.temptation)),
            ((self.temptation, self.sucker), (self.punishment, self.punishment)),
        )
        return Stage(points, self.continuation)

    def after(self, rounds: Sequence[tuple[Move, Move]]) -> State:
        return State(tuple([PLAYED[pair] for pair in rounds]))

    def past(self, state: State) -> tuple[Round, ...]:
        return state.played

    def present(self, state: State) -> tuple[int, Round | None, bool | None]:
        """How many rounds are played, the one being carried out, and whether another follows."""
        return len(state.played), state.running, state.goes_on

    def rejoin(
        self, past: tuple[Round, ...], present: tuple[int, Round | None, bool | None]
    ) -> State:
        return State(past, *present[1:])

    def payoff_range(self) -> tuple[float, float]:
        return float(self.sucker), float(self.temptation)

    def observe(self, state: State, seat: int) -> Observation:
        other, played = 1 - seat, state.played
        return Observation(
            seat=seat,
            mine=tuple([done.done(seat) for done in played]),
            theirs=tuple([done.done(other) for done in played]),
            meant=tuple([done.chosen[seat] for done in played]),
            forfeits=tuple([done.chosen[other] is FORFEIT for done in played]),
            rounds=self.rounds,
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        return (
            "share of rounds left",
            *(
                f"round {number}: {who} {move}"
                for number in range(1, self.rounds + 1)
                for who in ("I", "they")
                for move in MOVES
            ),
        )

    def features(self, state: State, seat: int) -> tuple[float, ...]:
        seen = self.observe(state, seat)
        rounds = [
            float(done is move)
            for pair in zip(seen.mine, seen.theirs, strict=True)
            for done in pair
            for move in MOVES
        ]
        left = self.rounds - len(seen.mine)
        return (left / self.rounds, *rounds, *[0.0] * (4 * left))

    def _checked(self, move: Luck | Move | Forfeit) -> Move | Forfeit:
        if isinstance(move, Forfeit):
            return move
        if move not in MOVES:
            raise ValueError(
                f"{move!r} is no move of the prisoner's dilemma; "
                "the moves are cooperate and defect."
            )
        return MOVES[MOVES.index(move)]

    def _befall(self, state: State, luck: Luck | Move | Forfeit) -> State:
        possible = [outcome for outcome, _ in self.chance_outcomes(state)]
        if luck not in possible:
            raise ValueError(f"chance cannot say {luck!r} here, only {' or '.join(possible)}.")
        said = Luck(luck)
        if state.running is None:
            return replace(state, goes_on=said is Luck.GO_ON)
        return self._carry_out(state, replace(state.running, luck=(*state.running.luck, said)))

    def _carry_out(self, state: State, running: Round) -> State:
        """``running`` put into ``state``: waiting for chance, or played."""
        if self.noise:
            while len(running.luck) < 2 and running.forfeited(len(running.luck)):
                running = replace(running, luck=(*running.luck, Luck.AS_MEANT))
            if len(running.luck) < 2:
                return replace(state, running=running)
        played = (*state.played, running)
        if len(played) == self.rounds:
            return State(played, goes_on=False)
        return State(played, goes_on=True if self.continuation == 1 else None)

    def _points(self, mine: Move, theirs: Move) -> float:
        """To the seat that is seen to do ``mine``."""
        if mine is COOPERATE:
            return float(self.reward if theirs is COOPERATE else self.sucker)
        return float(self.temptation if theirs is COOPERATE else self.punishment)


@lru_cache(maxsize=64)
def points_by_choice(
    game: PrisonersDilemma,
) -> dict[tuple[Move | Forfeit, ...], tuple[float, float]]:
    """What both seats' choices pay in a ``game`` without noise."""
    choices = (*MOVES, FORFEIT)
    return {(a, b): game.paid(Round((a, b))) for a in choices for b in choices}
