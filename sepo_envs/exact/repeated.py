"""A stage game played again and again in the open, solved by dynamic programming without a tree.

If both seats see every move and nothing else happens, a history is a list of pairs of moves, and
what a seat can still earn against a policy pi of the other's follows from the last round back:

    V(h) = max_a  sum_b  pi(b | h) (points(a, b) + continuation * V(h, a, b))

Histories of one length are numbered, base the number of pairs of moves, oldest round first, so a
round is a few numpy calls. The policy is asked in batches and forgotten again: of a round only one
number per history is kept, so that 4 rounds of the split negotiation fit where a tree does not.

`sepo_envs.exact.tree` gives the same numbers where it can hold the game; the tests compare them.

>>> from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
>>> match = RepeatedSolver(PrisonersDilemma())
>>> match.histories
21845
>>> match.nash_conv(match.uniform())  # 8 rounds in which defecting on a coin gains 0.75
12.0
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.certified import Certified, covered
from sepo_envs.exact.reading import Policy, Read, read
from sepo_envs.exact.tree import Response
from sepo_envs.game import RepeatedGame, Stage, State

Floats = NDArray[np.float64]

AT_ONCE: Final = 8192
"""Histories whose rows are held at the same time."""


def stage_of(game: RepeatedGame) -> Stage:
    """The stage that ``game`` repeats.

    Raises:
        ValueError: with its options it does not.
    """
    stage = game.stage()
    if stage is None:
        raise ValueError(
            f"{game} is no repeated stage: with these options more happens in a round than both "
            "seats see. Use GameTree(game) at a short horizon, or a lower bound "
            "(sepo_envs.exact.lower_bound)."
        )
    return stage


@dataclass(slots=True)
class _Ahead:
    """What follows each history of one length. Axis 0 is the seat, axis 1 the history."""

    played: Floats
    """Points still to come if both seats keep to their policies."""
    best: Floats
    """Points still to come for a best responder to the other seat's policy."""
    slips: Floats
    """``(3, histories)``: the most that can be uncovered from here on along any history, of seat
    0's answers, of seat 1's, and of both."""
    reply: NDArray[np.int16]
    """The best responder's move, as a number."""
    most_uncovered: float
    """The largest of any answer, here and later."""

    @classmethod
    def of(cls, size: int, later: _Ahead | None) -> _Ahead:
        """Nothing known yet of ``size`` histories."""
        shape = (2, size)
        uncovered = later.most_uncovered if later else 0.0
        reply = np.zeros(shape, np.int16)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros((3, size)), reply, uncovered)


class RepeatedSolver:
    """``game`` solved for any policy.

    Args:
        game: any rulebook that offers itself as a `sepo_envs.game.RepeatedGame`.
        most_histories: refuse a game in which a seat can meet more.

    Raises:
        ValueError: the game's options make more of it than a repeated stage, or it is too large.
    """

    def __init__(self, game: RepeatedGame, *, most_histories: int = 1_000_000) -> None:
        self.game = game
        stage = stage_of(game)
        self._pairs = tuple(product(game.moves, repeat=2))
        points = np.array(stage.points, dtype=float)
        self._points = (points[:, :, 0], points[:, :, 1].T)
        """Each seat's points, ``(own move, the other's)``."""
        self._continuation = stage.continuation
        self.histories = sum(len(self._pairs) ** length for length in range(game.rounds))
        """How many each seat may have to decide in."""
        if self.histories > most_histories:
            raise ValueError(
                f"{game.name} over {game.rounds} rounds has {self.histories:,} histories, more "
                f"than {most_histories:,}. Solve a shorter horizon, raise most_histories if time "
                "allows, or take a lower bound (sepo_envs.exact.lower_bound)."
            )

    def returns(self, policies: Policy | Sequence[Policy]) -> Floats:
        """Expected points, ``(seats,)``; seat i plays ``policies[i]``, or all play one policy."""
        joint = tuple(policies) if isinstance(policies, Sequence) else (policies, policies)
        total: Floats = self._sweep(joint)[0].played[:, 0]
        return total

    def best_response(self, policy: Policy, seat: int) -> Response:
        """The most that ``seat`` can earn against ``policy``; of equal moves it takes the first.

        The response is best after every history, also those that the policy never lets happen.
        """
        others: list[Policy | None] = [policy, policy]
        others[seat] = None
        ahead = self._sweep(others)
        moves = self.game.moves
        pure = [{move: float(move is only) for move in moves} for only in moves]
        rows = {
            situation: pure[number]
            for length, level in enumerate(ahead)
            for situation, number in zip(
                self._situations(length, seat), level.reply[seat].tolist(), strict=True
            )
        }
        return Response(float(ahead[0].best[seat, 0]), ActionTable(rows))

    def nash_conv(self, policy: Policy) -> float:
        """The sum over seats of what each could gain by switching to a best response; points.

        At least 0, and 0 exactly at a Nash equilibrium.
        """
        start = self._sweep((policy, policy))[0]
        return float((start.best - start.played).sum())

    def exploitability(self, policy: Policy) -> float:
        """NashConv over the number of seats, in points per episode."""
        return self.nash_conv(policy) / 2

    def exploitability_interval(self, policy: Policy) -> Certified:
        """Exploitability, and how far what the reading left uncovered could move it.

        As in `GameTree`: an episode goes another way with at most the probability that any slip
        happens, and then no seat's points change by more than their range.
        """
        start = self._sweep((policy, policy))[0]
        value = float((start.best - start.played).sum()) / 2
        of_seat, of_both = np.minimum(1.0, start.slips[:2, 0]), min(1.0, start.slips[2, 0])
        if self._sums_are_constant():
            of_both = 0.0
        off = sum(self._span(seat) * (of_seat[1 - seat] + of_both) for seat in (0, 1)) / 2
        return covered(value, float(off), start.most_uncovered)

    def written_out(self, policy: Policy) -> ActionTable:
        """``policy`` as a table of every situation of both seats."""
        rows, uncovered = {}, {}
        for seat in (0, 1):
            for length in range(self.game.rounds):
                for states in self._batches(length):
                    seen = [self.game.observe(state, seat) for state in states]
                    found = read(policy, seen, self.game.moves)
                    listed = zip(seen, found.rows.tolist(), found.uncovered.tolist(), strict=True)
                    for each, row, missing in listed:
                        rows[each.situation] = dict(zip(self.game.moves, row, strict=True))
                        if missing:
                            uncovered[each.situation] = missing
        return ActionTable(rows, uncovered)

    def uniform(self) -> ActionTable:
        """Every move equally likely, in every situation of both seats."""
        row = dict.fromkeys(self.game.moves, 1 / len(self.game.moves))
        return ActionTable(
            {
                situation: row
                for seat in (0, 1)
                for length in range(self.game.rounds)
                for situation in self._situations(length, seat)
            }
        )

    def _sweep(self, policies: Sequence[Policy | None]) -> list[_Ahead]:
        """All rounds, the first first, found from the last to the first.

        A seat whose policy is None is not asked; then nothing is known of ``played`` and of what
        the other seat could earn.
        """
        if len(policies) != 2:
            raise ValueError(f"{len(policies)} policies for the 2 seats of {self.game.name}.")
        done: list[_Ahead] = []
        for length in reversed(range(self.game.rounds)):
            later = done[-1] if done else None
            level, first = _Ahead.of(len(self._pairs) ** length, later), 0
            for states in self._batches(length):
                asked = [self._ask(policy, states, seat) for seat, policy in enumerate(policies)]
                self._fill(level, slice(first, first + len(states)), asked, later)
                first += len(states)
            done.append(level)
        return done[::-1]

    def _ask(self, policy: Policy | None, states: Sequence[State], seat: int) -> Read | None:
        if policy is None:
            return None
        seen = [self.game.observe(state, seat) for state in states]
        return read(policy, seen, self.game.moves)

    def _fill(
        self, level: _Ahead, here: slice, asked: Sequence[Read | None], later: _Ahead | None
    ) -> None:
        """Writes into ``level`` what the histories ``here`` lead to."""
        pairs = len(self._pairs)
        after = slice(here.start * pairs, here.stop * pairs)
        if later is not None:
            follow = later.slips[:, after].reshape(3, -1, pairs).max(2)
            level.slips[:, here] = follow
        for seat, own in enumerate(asked):
            if own is not None:
                level.slips[seat, here] += own.uncovered
                level.slips[2, here] += own.uncovered
                level.most_uncovered = max(level.most_uncovered, float(own.uncovered.max()))
            theirs = asked[1 - seat]
            if theirs is None:
                continue
            ahead = None if later is None else later.best[seat, after]
            values = self._values(seat, theirs.rows, ahead)
            level.best[seat, here] = values.max(1)
            level.reply[seat, here] = values.argmax(1)
            if own is not None:
                ahead = None if later is None else later.played[seat, after]
                values = self._values(seat, theirs.rows, ahead)
                level.played[seat, here] = (own.rows * values).sum(1)

    def _values(self, seat: int, theirs: Floats, ahead: Floats | None) -> Floats:
        """What each own move is worth, ``(histories, moves)``, if the other plays ``theirs``."""
        if ahead is None:
            last: Floats = theirs @ self._points[seat].T
            return last
        moves = len(self.game.moves)
        following = ahead.reshape(-1, moves, moves)
        if seat == 1:
            following = following.transpose(0, 2, 1)
        total = self._points[seat] + self._continuation * following
        values: Floats = np.einsum("hab,hb->ha", total, theirs)
        return values

    def _states(self, length: int) -> Iterator[State]:
        """Every state of that many rounds, in the order of their numbers."""
        return map(self.game.after, product(self._pairs, repeat=length))

    def _batches(self, length: int) -> Iterator[list[State]]:
        states = self._states(length)
        return iter(lambda: list(islice(states, AT_ONCE)), [])

    def _situations(self, length: int, seat: int) -> Iterator[str]:
        return (self.game.observe(state, seat).situation for state in self._states(length))

    def _totals(self, points: Floats) -> Floats:
        """The least and the most that ``points`` per round can add up to in an episode."""
        rounds = self.game.rounds
        lengths = np.array([rounds] if self._continuation == 1 else [1, rounds])
        totals: Floats = np.outer(lengths, [points.min(), points.max()])
        return totals

    def _span(self, seat: int) -> float:
        return float(np.ptp(self._totals(self._points[seat])))

    def _sums_are_constant(self) -> bool:
        return float(np.ptp(self._totals(self._points[0] + self._points[1].T))) == 0
