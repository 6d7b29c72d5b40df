"""What the moves that were not made would have earned, in the round in which they were not made.

Where all move at once, what the others do in a round does not hang on one's own move of that round.
So once it is over it is known what every legal move would have earned in it: the round is played
again with that move and the others', and the rest of the match is left as it was. The rules and the
harms are asked; nothing is estimated, and where chance has to act (a tie) its mean is taken.

So the policy gradient of a round's own reward needs no sampled move: that reward is, on average,
``sum_a pi(a) r(a)``. What a move brings about in later rounds is not known so, and stays
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
from sepo_envs.game import CHANCE, FORFEIT, Forfeit, Game, MarkovGame, Move, State, is_markov

Floats = NDArray[np.float64]


class Decision(NamedTuple):
    """A move of one seat, beside those of the others."""

    state: State
    """In which it was made."""
    round: int
    moves: dict[int, Move | Forfeit]
    """By seat; all were made at once."""


def decisions(episode: Episode, seat: int) -> list[Decision]:
    """Those of ``seat`` in an ``episode`` of a game that `plays_in_rounds`, oldest first. Forfeits
    are none."""
    game = episode.game
    assert plays_in_rounds(game)
    found = []
    state, moves = game.start(), dict[int, Any]()
    for actor, move in episode.entries:
        moves[actor] = move
        if len(moves) == len(game.actors(state)):
            if moves.get(seat, FORFEIT) is not FORFEIT:
                found.append(Decision(state, len(game.past(state)), moves))
            state, moves = game.play(state, moves), {}
    return found


def would_earn(
    move: Move, decision: Decision, seat: int, episode: Episode, worth: Callable[[State], Floats]
) -> float:
    """What ``seat`` would have earned in the round of a ``decision`` with this ``move``.

    Args:
        episode: a finished one, of which the other rounds are left as they were.
        worth: what the seat earns in each round of a match that ends so.
    """
    game, number = episode.game, decision.round
    assert is_markov(game)
    past, present = game.past(episode.state), game.present(episode.state)
    after = game.play(decision.state, {**decision.moves, seat: move})
    earned = 0.0
    for played, chance in _ends(game, after, number):
        whole = game.rejoin((*past[:number], played, *past[number + 1 :]), present)
        earned += chance * float(worth(whole)[number])
    return earned


def plays_in_rounds(game: Game) -> TypeGuard[MarkovGame]:
    """Whether ``game`` is one of rounds in each of which every seat moves once, and all at once.

    >>> from sepo_envs.catalogue import domain
    >>> [plays_in_rounds(domain(name).make()) for name in ("repeated_auction", "kuhn_poker")]
    [True, False]
    """
    return is_markov(game) and len(game.actors(begin(game).deal(Random(0)).state)) == game.seats


def _ends(game: MarkovGame, state: State, number: int) -> Iterator[tuple[Any, float]]:
    """How round ``number`` can end from here, chance alone acting, and how likely each end is."""
    past = game.past(state)
    if len(past) > number:
        yield past[number], 1.0
        return
    for outcome, chance in game.chance_outcomes(state):
        for end, further in _ends(game, game.play(state, {CHANCE: outcome}), number):
            yield end, chance * further
