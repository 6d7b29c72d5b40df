"""What a game tree is made of: whose turn it is in a state, and the edges of one depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sepo_envs.game import Game, Move, State


@dataclass(frozen=True, slots=True)
class Level:
    """All edges from nodes of one depth: ``(edges,)`` arrays."""

    parent: NDArray[np.int64]
    child: NDArray[np.int64]
    information_set: NDArray[np.int64]
    """Row of the policy array, or -1 at a chance node."""
    move: NDArray[np.int64]
    chance: NDArray[np.float64]
    """The outcome's probability at a chance node, else 1."""


class Turn:
    """A state in which chance or some seats act, the seats one after the other."""

    __slots__ = ("_asked", "actors", "game", "state")

    def __init__(self, game: Game, state: State) -> None:
        self.game, self.state, self.actors = game, state, game.actors(state)
        self._asked: list[tuple[str, tuple[Move, ...]]] = []

    def asked(self, place: int) -> tuple[str, tuple[Move, ...]]:
        """The situation and the legal moves of the ``place``-th actor: the same for every move
        that waits, so found once."""
        if place == len(self._asked):
            actor = self.actors[place]
            self._asked.append(
                (
                    self.game.observe(self.state, actor).situation,
                    self.game.legal_moves(self.state, actor),
                )
            )
        return self._asked[place]

    def play(self, pending: tuple[Move, ...], move: Move) -> tuple[Turn, tuple[Move, ...]]:
        """The turn after the next actor's move, and the moves that wait in it."""
        made = (*pending, move)
        if len(made) < len(self.actors):
            return self, made
        after = self.game.play(self.state, dict(zip(self.actors, made, strict=True)))
        return Turn(self.game, after), ()
