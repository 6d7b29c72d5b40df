"""How a policy is asked what it does in many situations. Knows no game."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sepo_envs.exact.action_table import ROUNDING, ActionTable
from sepo_envs.game import Move, Observation

if TYPE_CHECKING:
    from sepo_envs.choices import Askable

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


Policy: TypeAlias = "ActionTable | Askable | Batched"
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
        ValueError: an answer is no distribution over ``legal``, or a table lacks a situation.
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
        rows = np.array(list(_listed(policy, seen, legal)))
    total = rows.sum(1) if rows.shape == (len(seen), len(legal)) else np.full(len(seen), np.nan)
    least = 0.0 if isinstance(policy, Batched) else 1.0
    fair = (rows >= 0).all() and (total <= 1 + ROUNDING).all() and (total > 0).all()
    if not (fair and (total >= least - ROUNDING).all()):
        raise ValueError(
            f"{policy!r} does not answer with probabilities of the legal moves "
            f"{tuple(legal)} that are at least 0 and sum to 1, one row for each situation asked "
            "about. Mend the policy."
        )
    left = 1 - total
    return Read(rows / total[:, None], np.where(left > ROUNDING, left, 0.0))


def _listed(
    policy: Askable, seen: Sequence[Observation], legal: Sequence[Move]
) -> Iterator[list[float]]:
    for each in seen:
        row = policy.probabilities(each, legal)
        yield [row.get(move, 0.0) for move in legal]
