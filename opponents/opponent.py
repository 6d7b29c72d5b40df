"""An opponent is a policy plus a citation; a pool is a tuple you can read. Knows no game."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, TypeAlias

from sepo_envs.choices import illegal
from sepo_envs.exact.action_table import ROUNDING, ActionTable
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import Move

Policy: TypeAlias = Callable[[Any], Mapping[Move, float]]
"""``policy(observation) -> move probabilities``; the observation is the game's own."""


class OpponentError(Exception):
    """An opponent raised, or answered with something that is no distribution over legal moves."""


@dataclass(frozen=True, slots=True)
class Opponent:
    """A fixed strategy. Because an observation is all a seat has seen, even tit-for-tat is pure."""

    name: str
    policy: Policy
    citation: str

    def act(self, observation: Any, legal: Sequence[Move], rng: Random) -> Move:
        """One move, drawn from the policy.

        Raises:
            OpponentError: the policy raised, named an illegal move, or its probabilities do not
                sum to 1.
        """
        moves, weights = zip(*self.probabilities(observation, legal).items(), strict=True)
        return rng.choices(moves, weights)[0]

    def probabilities(self, observation: Any, legal: Sequence[Move]) -> Mapping[Move, float]:
        """The policy's answer, checked against the legal moves.

        >>> Opponent("rude", lambda _: {"raise": 1.0}, "none").probabilities("Q", ("pass", "bet"))
        Traceback (most recent call last):
            ...
        opponents.opponent.OpponentError: opponent 'rude' plays 'raise' in 'Q', where only \
('pass', 'bet') are legal. Mend its policy so that illegal moves get probability 0.
        """
        try:
            row = dict(self.policy(observation))
        except Exception as error:
            raise OpponentError(
                f"opponent {self.name!r} raised {type(error).__name__}: {error} "
                f"in {observation!r}. "
                "Mend its policy: it must answer every observation with move probabilities."
            ) from error
        wrong = illegal(row, legal)
        if wrong:
            raise OpponentError(
                f"opponent {self.name!r} plays {wrong[0]!r} in {observation!r}, where only "
                f"{tuple(legal)} are legal. "
                "Mend its policy so that illegal moves get probability 0."
            )
        if not row or min(row.values()) < 0 or not abs(sum(row.values()) - 1) <= ROUNDING:
            raise OpponentError(
                f"opponent {self.name!r} answers {row} in {observation!r}: probabilities must "
                "be at least 0 and sum to 1. Mend its policy so that they do."
            )
        return row


@dataclass(frozen=True, slots=True)
class Adaptive:
    """An opponent that is worked out anew against the policy it meets, from its action table."""

    name: str
    against: Callable[[GameTree, ActionTable], Opponent]
    citation: str


@dataclass(frozen=True, slots=True)
class Pool:
    """A named, ordered set of opponents, equally weighted."""

    name: str
    opponents: tuple[Opponent | Adaptive, ...]

    def met_by(self, table: ActionTable, *, tree: GameTree) -> tuple[Opponent, ...]:
        """The pool as a policy with action table ``table`` meets it in the game of ``tree``."""
        return tuple(
            opponent.against(tree, table) if isinstance(opponent, Adaptive) else opponent
            for opponent in self.opponents
        )


def from_table(name: str, table: ActionTable, citation: str) -> Opponent:
    """The opponent that plays ``table``, looked up by situation. It can be pickled."""
    return Opponent(name, partial(_looked_up, table), citation)


def _looked_up(table: ActionTable, observation: Any) -> Mapping[Move, float]:
    return table[observation.situation]
