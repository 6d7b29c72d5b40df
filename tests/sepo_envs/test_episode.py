"""An episode is its list of moves: saving, restoring, replaying, and noticing what was changed."""

import json
import re
from copy import deepcopy
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import Entry, Episode, begin, dumps, restore, totalled
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
        ({"moves": [[-1, True]]}, "move 0 cannot be played: True is no move"),
        ({"moves": [[-1, 2.0]]}, "move 0 cannot be played: 2.0 is no move"),
        ({"moves": [[-1, {"card": 2}]]}, "{'card': 2} is no move of kuhn_poker here"),
        ({"moves": [[-1, "K" * 10_000]]}, "KKK...KKK"),
        ({"returns": [None, {}]}, "claims returns [None, {}]"),
    ],
)
def test_a_tampered_record_is_refused_and_the_error_says_where(changes, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        restore(KuhnPoker(), tampered(**changes))


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (None, "the record is None, which is no dictionary. A record is what Episode.save()"),
        ([{}], "the record is [{}], which is no dictionary"),
        ("x" * 10_000, "...xx"),
        ({}, "the record has no 'game'"),
        ({"game": "kuhn_poker", "moves": []}, "the record has no 'options'"),
        ({"game": "kuhn_poker", "options": {}}, "the record has no 'moves'"),
        (tampered(game=["kuhn_poker"]), "the record's game is ['kuhn_poker'], not a str"),
        (tampered(options=None), "the record's options is None, not a dict"),
        (tampered(moves={"0": "bet"}), "the record's moves is {'0': 'bet'}, not a list"),
        (tampered(moves=[[-1, 2], None]), 'move 1 is None, but each is a pair like [0, "bet"]'),
        (tampered(moves=[[-1, 2, 0]]), "move 0 is [-1, 2, 0], but each is a pair"),
        (tampered(moves=[[True, 2]]), "move 0 is [True, 2], but each is a pair"),
        (tampered(moves=[["0", "bet"]]), "move 0 is ['0', 'bet'], but each is a pair"),
    ],
)
def test_what_is_no_record_at_all_is_refused_in_a_short_message(record, text):
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        restore(KuhnPoker(), record)
    assert len(str(caught.value)) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.sampled_from(["game", "options", "moves", "returns"]), JSON)
def test_whatever_stands_in_a_record_the_error_is_a_value_error(key, value):
    try:
        restored = restore(KuhnPoker(), tampered(**{key: value}))
    except ValueError:
        return
    assert restored == restore(KuhnPoker(), tampered())


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


def test_points_are_added_as_a_running_total_adds_them_on_every_python():
    """Ten tenths, left to right, are not 1; Python 3.12's ``sum`` says that they are."""
    running = 0.0
    for _ in range(10):
        running += 0.1
    assert totalled([(0.1,)] * 10, 1) == (running,) == (0.9999999999999999,)
