"""How policies are asked, and how thousands pick at once as ``random.Random.choices`` picks one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from math import inf
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sepo_envs.game import FORFEIT, Forfeit, Move

ROUNDING: Final = 1e-6
"""How far a row's sum may be from 1: what single precision leaves of a softmax."""

MANY: Final = 4
"""Moves of a row from which on it pays to look them up instead of searching for each."""


class Askable(Protocol):
    """A policy that can be asked for its move probabilities, and answers the same every time."""

    def probabilities(
        self, observation: Any, legal: Sequence[Move]
    ) -> Mapping[Move | Forfeit, float]:
        """Its probabilities in what a seat has seen; a move that is not named has none.

        Under the foul rule a policy may also answer FORFEIT with some probability, where it is
        played; the exact solvers know moves only.
        """


def fault(row: Mapping[Move | Forfeit, float], legal: Sequence[Move] | None = None) -> str | None:
    """Why ``row`` is no distribution over ``legal`` and FORFEIT; None if it is one.

    Args:
        legal: None if that is not known, so that only the numbers are looked at.

    >>> fault({"pass": 1.0, "raise": 0.0}, ("pass", "bet"))
    >>> fault({"pass": 0.5, "raise": 0.5}, ("pass", "bet"))
    "it plays 'raise', where only ('pass', 'bet') are legal"
    """
    if legal is not None:
        for move in illegal(row, legal):
            if move is not FORFEIT:
                return f"it plays {move!r}, where only {tuple(legal)} are legal"
    total = sum(row.values())
    if not abs(total - 1) <= ROUNDING:  # so that nan is refused too
        return f"probabilities {dict(row)} sum to {total:g}, not to 1"
    if min(row.values()) < 0:
        return f"a probability is negative in {dict(row)}"
    return None


def illegal(row: Mapping[Move | Forfeit, float], legal: Sequence[Move]) -> list[Move | Forfeit]:
    """The moves of ``row`` that have a weight and are not among ``legal``.

    >>> illegal({"pass": 0.5, "raise": 0.5, "fold": 0.0}, ("pass", "bet"))
    ['raise']
    """
    known = legal if len(row) < MANY else frozenset(legal)  # which takes a while to make
    return [move for move, weight in row.items() if weight != 0 and move not in known]


def places(row: Iterable[Move | Forfeit], moves: Sequence[Move | Forfeit]) -> list[int]:
    """Where among ``moves`` each move of ``row`` stands.

    >>> places({"bet": 0.5, "pass": 0.5}, ("pass", "bet"))
    [1, 0]
    """
    sought = tuple(row)
    if len(sought) < MANY:
        return [moves.index(move) for move in sought]
    place = {move: number for number, move in enumerate(moves)}
    return [place[move] for move in sought]


def checked_row(
    policy: Askable, observation: Any, legal: Sequence[Move]
) -> dict[Move | Forfeit, float]:
    """What ``policy`` answers, less the moves of probability 0.

    Raises:
        ValueError: it is no distribution over the legal moves and FORFEIT.
    """
    answer = policy.probabilities(observation, legal)
    wrong = fault(answer, legal)
    if wrong is not None:
        name = getattr(policy, "name", policy)
        raise ValueError(
            f"policy {name!r} answers {dict(answer)} in {observation!r}: {wrong}. "
            "Mend it: probabilities of legal moves, at least 0, that sum to 1, are wanted."
        )
    return {move: weight for move, weight in answer.items() if weight != 0}


class Weights:
    """Rows of weights, each distinct one once: ``(rows, width)`` tables, width a power of 2.

    >>> weights = Weights()
    >>> row = weights.row([0.5, 0.25, 0.25], slots=[2, 0, 1])
    >>> weights.pick(np.array([row, row, row]), np.array([0.0, 0.5, 0.9])).tolist()
    [2, 0, 1]
    """

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[float, ...], tuple[int, ...]], int] = {}
        self._width = 1
        self._cumulative = np.empty((0, 1), np.float64)
        """Sums of the weights so far; from a row's last entry on infinite, so never passed."""
        self._slot = np.empty((0, 1), np.int64)
        self._total = np.empty(0, np.float64)
        self._all_sum_to_1 = True

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self._total)

    def row(self, weights: Iterable[float], slots: Iterable[int]) -> int:
        """The number of the row that picks the k-th of ``slots`` with the k-th of ``weights``."""
        cumulative, picked = tuple(accumulate(weights)), tuple(slots)
        number = self._known.setdefault((cumulative, picked), len(self._known))
        if number == len(self._total):
            while self._width < len(picked):
                self._cumulative = np.hstack(
                    [self._cumulative, np.full_like(self._cumulative, inf)]
                )
                self._slot = np.hstack([self._slot, np.zeros_like(self._slot)])
                self._width *= 2
            spare = self._width - len(picked)
            line = (*cumulative[:-1], *[inf] * (spare + 1))
            self._cumulative = np.vstack([self._cumulative, line])
            self._slot = np.vstack([self._slot, (*picked, *[0] * spare)])
            self._total = np.append(self._total, cumulative[-1])
            self._all_sum_to_1 &= cumulative[-1] == 1
        return number

    def pick(self, rows: NDArray[np.int32], u: NDArray[np.float64]) -> NDArray[np.int64]:
        """For each of ``rows`` the slot that ``choices`` would pick if ``random()`` gave ``u``.

        That is ``bisect(cumulative, u * total, 0, n - 1)``, written without a branch: the entry is
        found bit by bit, from the highest bit of its place in the row.
        """
        target = u if self._all_sum_to_1 else u * self._total[rows]
        cumulative, place = self._cumulative.ravel(), rows * np.int64(self._width)
        bit = self._width >> 1
        while bit:
            place += bit * (cumulative[place + (bit - 1)] <= target)
            bit >>= 1
        picked: NDArray[np.int64] = self._slot.ravel()[place]
        return picked
