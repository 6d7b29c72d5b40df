"""What an action says: a legal move by its index, or nothing that can be played. Knows no API."""

from __future__ import annotations

import operator
import reprlib
from collections.abc import Sequence
from typing import Any

from sepo_envs.game import FORFEIT, Forfeit, Move


def read_action(action: Any, moves: Sequence[Move], legal: Sequence[Move]) -> Move | Forfeit:
    """The legal move with index ``action``; FORFEIT for anything else.

    >>> import numpy as np
    >>> read_action(np.int64(1), ("pass", "bet"), ("pass", "bet"))
    'bet'
    >>> read_action(-1, ("pass", "bet"), ("pass", "bet"))
    FORFEIT
    """
    number = action_number(action)
    return moves[number] if 0 <= number < len(moves) and moves[number] in legal else FORFEIT


def action_number(action: Any) -> int:
    """``action`` as an int; -1, which is no action's number, for what is no whole number.

    >>> import numpy as np
    >>> action_number(np.array(2)), action_number(1.0), action_number("bet"), action_number(None)
    (2, -1, -1, -1)
    """
    try:
        return operator.index(action)
    except TypeError:
        return -1


def not_legal(action: Any) -> str:
    """Why ``action`` is a foul, quoted no longer than needed to recognise it."""
    return f"action {reprlib.repr(action)} is not legal here"
