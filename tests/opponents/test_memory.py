"""What players are said to forget changes nothing that they do."""

from itertools import product
from random import Random

import pytest

from opponents.kuhn_poker import NASH
from opponents.memory import LIBRARIES, everything, forgetting
from opponents.opponent import Opponent
from sepo_envs.catalogue import CATALOGUE
from sepo_envs.episode import begin

OPTIONS = {
    "kuhn_poker": {"hands": 4},
    "prisoners_dilemma": {"noise": 0.2},
    "repeated_auction": {},
    "split_negotiation": {},
    "item_negotiation": {"worth": "one of each", "redrawn": (1,), "rounds": 5},
}


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_player_does_the_same_once_the_rest_is_forgotten(name):
    """Over matches of drawn moves, for everybody on offer; forgotten step by step or at once."""
    game, library, rng = CATALOGUE[name].make(**OPTIONS[name]), LIBRARIES[name], Random(1984)
    for _ in range(12):
        episode = begin(game).deal(rng)
        held = dict.fromkeys(product(library.module.OPPONENTS.values(), (0, 1)), episode)
        while (actor := episode.actor) is not None:
            legal = game.legal_moves(episode.state, actor)
            for (opponent, seat), forgot in held.items():
                if seat == actor:
                    told, known = (game.observe(e.state, seat) for e in (forgot, episode))
                    assert opponent.probabilities(told, legal) == opponent.probabilities(
                        known, legal
                    )
            after = episode.play(rng.choice(legal)).deal(rng)
            new = [move for _, move in after.entries[len(episode.entries) :]]
            for key, forgot in held.items():
                opponent, seat = key
                for move in new:
                    forgot = forgot.play(move)
                if forgot.actor is not None and not forgot.pending:
                    state = library.forget(forgot.state, 1 - seat, {seat: opponent})
                    assert len(game.payoffs(state)) == len(game.payoffs(forgot.state))
                    at_once = library.forget(after.state, 1 - seat, {seat: opponent})
                    assert state == at_once
                    forgot = type(forgot)(game, state)
                held[key] = forgot
            episode = after


def test_of_a_stranger_nothing_is_forgotten():
    double = Opponent("nash", NASH.policy, NASH.citation + " again")
    assert forgetting("kuhn_poker", [NASH, double]) is everything
    assert forgetting("a game to come", [NASH]) is everything
    assert forgetting("kuhn_poker", [NASH]) is not everything
