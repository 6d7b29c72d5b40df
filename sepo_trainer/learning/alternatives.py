"""The moves that were not made, as tokens that were not written.

A reply decides on its move in the tokens inside its brackets. Each of them is held against those
legal moves that differ from the one made in it alone: what they would have earned is known
(`sepo_trainer.learning.counterfactual`). Of a move that is one token these are all legal moves. Of
one that is several, what would have been written behind another token is taken to be what was: that
is exact for the last of them, and for the others as far as the policy chooses them one by one.

Knows the game, its words and the renderer; no tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sepo_envs.game import State
from sepo_trainer.learning.counterfactual import Decision, decisions, would_earn
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Rollout, Turn
from sepo_trainer.stage import Stage

Gains = tuple[tuple[float, ...], ...]
"""For each token of a reply, what its turn's choices would have earned in its place, scaled points;
NaN for one that says no legal move there, ``()`` where nothing is decided."""


def gains(
    rollout: Rollout,
    worth: Callable[[State], NDArray[np.float64]],
    *,
    stage: Stage,
    renderer: Renderer,
) -> list[Gains]:
    """Of each turn of ``rollout``. Nothing is known of a turn that led to no move, and of one that
    says its move twice or in other tokens than a bare reply.

    Args:
        worth: what its seat earns in each round of a match that ends so.
    """
    last = {turn.round: turn for turn in rollout.turns}
    made = {each.round: each for each in decisions(rollout.episode, rollout.key.seat)}

    def of_turn(turn: Turn) -> Gains:
        decision = made.get(turn.round) if last[turn.round] is turn else None
        places = decision and _places(decision, turn)
        if not places:
            return ((),) * len(turn.output_ids)
        left = iter(places)
        return tuple(
            _of_choices(next(left), turn) if chosen else ()
            for chosen in renderer.move_tokens(turn.output_ids)
        )

    def _places(decision: Decision, turn: Turn) -> list[dict[int, float]]:
        """For each token of the move, by what could stand there: what that would have earned."""
        seat, state, own = rollout.key.seat, decision.state, decision.moves[rollout.key.seat]
        legal = stage.game.legal_moves(state, seat)
        said = tuple(stage.words.say(move, state, seat) for move in legal)
        answer = renderer.answer(said[legal.index(own)])
        if renderer.text(turn.output_ids).count("[") != 1 or answer != renderer.inside(
            turn.output_ids
        ):
            return []

        def earned(move: Any) -> float:
            return would_earn(move, decision, seat, rollout.episode, worth)

        as_it_was = earned(own)
        places = [{token: as_it_was} for token in answer]
        for number, place, token in renderer.beside(said[legal.index(own)], said):
            places[place][token] = earned(legal[number])
        return places

    return [of_turn(turn) for turn in rollout.turns]


def _of_choices(earned: dict[int, float], turn: Turn) -> tuple[float, ...]:
    if len(earned) < 2:
        return ()  # as a comma, which is all that could stand there
    return tuple(earned.get(choice, nan) for choice in turn.choices)
