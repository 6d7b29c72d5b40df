"""What keeps pools apart: no opponent of one may play as an opponent of another. Knows no game.

A policy trained on one pool and judged on another would otherwise be judged on what it has met.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from opponents.opponent import Opponent, Pool
from sepo_envs.episode import begin
from sepo_envs.exact.tree import GameTree
from sepo_envs.game import CHANCE, Game, Move

SAME_WITHIN = 1e-9
"""Probabilities closer than this are the same."""


def check_disjoint(pools: Iterable[Pool], game: Game) -> None:
    """Refuse two opponents of different pools that never differ, whoever they meet.

    Opponents that adapt are taken as they meet uniform play. The time grows with the number of
    histories, so give a long game in a shorter version in which all its opponents show themselves.

    Raises:
        ValueError: two opponents of different pools play alike.
    """
    pools = tuple(pools)
    adapts = any(not isinstance(o, Opponent) for pool in pools for o in pool.opponents)
    tree = GameTree(game) if adapts else None
    played = [
        (pool.name, opponent.name, behaviour(opponent, game))
        for pool in pools
        for opponent in (pool.met_by(tree.uniform(), tree=tree) if tree else pool.opponents)
        if isinstance(opponent, Opponent)
    ]
    for (pool, name, mine), (other_pool, other_name, theirs) in combinations(played, 2):
        if pool != other_pool and _alike(mine, theirs):
            raise ValueError(
                f"{name!r} of pool {pool!r} and {other_name!r} of pool {other_pool!r} play alike "
                f"everywhere in {game.name}, so one pool tests what the other trains. "
                "Drop one of them, or change its strategy."
            )


def behaviour(opponent: Opponent, game: Game) -> dict[str, dict[Move, float]]:
    """What ``opponent`` does in each information set that its own play can reach, from every seat.

    Two opponents with the same behaviour cannot be told apart by any play against them; rows that
    their own earlier moves rule out do not count.
    """
    rows: dict[str, dict[Move, float]] = {}
    for seat in range(game.seats):
        waiting = [begin(game)]
        while waiting:
            episode = waiting.pop()
            if episode.actor is None:
                continue
            if episode.actor == CHANCE:
                moves = tuple(outcome for outcome, _ in game.chance_outcomes(episode.state))
            else:
                moves = game.legal_moves(episode.state, episode.actor)
            if episode.actor == seat:
                seen = game.observe(episode.state, seat)
                if seen.infostate not in rows:
                    row = opponent.probabilities(seen, moves)
                    rows[seen.infostate] = {move: p for move, p in row.items() if p > 0}
                moves = tuple(rows[seen.infostate])
            waiting += [episode.play(move) for move in moves]
    return rows


def _alike(
    mine: Mapping[str, Mapping[Move, float]], theirs: Mapping[str, Mapping[Move, float]]
) -> bool:
    return mine.keys() == theirs.keys() and all(
        abs(mine[key].get(move, 0.0) - theirs[key].get(move, 0.0)) < SAME_WITHIN
        for key in mine
        for move in mine[key].keys() | theirs[key].keys()
    )
