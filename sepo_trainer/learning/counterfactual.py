"""What the moves that were not made would have earned, in the round in which they were not made.

Where all move at once, what the others do in a round does not hang on one's own move of that round.
So once it is over it is known what every legal move would have earned in it: the round is played
again with that move and the others', and the rest of the match is left as it was. The rules and the
harms are asked; nothing is estimated, and where chance has to act (a tie) its mean is taken.

With it the policy gradient of a round's own reward needs no sampled move: it is the mean over all
of them, ``sum_a pi(a) r(a)``. What a move brings about in later rounds is not known so, and stays
with the one that was made. Together they are still an estimate of dJ/dtheta, with less variance.

Knows rules and numbers: no token, no tensor.

Source: the gradient over all actions, Sutton, Singh and McAllester (2001) and Ciosek and Whiteson,
"Expected policy gradients" (2018); counterfactual credit among agents, Foerster et al. (2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Game, MarkovGame, Move, State

Floats = NDArray[np.float64]


class Choice(NamedTuple):
    """One move of a seat, and what each that it could have made would have earned."""

    state: State
    """In which it was made."""
    round: int
    gains: dict[Move, float]
    """By legal move, in that round; scaled points."""


def choices(episode: Episode, seat: int, worth: Callable[[State], Floats]) -> list[Choice]:
    """The moves of ``seat`` in a finished ``episode`` of a game that `plays_in_rounds`, oldest
    first; its forfeits are none.

    Args:
        worth: what the seat earns in each round of a match that ends so.
    """
    game = episode.game
    assert plays_in_rounds(game)
    past, present = game.past(episode.state), game.present(episode.state)

    def earned(number: int, played: Any) -> float:
        """By the seat in round ``number``, had that gone so and all others as they did."""
        whole = game.rejoin((*past[:number], played, *past[number + 1 :]), present)
        return float(worth(whole)[number])

    found = []
    for state, moves in _turns(episode):
        if moves.get(seat, FORFEIT) is FORFEIT:
            continue
        number, gains = len(game.past(state)), {}
        for move in game.legal_moves(state, seat):
            after = game.play(state, {**moves, seat: move})
            gains[move] = sum(
                chance * earned(number, played) for played, chance in _ends(game, after, number)
            )
        found.append(Choice(state, number, gains))
    return found


def plays_in_rounds(game: Game) -> TypeGuard[MarkovGame]:
    """Whether ``game`` is one of rounds in each of which every seat moves once, and all at once.

    >>> from sepo_envs.catalogue import domain
    >>> [plays_in_rounds(domain(name).make()) for name in ("repeated_auction", "kuhn_poker")]
    [True, False]
    """
    says = {"past", "present", "rejoin"} <= vars(type(game)).keys()
    return says and len(game.actors(begin(game).deal(Random(0)).state)) == game.seats


def _turns(episode: Episode) -> Iterator[tuple[State, dict[int, Move | Forfeit]]]:
    """Each state of ``episode`` that was moved in, and who did what there; chance too."""
    game = episode.game
    state, moves = game.start(), dict[int, Any]()
    for actor, move in episode.entries:
        moves[actor] = move
        if len(moves) == len(game.actors(state)):
            yield state, moves
            state, moves = game.play(state, moves), {}


def _ends(game: MarkovGame, state: State, number: int) -> Iterator[tuple[Any, float]]:
    """How round ``number`` can end from here, chance alone acting, and how likely each end is."""
    past = game.past(state)
    if len(past) > number:
        yield past[number], 1.0
        return
    for outcome, chance in game.chance_outcomes(state):
        for end, further in _ends(game, game.play(state, {CHANCE: outcome}), number):
            yield end, chance * further
