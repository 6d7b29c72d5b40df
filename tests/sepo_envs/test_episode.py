"""An episode is its list of moves: saving, restoring, replaying, and noticing what was changed."""

import json
import re
from copy import deepcopy
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import Entry, Episode, begin, dumps, restore
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.kuhn_poker.rules import Card, KuhnPoker, Move


def played(seed: int, *, hands: int = 2, moves: int = 99) -> Episode:
    """A match with random moves, one in four of them forfeited, cut after ``moves`` entries."""
    rng, episode = Random(seed), begin(KuhnPoker(hands))
    while episode.actor is not None and len(episode.entries) < moves:
        if episode.actor == CHANCE:
            episode = episode.deal(rng)
        else:
            episode = episode.play(rng.choice([*Move, *Move, *Move, FORFEIT, FORFEIT]))
    return episode


@given(seed=st.integers(0, 999), hands=st.integers(1, 3), moves=st.integers(0, 15))
def test_a_saved_episode_restores_to_itself_through_json(seed, hands, moves):
    episode = played(seed, hands=hands, moves=moves)
    assert restore(KuhnPoker(hands), json.loads(dumps(episode))) == episode


def test_the_record_is_readable():
    episode = begin(KuhnPoker())
    for move in (Card.KING, Card.JACK, Move.BET, FORFEIT):
        episode = episode.play(move)
    assert dumps(episode) == (
        '{"game":"kuhn_poker","options":{"hands":1},'
        '"moves":[[-1,2],[-1,0],[0,"bet"],[1,{"forfeit":true}]],"returns":[1.0,-1.0]}'
    )


def test_a_forfeit_survives_json_and_stays_a_foul_of_its_seat():
    episode = begin(KuhnPoker()).play(Card.KING).play(Card.JACK).play(FORFEIT).play(Move.PASS)
    again = restore(KuhnPoker(), json.loads(dumps(episode)))
    assert again.entries[2] == Entry(0, FORFEIT)
    assert again.fouls == (1, 0)


FINISHED = [[-1, 2], [-1, 0], [0, "bet"], [1, "bet"]]


def tampered(**changes):
    record = {"game": "kuhn_poker", "options": {"hands": 1}, "moves": FINISHED}
    return {**deepcopy(record), "returns": [2.0, -2.0], **changes}


def test_the_untampered_record_is_accepted():
    assert restore(KuhnPoker(), tampered()).returns == (2.0, -2.0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"game": "chess"}, "the record is of 'chess', not of 'kuhn_poker'"),
        ({"options": {"hands": 2}}, "played with options {'hands': 2}, but the game has"),
        ({"returns": [3.0, -3.0]}, "claims returns [3.0, -3.0], but its moves give [2.0, -2.0]"),
        ({"moves": FINISHED[:3]}, "the episode is not over"),
        ({"moves": [*FINISHED[:2], [0, "pass"], [1, "pass"]]}, "its moves give [1.0, -1.0]"),
        ({"moves": [*FINISHED[:2], [1, "bet"]]}, "move 2 is by 1, but it is 0's turn"),
        ({"moves": [*FINISHED, [0, "bet"]]}, "move 4 is by 0, but it is None's turn"),
        ({"moves": [[-1, 2], [-1, 2]]}, "2 is no move of kuhn_poker here"),
        ({"moves": [*FINISHED[:2], [0, "raise"]]}, "'raise' is no move of kuhn_poker here"),
    ],
)
def test_a_tampered_record_is_refused_and_the_error_says_where(changes, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        restore(KuhnPoker(), tampered(**changes))


def test_nothing_can_be_played_once_the_episode_is_over():
    with pytest.raises(ValueError, match="the episode is over"):
        played(0).play(Move.BET)


def test_decisions_are_the_states_in_which_a_seat_has_moved():
    episode = begin(KuhnPoker())
    for move in (Card.KING, Card.JACK, Move.PASS, Move.BET, FORFEIT):
        episode = episode.play(move)
    assert [(state.hand.line, move) for state, move in episode.decisions(0)] == [
        ("", Move.PASS),
        ("pb", FORFEIT),
    ]


def test_equal_generators_deal_equal_cards_and_every_deal_occurs():
    def deal(seed):
        return begin(KuhnPoker()).deal(Random(seed)).state.hand.cards

    assert deal(5) == deal(5)
    assert {deal(seed) for seed in range(100)} == {(a, b) for a in Card for b in Card if a != b}
