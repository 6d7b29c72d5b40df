"""What the split negotiation tells a model, and which replies it takes for a demand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.game import FORFEIT, Unreadable
from sepo_envs.games.split_negotiation.rules import SplitNegotiation, State
from sepo_envs.games.split_negotiation.words import SplitNegotiationWords

GAME = SplitNegotiation()
WORDS = SplitNegotiationWords(GAME)


@pytest.mark.parametrize(
    ("reply", "demand"),
    [
        ("[5]", 5),
        ("[ 7 ].", 7),
        ("10 - 4 leaves 6. [6]", 6),
        ("They took [all] of it, so **[1]**\n", 1),
        ("[5] it is: [5]!", 5),
    ],
)
def test_one_legal_bracketed_number_at_the_end_is_the_demand(reply, demand):
    assert WORDS.parse(reply, GAME.start(), 0) == demand


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("I demand 5.", "no move in square brackets"),
        ("[five]", "no move in square brackets"),
        ("[4.5]", "no move in square brackets"),
        ("[5,5]", "no move in square brackets"),
        ("[0]", "[0] is not legal here; the legal moves are [1] to [9]"),
        ("[10]", "[10] is not legal here"),
        ("[-5]", "[-5] is not legal here"),
        ("[05]", "[05] is not legal here"),
        ("[5] or [6]", "names 2 different moves, [5] and [6]"),
        ("[5] for me and 5 for them", "goes on after [5]"),
    ],
)
def test_anything_else_is_unreadable_and_says_why(reply, reason):
    answer = WORDS.parse(reply, GAME.start(), 0)
    assert isinstance(answer, Unreadable)
    assert reason in answer.reason


@given(st.text())
def test_no_reply_crashes_the_parser(reply):
    answer = WORDS.parse(reply, GAME.start(), 0)
    assert answer in GAME.moves or len(answer.reason) < 200


@pytest.mark.parametrize("demand", GAME.moves)
def test_what_say_writes_parse_reads_back(demand):
    assert WORDS.parse(WORDS.say(demand, GAME.start(), 0), GAME.start(), 0) == demand


@pytest.mark.parametrize(
    ("demands", "told"),
    [
        (
            (6, 4),
            "you demanded 6 and your opponent demanded 4. You get 6 and your opponent gets 4.",
        ),
        ((6, 5), "That is more than 10, so there is no deal."),
        ((0, 5), "you made no readable demand and your opponent demanded 5. You get 0"),
        ((5, 0), "your opponent made no readable demand. You get 5 and your opponent gets 0."),
        ((0, 0), "your opponent made no readable demand. There is no deal."),
    ],
)
def test_the_news_tells_both_demands_of_the_last_round_and_what_they_paid(demands, told):
    news = WORDS.news(State((demands,)), 0)
    assert told in news
    assert news.endswith("Round 2 of 4.")


def test_each_seat_reads_the_round_from_its_own_side():
    state = State(((6, 4),))
    assert "you demanded 6 and your opponent demanded 4" in WORDS.news(state, 0)
    assert "you demanded 4 and your opponent demanded 6" in WORDS.news(state, 1)
    assert WORDS.rules(0) == WORDS.rules(1)


def test_other_sizes_and_horizons_are_told_as_they_are():
    words = SplitNegotiationWords(SplitNegotiation(rounds=1, pie=4))
    assert "a pie of 4 points. There is one round." in words.rules(0)
    assert "from 1 to 3" in words.rules(0)
    assert words.ask(State(), 0).endswith("in square brackets, from [1] to [3].")
    assert words.thoughts(State(), 0)[0] == "This is the last round."


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3))
def test_the_thoughts_are_true_and_name_no_move_to_make(history):
    for seat in (0, 1):
        for thought in WORDS.thoughts(State(tuple(history)), seat):
            assert "[" not in thought
            assert WORDS.parse(f"{thought} [3]", State(tuple(history)), seat) == 3


def test_a_spectator_reads_one_line_a_round():
    state = GAME.play(State(((6, 4),)), {0: 9, 1: FORFEIT})
    assert WORDS.show(state).splitlines()[1] == (
        "round 2: player_0 demands 9, player_1 demands 0: a deal -> player_0 +9, player_1 +0"
    )
    assert WORDS.show(State()) == "nothing demanded yet"
