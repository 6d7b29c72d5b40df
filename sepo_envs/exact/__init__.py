"""Exact game theory: what any policy earns, and what the best reply to it earns.

`solver(game)` gives what a game needs: a `RepeatedSolver` where both seats see everything, a
`GameTree` elsewhere.

`bridge` and `equilibria` need OpenSpiel, ``pip install "sepo[exact]"``; the rest needs numpy alone.
"""

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.certified import EXACT_BELOW, Certified
from sepo_envs.exact.reading import Batched, Policy
from sepo_envs.exact.repeated import RepeatedSolver
from sepo_envs.exact.solver import Solver, solver
from sepo_envs.exact.tree import GameTree, Response

__all__ = [
    "EXACT_BELOW",
    "ActionTable",
    "Batched",
    "Certified",
    "GameTree",
    "Policy",
    "RepeatedSolver",
    "Response",
    "Solver",
    "solver",
]
