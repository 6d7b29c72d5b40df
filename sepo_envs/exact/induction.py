"""Equilibria of a repeated stage: its pure ones, and subgame-perfect play by backward induction.

>>> from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
>>> game = PrisonersDilemma(rounds=2)
>>> pure_equilibria(game)
((<Move.DEFECT: 'defect'>, <Move.DEFECT: 'defect'>),)
>>> {row[game.moves[1]] for row in subgame_perfect(game).rows.values()}
{1.0}
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from sepo_envs.exact.action_table import ActionTable
from sepo_envs.exact.repeated import stage_of
from sepo_envs.game import Move, RepeatedGame

Floats = NDArray[np.float64]


def pure_equilibria(game: RepeatedGame) -> tuple[tuple[Move, Move], ...]:
    """Every pair of moves of one round from which neither seat gains by moving otherwise.

    >>> from sepo_envs.games.split_negotiation.rules import SplitNegotiation
    >>> pure_equilibria(SplitNegotiation(pie=4))
    ((1, 3), (2, 2), (3, 1))
    """
    first, second = np.moveaxis(np.array(stage_of(game).points, dtype=float), 2, 0)
    stable = (first == first.max(0)) & (second == second.max(1, keepdims=True))
    return tuple((game.moves[mine], game.moves[theirs]) for mine, theirs in np.argwhere(stable))


def subgame_perfect(game: RepeatedGame) -> ActionTable:
    """The only subgame-perfect equilibrium, mixed ones included, if dominance finds it.

    From the last round back: after each history a round is the stage with the value of what follows
    added to its points, and moves that are strictly dominated go until none is. Where one pair of
    moves is left, no other equilibrium of that subgame exists.

    Raises:
        ValueError: somewhere more than one pair is left, or the game is no repeated stage.
    """
    stage = stage_of(game)
    points = np.moveaxis(np.array(stage.points, dtype=float), 2, 0)
    moves, pairs = game.moves, tuple(product(game.moves, repeat=2))
    pure = [{move: float(move is only) for move in moves} for only in moves]
    ahead = np.zeros((2, len(pairs) ** game.rounds))
    rows = {}
    for length in reversed(range(game.rounds)):
        following = ahead.reshape(2, -1, len(moves), len(moves))
        worth = points[:, None] + stage.continuation * following
        left = _undominated(worth)
        if not (left.sum(2) == 1).all():
            raise ValueError(
                f"dominance leaves several moves in round {length + 1} of {game.name}, so this "
                "does not find its subgame-perfect equilibria. See pure_equilibria for one round."
            )
        chosen = left.argmax(2)
        ahead = worth[:, np.arange(worth.shape[1]), chosen[0], chosen[1]]
        for history, played in enumerate(product(pairs, repeat=length)):
            state = game.after(played)
            for seat in (0, 1):
                rows[game.observe(state, seat).situation] = pure[chosen[seat, history]]
    return ActionTable(rows)


def _undominated(worth: Floats) -> NDArray[np.bool_]:
    """``(seats, histories, moves)``: what is left of each seat's moves.

    Args:
        worth: ``(seats, histories, seat 0's moves, seat 1's moves)``.
    """
    own_first = np.stack([worth[0], worth[1].transpose(0, 2, 1)])  # (seat, history, own, other's)
    gain = own_first[:, :, :, None] - own_first[:, :, None]  # of the first own move over the second
    left = np.ones(own_first.shape[:3], dtype=bool)
    while True:
        possible = left[::-1, :, None, None]  # the other's moves
        better = np.where(possible, gain > 0, True).all(-1) & left[:, :, :, None]
        fewer = left & ~better.any(2)
        if (fewer == left).all():
            return left
        left = fewer
