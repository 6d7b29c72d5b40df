"""Opponents computed against a policy's action table: best, averaged best and quantal responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opponents.opponent import Adaptive, Opponent, from_table
from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import Move


def _best(tree: GameTree, table: ActionTable) -> Opponent:
    return from_table(BEST_RESPONSE.name, every_seat(tree, table), BEST_RESPONSE.citation)


BEST_RESPONSE = Adaptive(
    "best-response", _best, "von Neumann and Morgenstern, Theory of Games (1944)"
)
"""The strategy that earns most against the policy it meets, from every seat."""


def quantal_response(temperature: float) -> Adaptive:
    """The best response with a tremble: softmax(payoff / temperature), temperature in points."""
    name = f"quantal-response-{temperature:g}"
    citation = "McKelvey and Palfrey (1995); as opponents, QARL, arXiv 2311.01642"

    def against(tree: GameTree, table: ActionTable) -> Opponent:
        return from_table(name, every_seat(tree, table, temperature=temperature), citation)

    return Adaptive(name, against, citation)


def quantal_equilibrium(
    tree: GameTree, *, temperature: float, rounds: int = 2_000, tolerance: float = 1e-10
) -> ActionTable:
    """The logit equilibrium at ``temperature``: every seat's quantal response to the others.

    Found by damped iteration from uniform play.

    Raises:
        ValueError: the iteration has not settled after ``rounds`` rounds.
    """
    table = tree.uniform()
    for _ in range(rounds):
        response = every_seat(tree, table, temperature=temperature)
        gap = max(
            abs(response[key][move] - p)
            for key, row in table.rows.items()
            for move, p in row.items()
        )
        if gap < tolerance:
            return response
        table = ActionTable(
            {
                key: {move: 0.8 * p + 0.2 * response[key][move] for move, p in row.items()}
                for key, row in table.rows.items()
            }
        )
    raise ValueError(
        f"no quantal equilibrium of {tree.game.name} within {rounds} rounds at temperature "
        f"{temperature}; use a higher temperature or more rounds."
    )


def fictitious_play(tree: GameTree, past: Sequence[ActionTable]) -> ActionTable:
    """The plain average of past best responses, each drawn once per episode (Brown, 1951)."""
    return tree.average(past, [1.0] * len(past))


def every_seat(tree: GameTree, table: ActionTable, *, temperature: float = 0.0) -> ActionTable:
    """One table that holds each seat's response to ``table``; best responses at temperature 0."""
    rows: dict[str, Mapping[Move, float]] = {}
    for seat in range(tree.game.seats):
        response = (
            tree.quantal_response(table, seat, temperature=temperature)
            if temperature
            else tree.best_response(table, seat)
        )
        rows.update(response.table.rows)
    return ActionTable(rows)
