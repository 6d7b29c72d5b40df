"""Cited strategies in pools, and exact responses to a policy's action table."""

from opponents.opponent import Adaptive, Opponent, OpponentError, Pool, from_table
from opponents.pools import check_disjoint

__all__ = [
    "Adaptive",
    "Opponent",
    "OpponentError",
    "Pool",
    "check_disjoint",
    "from_table",
]
