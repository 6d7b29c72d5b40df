"""The exact solver of a game, whichever kind it needs.

>>> from sepo_envs.games.kuhn_poker.rules import KuhnPoker
>>> from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
>>> for game in (KuhnPoker(), PrisonersDilemma()):
...     kuhn_or_dilemma = solver(game)
...     print(type(kuhn_or_dilemma).__name__, kuhn_or_dilemma.exploitability_interval(
...         kuhn_or_dilemma.uniform()))
GameTree 0.4583 (exact)
RepeatedSolver 6.0000 (exact)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.certified import Certified
from sepo_envs.exact.reading import Floats, Policy
from sepo_envs.exact.repeated import RepeatedSolver
from sepo_envs.exact.tree import GameTree, Response
from sepo_envs.game import Game, RepeatedGame


class Solver(Protocol):
    """What can be computed exactly of any policy; points per episode."""

    def returns(self, policies: Policy | Sequence[Policy]) -> Floats:
        """Expected points by seat; seat i plays ``policies[i]``, or all play one policy."""

    def best_response(self, policy: Policy, seat: int) -> Response:
        """The most that ``seat`` can earn against ``policy`` in the other seats, and how."""

    def nash_conv(self, policy: Policy) -> float:
        """The sum over seats of what each could gain by switching to a best response."""

    def exploitability(self, policy: Policy) -> float:
        """NashConv over the number of seats."""

    def exploitability_interval(self, policy: Policy) -> Certified:
        """Exploitability, and how far what a reading left uncovered could move it."""

    def written_out(self, policy: Policy) -> ActionTable:
        """``policy`` as a table of every situation of every seat."""

    def uniform(self) -> ActionTable:
        """Every legal move equally likely."""


def solver(game: Game, *, most_histories: int = 1_000_000) -> Solver:
    """The solver for ``game``: a game tree, or less where the game is a repeated stage.

    Raises:
        ValueError: the game has more histories than ``most_histories``.
    """
    if isinstance(game, RepeatedGame) and game.stage() is not None:
        return RepeatedSolver(game, most_histories=most_histories)
    return GameTree(game, most_nodes=most_histories)
