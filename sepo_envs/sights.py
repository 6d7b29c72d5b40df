"""What agents meet on a board: observations, legal actions, points and ends as arrays.

A colleague of `sepo_envs.vector`, which plays; this only looks.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sepo_envs.aec import GameEnv, seen
from sepo_envs.batch import OVER, UNKNOWN, Board, room, written
from sepo_envs.episode import Episode, out_of_cycles
from sepo_envs.game import CHANCE

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]


class Sights:
    """What an agent in some seat meets at some node of the board, each worked out once.

    Rows of these arrays stand for one node and seat: the ``features`` and the ``mask`` that the
    agent sees, each action's ``slot`` among the node's moves, the ``points`` that each of the
    ``settled`` rounds paid, and whether the episode is ``terminated`` or ``truncated``.
    """

    def __init__(self, table: GameEnv, board: Board) -> None:
        game = table.game
        self.table, self.board = table, board
        self.features = np.empty((0, len(game.feature_names)), np.float32)
        self.mask = np.empty((0, len(game.moves)), np.int8)
        self.slot = np.empty((0, len(game.moves)), np.int64)
        self.forfeit = np.empty(0, np.int64)
        self.points = np.empty((0, game.rounds), np.float64)
        self.settled = np.empty(0, np.int64)
        self.terminated = np.empty(0, np.bool_)
        self.truncated = np.empty(0, np.bool_)
        self._rows: list[tuple[int, int]] = []
        self._row = np.empty(0, np.int64)
        self._cut = np.empty(0, np.int8)
        self._told: dict[int, dict[str, Any]] = {}

    def of(self, node: Ints, seat: Ints) -> Ints:
        """The row of each node and seat."""
        seats = self.table.game.seats
        self._row = room(self._row, len(self.board) * seats, UNKNOWN)
        place = node * seats + seat
        for new in np.unique(place[self._row[place] == UNKNOWN]).tolist():
            self._row[new] = self._look(*divmod(new, seats))
        rows: Ints = self._row[place]
        return rows

    def ended(self, node: Ints) -> Bools:
        """Whether the episode is over at each node."""
        over: Bools = self.board.actors(node) == OVER
        if self.table.max_cycles is None:
            return over
        self._cut = room(self._cut, len(self.board), UNKNOWN)
        for new in np.unique(node[self._cut[node] == UNKNOWN]).tolist():
            self._cut[new] = self._out_of_cycles(self.board.episode(new))
        cut: Bools = self._cut[node] == 1
        return over | cut

    def told(self, row: int) -> dict[str, Any]:
        """What the info of a finished episode has besides; made anew only once."""
        if row not in self._told:
            node, seat = self._rows[row]
            episode = self.board.episode(node)
            agents = self.table.possible_agents
            told: dict[str, Any] = {
                "returns": dict(zip(agents, episode.returns, strict=True)),
                "fouls": dict(zip(agents, episode.fouls, strict=True)),
            }
            if self.terminated[row]:
                told["penalties"] = self.table.hook(episode, seat)
            self._told[row] = told
        return self._told[row]

    def _out_of_cycles(self, episode: Episode) -> bool:
        seated = episode.actor not in (None, CHANCE)
        return seated and out_of_cycles(episode, self.table.max_cycles)

    def _look(self, node: int, seat: int) -> int:
        game, episode, row = self.table.game, self.board.episode(node), len(self._rows)
        legal = game.legal_moves(episode.state, seat) if episode.actor == seat else ()
        sight = seen(game, game.features(episode.state, seat), legal)
        rounds = [points[seat] for points in game.payoffs(episode.state)]
        slot = {move: number for number, move in enumerate(legal)}
        self.features = written(self.features, row, [sight["observation"]])
        self.mask = written(self.mask, row, [sight["action_mask"]])
        self.slot = written(self.slot, row, [[slot.get(move, len(legal)) for move in game.moves]])
        self.forfeit = written(self.forfeit, row, [len(legal)])
        spare = [0.0] * (game.rounds - len(rounds))
        self.points = written(self.points, row, [[*rounds, *spare]])
        self.settled = written(self.settled, row, [len(rounds)])
        self.terminated = written(self.terminated, row, [episode.actor is None])
        self.truncated = written(self.truncated, row, [self._out_of_cycles(episode)])
        self._rows.append((node, seat))
        return row
