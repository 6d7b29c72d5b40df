"""Cited strategies in pools, exact responses to a policy's action table, and people."""

from opponents.human import Human, HumanLeftError
from opponents.opponent import Adaptive, Opponent, OpponentError, Pool, from_table
from opponents.pools import check_disjoint

__all__ = [
    "Adaptive",
    "Human",
    "HumanLeftError",
    "Opponent",
    "OpponentError",
    "Pool",
    "check_disjoint",
    "from_table",
]
