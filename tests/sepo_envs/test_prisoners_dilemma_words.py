"""What the prisoner's dilemma tells a model, and which replies it takes for a move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import begin
from sepo_envs.game import FORFEIT, Unreadable
from sepo_envs.games.prisoners_dilemma.rules import MOVES, Luck, PrisonersDilemma
from sepo_envs.games.prisoners_dilemma.words import PrisonersDilemmaWords

C, D = MOVES
F = FORFEIT
GAME = PrisonersDilemma()
WORDS = PrisonersDilemmaWords(GAME)


def told(*moves, seat=0, game=GAME):
    episode = begin(game)
    for move in moves:
        episode = episode.play(move)
    return PrisonersDilemmaWords(game).news(episode.state, seat)


@pytest.mark.parametrize(
    ("reply", "move"),
    [
        ("[cooperate]", C),
        ("[Defect].", D),
        ("I could cooperate, but [ defect ]", D),
        ("They chose [0] before; I stay with [cooperate]!", C),
    ],
)
def test_one_legal_bracketed_word_at_the_end_is_the_move(reply, move):
    assert WORDS.parse(reply, GAME.start(), 0) is move


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("I cooperate.", "no move in square brackets"),
        ("[C]", "[c] is not legal here; the legal moves are [cooperate] or [defect]"),
        ("[cooperate] or [defect]", "names 2 different moves"),
        ("[cooperate], as long as they do", "goes on after [cooperate]"),
    ],
)
def test_anything_else_is_unreadable_and_says_why(reply, reason):
    answer = WORDS.parse(reply, GAME.start(), 0)
    assert isinstance(answer, Unreadable)
    assert reason in answer.reason


@given(st.text())
def test_no_reply_crashes_the_parser(reply):
    answer = WORDS.parse(reply, GAME.start(), 0)
    assert answer in MOVES or len(answer.reason) < 200


@pytest.mark.parametrize("move", MOVES)
def test_what_say_writes_parse_reads_back(move):
    assert WORDS.parse(WORDS.say(move, GAME.start(), 1), GAME.start(), 1) is move


@pytest.mark.parametrize(
    ("moves", "seat", "news"),
    [
        ((), 0, "Round 1 of 8."),
        (
            (C, D),
            0,
            "In round 1 you cooperated and your opponent defected: "
            "you got 0 points, they got 5. Round 2 of 8.",
        ),
        (
            (C, D),
            1,
            "In round 1 you defected and your opponent cooperated: "
            "you got 5 points, they got 0. Round 2 of 8.",
        ),
        (
            (C, C, D, D),
            0,
            "In round 2 you defected and your opponent defected: "
            "you got 1 point, they got 1. Round 3 of 8.",
        ),
        (
            (F, C),
            0,
            "In round 1 you forfeited, which is seen as defecting, and your opponent cooperated: "
            "you got 0 points, they got 5. Round 2 of 8.",
        ),
        (
            (F, C),
            1,
            "In round 1 you cooperated and your opponent forfeited, which is seen as defecting: "
            "you got 5 points, they got 0. Round 2 of 8.",
        ),
    ],
)
def test_the_news_is_the_last_round_and_which_one_it_is_now(moves, seat, news):
    assert told(*moves, seat=seat) == news


def test_a_slip_is_told_to_the_one_who_slipped_only():
    noisy = PrisonersDilemma(noise=0.1)
    moves = (C, C, Luck.SLIP, Luck.AS_MEANT)
    assert "you defected by a slip and your opponent cooperated" in told(*moves, game=noisy)
    assert "your opponent defected:" in told(*moves, seat=1, game=noisy)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "The match lasts exactly 8 rounds."),
        ({"rounds": 1}, "The match lasts exactly 1 round."),
        (
            {"continuation": 0.9},
            "lasts 8 rounds at most: after each it goes on with probability 0.",
        ),
        ({"noise": 0.05}, "With probability 0.05 a choice slips"),
        ({"reward": 3.5}, "If both cooperate, each gets 3.5 points. If both defect, each gets 1 p"),
    ],
)
def test_the_rules_tell_the_horizon_and_the_payoffs(options, text):
    assert text in PrisonersDilemmaWords(PrisonersDilemma(**options)).rules(0)


def test_an_open_end_is_not_announced_as_a_fixed_one():
    assert told(game=PrisonersDilemma(continuation=0.9)) == "Round 1 of at most 8."


@given(st.lists(st.sampled_from(MOVES), max_size=14).filter(lambda moves: len(moves) % 2 == 0))
def test_thoughts_name_no_move_to_make(moves):
    """They must fit either move, so they tell what was and never what to do."""
    episode = begin(GAME)
    for move in moves:
        episode = episode.play(move)
    for thought in WORDS.thoughts(episode.state, 0):
        assert "[" not in thought
        assert "I " not in thought


def test_thoughts_are_true():
    episode = begin(GAME)
    for move in (C, D, C, C, D, D):
        episode = episode.play(move)
    assert WORDS.thoughts(episode.state, 0) == (
        "My opponent defected in the last round.",
        "My opponent has cooperated in 1 of 3 rounds, and 5 are left:",
    )


def test_a_match_is_one_conversation():
    assert WORDS.conversation(begin(GAME).play(C).play(D).state) == WORDS.conversation(GAME.start())


def test_a_spectator_sees_slips_and_forfeits():
    game = PrisonersDilemma(noise=0.1)
    episode = begin(game)
    assert PrisonersDilemmaWords(game).show(episode.state) == "round 1: not played yet"
    for move in (C, F, Luck.SLIP):
        episode = episode.play(move)
    shown = PrisonersDilemmaWords(game).show(episode.state)
    assert shown == (
        "round 1: player_0 defect (a slip), player_1 forfeit -> player_0 +5, player_1 +0"
    )
