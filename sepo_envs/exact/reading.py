"""How a policy is asked what it does in many situations. Knows no game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sepo_envs.choices import ROUNDING, Askable, checked_row
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.game import FORFEIT, Move, Observation

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Batched:
    """A policy that wants many questions at once, as a language model does.

    Args:
        ask: ``(observations, legal) -> (observations, moves)`` probabilities in the order of
            ``legal``. A row may sum to less than 1: the rest is what the reading did not cover.
        size: the most observations in one question.
    """

    ask: Callable[[Sequence[Any], Sequence[Move]], ArrayLike]
    size: int = 4096


Policy: TypeAlias = ActionTable | Askable | Batched
"""Whatever says with which probability it makes each move, in every situation of every seat."""


class Read(NamedTuple):
    """What a policy does in some situations, and how much of that is unknown."""

    rows: Floats
    """``(situations, moves)``; each sums to 1."""
    uncovered: Floats
    """``(situations,)``; see `ActionTable`."""


def read(policy: Policy, seen: Sequence[Observation], legal: Sequence[Move]) -> Read:
    """What ``policy`` does in each of ``seen``, where the same moves are legal.

    >>> from sepo_envs.games.split_negotiation.rules import SplitNegotiation
    >>> game = SplitNegotiation(pie=3)
    >>> often = Batched(lambda seen, legal: [[0.75, 0.125]] * len(seen))
    >>> rows, uncovered = read(often, [game.observe(game.start(), 0)], game.moves)
    >>> rows.round(3).tolist(), uncovered.tolist()
    ([[0.857, 0.143]], [0.125])

    Raises:
        ValueError: an answer is no distribution over ``legal``, which leaves FORFEIT out, or a
            table lacks a situation.
    """
    if isinstance(policy, ActionTable):
        table = policy
        situations = [each.situation for each in seen]
        listed = [table.probabilities(situation, legal) for situation in situations]
        missing = [table.uncovered.get(situation, 0.0) for situation in situations]
        return Read(np.array(listed), np.array(missing))
    if isinstance(policy, Batched):
        rest = iter(seen)
        answers = [
            np.asarray(policy.ask(part, legal), dtype=float)
            for part in iter(lambda: list(islice(rest, policy.size)), [])
        ]
        rows = np.concatenate(answers)
    else:
        rows = np.array([_listed(policy, each, legal) for each in seen])
    total = rows.sum(1) if rows.shape == (len(seen), len(legal)) else np.full(len(seen), np.nan)
    if not ((rows >= 0).all() and (total <= 1 + ROUNDING).all() and (total > 0).all()):
        raise ValueError(
            f"{policy!r} does not answer with probabilities of the legal moves "
            f"{tuple(legal)} that are at least 0 and sum to at most 1, one row for each situation "
            "asked about. Mend the policy."
        )
    left = 1 - total
    return Read(rows / total[:, None], np.where(left > ROUNDING, left, 0.0))


def _listed(policy: Askable, seen: Observation, legal: Sequence[Move]) -> list[float]:
    """What ``policy`` answers, in the order of ``legal``."""
    row = checked_row(policy, seen, legal)
    if FORFEIT in row:
        raise ValueError(
            f"policy {getattr(policy, 'name', policy)!r} forfeits with probability "
            f"{row[FORFEIT]:g} in {seen!r}, but a FORFEIT is no move of the exact solvers. "
            "Let it move instead, or measure it by play, which counts fouls "
            "(sepo_envs.batch.Board, sepo_envs.exact.lower_bound)."
        )
    return [row.get(move, 0.0) for move in legal]
