"""Exact game theory: what any policy earns, and what the best reply to it earns.

`bridge` and `equilibria` need OpenSpiel, ``pip install "sepo[exact]"``; the rest needs numpy alone.
"""

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree, Interval, Response

__all__ = ["ActionTable", "GameTree", "Interval", "Response"]
