"""A policy written out: the probability of every move in every situation. Knows no game."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from sepo_envs.choices import ROUNDING as ROUNDING
from sepo_envs.choices import fault
from sepo_envs.game import Move


@dataclass(frozen=True)
class ActionTable:
    """Move probabilities by situation, and how much of each was not covered when it was read.

    ``uncovered[situation]`` is the probability that the policy answered with something the reading
    did not count; it is absent (0) for a policy known exactly. Each row sums to 1 all the same:
    what is left is shared out in proportion.

    >>> table = ActionTable({"J": {"pass": 0.75, "bet": 0.25}})
    >>> table["J"]["bet"], table.most_uncovered
    (0.25, 0.0)
    >>> ActionTable({"J": {"pass": 0.5}})
    Traceback (most recent call last):
        ...
    ValueError: situation 'J': probabilities {'pass': 0.5} sum to 0.5, not to 1.
    """

    rows: Mapping[str, Mapping[Move, float]]
    uncovered: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for situation, row in self.rows.items():
            wrong = fault(row)
            if wrong is not None:
                raise ValueError(f"situation {situation!r}: {wrong}.")
        object.__setattr__(self, "rows", MappingProxyType(dict(self.rows)))

    def __reduce__(self) -> tuple[type[ActionTable], tuple[Any, ...]]:
        """A read-only view cannot be pickled; what it shows can."""
        return ActionTable, (dict(self.rows), self.uncovered)

    def __getitem__(self, situation: str) -> Mapping[Move, float]:
        return self.rows[situation]

    def probabilities(self, situation: str, legal: Sequence[Move]) -> list[float]:
        """The row of ``situation`` in the order of ``legal``; a move it does not name gets 0.

        Raises:
            ValueError: the table has no such row, or the row plays a move that is not legal.
        """
        row = self.rows.get(situation)
        if row is None:
            raise ValueError(
                f"the action table says nothing about situation {situation!r}; "
                f"its {len(self.rows)} situations are {', '.join(sorted(self.rows)[:12])}"
                f"{', ...' if len(self.rows) > 12 else '.'}"
            )
        listed = [row.get(move, 0.0) for move in legal]
        if abs(sum(listed) - 1) > 2 * ROUNDING:
            raise ValueError(
                f"situation {situation!r}: {dict(row)} plays a move that is not legal there; "
                f"the legal moves are {', '.join(map(str, legal))}. "
                "Was the table made for another game?"
            )
        return listed

    @property
    def most_uncovered(self) -> float:
        """The largest uncovered probability of any situation; `exact` claims need it under 1e-3."""
        return max(self.uncovered.values(), default=0.0)
