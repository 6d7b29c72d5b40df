"""Exact game theory: what any policy earns, and what the best reply to it earns."""

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree, Response

__all__ = ["ActionTable", "GameTree", "Response"]
