"""OpenSpiel's equilibria as action tables: by CFR for any game, in closed form for Kuhn poker."""

from __future__ import annotations

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.bridge import OpenSpielGame, action_table, pyspiel
from sepo_envs.game import Game
from sepo_envs.games.kuhn_poker.rules import MOVES, Card


def cfr(game: Game, *, iterations: int = 1_000) -> ActionTable:
    """The average policy of OpenSpiel's CFR+ after ``iterations`` rounds of both seats' updates.

    In a two-player zero-sum game its exploitability goes to 0; in other games nothing is promised,
    so look at `GameTree.nash_conv` of what comes back.

    Source: Tammelin, "Solving large imperfect information games using CFR+", arXiv 1407.5042.

    Raises:
        ValueError: there is no iteration to average, or the game is too large for the bridge.

    >>> from sepo_envs.exact.tree import GameTree
    >>> from sepo_envs.games.kuhn_poker.rules import KuhnPoker
    >>> GameTree(KuhnPoker()).exploitability(cfr(KuhnPoker())) < 1e-3
    True
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}, but CFR averages over at least 1.")
    shown = OpenSpielGame(game)
    # The cached tree calls our rules once per history, not once per visit.
    solver = pyspiel.CFRPlusSolver(pyspiel.convert_to_cached_tree(shown))
    for _ in range(iterations):
        solver.evaluate_and_update_policy()
    return action_table(shown, solver.average_policy())


def kuhn_optimal(alpha: float) -> ActionTable:
    """OpenSpiel's own equilibrium of Kuhn poker; the first player bets a Jack with ``alpha``.

    Raises:
        ValueError: alpha is outside [0, 1/3].
    """
    if not 0 <= alpha <= 1 / 3:
        raise ValueError(f"alpha is {alpha}, but Kuhn's equilibria have alpha between 0 and 1/3.")
    table = pyspiel.kuhn_poker.get_optimal_policy(alpha).policy_table()
    # OpenSpiel writes the Queen after pass-bet as "1pb", our situations as "Qpb".
    return ActionTable(
        {
            Card(int(key[0])).letter + key[1:]: {MOVES[action]: p for action, p in row}
            for key, row in table.items()
        }
    )
