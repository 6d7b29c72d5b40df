"""What the item negotiation tells a model, and which replies it takes for a demand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.game import CHANCE, Unreadable
from sepo_envs.games.item_negotiation.rules import PRESETS, ItemNegotiation, Round, State, up_to
from sepo_envs.games.item_negotiation.words import ItemNegotiationWords

GAME = ItemNegotiation()
WORDS = ItemNegotiationWords(GAME)
TABLE, VALUES = (1, 2, 3), ((2, 1, 2), (8, 1, 0))
OPENING = State(TABLE, VALUES)
LIMITS = "[books,hats,balls] with 0 to 1 for books, 0 to 2 for hats and 0 to 3 for balls"


def after(*demands):
    return State(TABLE, VALUES, tuple(Round(pair, VALUES) for pair in demands))


@pytest.mark.parametrize(
    ("reply", "demand"),
    [
        ("[1,0,2]", (1, 0, 2)),
        ("[ 1, 0 , 2 ].", (1, 0, 2)),
        ("The book is worth [8] to them; I take the rest: [0,2,3]", (0, 2, 3)),
        ("In the form [books,hats,balls]: **[0,0,0]**", (0, 0, 0)),
        ("[0,1,3] fits, so [0,1,3]!", (0, 1, 3)),
    ],
)
def test_one_legal_list_of_three_at_the_end_is_the_demand(reply, demand):
    assert WORDS.parse(reply, OPENING, 0) == demand


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("1,0,2", f"no move in square brackets; the legal moves are {LIMITS}"),
        ("[1]", "no move in square brackets"),
        ("[1;0;2]", "no move in square brackets"),
        ("[one,0,2]", "no move in square brackets"),
        ("[1,0]", f"[1,0] is not legal here; the legal moves are {LIMITS}"),
        ("[2,0,0]", "[2,0,0] is not legal here"),
        ("[1,0,2,0]", "[1,0,2,0] is not legal here"),
        ("[-1,0,2]", "[-1,0,2] is not legal here"),
        ("[1,0,2] or [0,1,2]", "names 2 different moves, [1,0,2] and [0,1,2]"),
        ("[1,0,2] and you the rest", "goes on after [1,0,2]"),
    ],
)
def test_anything_else_is_unreadable_and_says_why(reply, reason):
    answer = WORDS.parse(reply, OPENING, 0)
    assert isinstance(answer, Unreadable)
    assert reason in answer.reason


@given(st.text())
def test_no_reply_crashes_the_parser(reply):
    answer = WORDS.parse(reply, OPENING, 0)
    assert answer in GAME.moves or len(answer.reason) < 200


@pytest.mark.parametrize("demand", up_to(TABLE))
def test_what_say_writes_parse_reads_back(demand):
    assert WORDS.parse(WORDS.say(demand, OPENING, 0), OPENING, 0) == demand


def test_the_question_tells_the_form_and_the_limits():
    assert WORDS.ask(OPENING, 0).endswith(f"three numbers in the form {LIMITS}.")


def test_a_seat_is_told_its_own_values_once_and_the_table():
    first, later = WORDS.news(OPENING, 1), WORDS.news(after(((0, 0, 3), (1, 2, 0))), 1)
    assert "On the table: 1 book, 2 hats and 3 balls." in first
    assert "To you one book is worth 8 points, one hat 1 and one ball 0." in first
    assert "worth" not in later


@pytest.mark.parametrize(
    ("demands", "told"),
    [
        (
            ((0, 1, 3), (1, 1, 0)),
            "you demanded 0 books, 1 hat and 3 balls; your opponent 1 book, 1 hat and 0 balls.",
        ),
        (((0, 1, 3), (1, 1, 0)), "That is a deal, and you get 7 points."),
        (((0, 1, 0), (1, 1, 0)), "you get 1 point."),
        (((1, 2, 3), (1, 1, 0)), "There are not enough books and hats, so there is no deal."),
        (((0, 0, 0), (0, 0, 0)), "There is no deal."),
    ],
)
def test_the_news_tells_both_demands_and_what_came_of_them(demands, told):
    news = WORDS.news(after(demands), 0)
    assert told in news
    assert news.endswith("Round 2 of 4.")


def test_values_drawn_anew_are_told_anew_and_only_to_their_seat():
    game = ItemNegotiation(**PRESETS["paper"])
    words = ItemNegotiationWords(game)
    assert "one book, one hat and one ball are worth 10 points in all." in words.rules(0)
    assert "Your opponent's values are drawn anew in every round, yours are not." in words.rules(0)
    assert "Your values are drawn anew in every round" in words.rules(1)
    state = State((1, 2, 3), ((1, 2, 7), (8, 1, 1)))
    state = game.play(state, {0: (0, 0, 0), 1: (1, 0, 0)})
    state = game.play(state, {CHANCE: (0, 0, 10)})
    assert "To you one book is worth 0 points, one hat 0 and one ball 10." in words.news(state, 1)
    assert "worth" not in words.news(state, 0)


@given(st.lists(st.tuples(*[st.sampled_from(up_to(TABLE))] * 2), max_size=3))
def test_a_thought_before_a_move_is_still_one_readable_move(pairs):
    """What the other demanded is quoted in words, never as a second answer."""
    state = after(*pairs)
    for seat in (0, 1):
        for thought in WORDS.thoughts(state, seat):
            assert WORDS.parse(f"{thought} [0,1,3]", state, seat) == (0, 1, 3)


def test_a_spectator_sees_the_items_as_they_are_laid_out():
    laid = State((1, 2, 3))
    assert WORDS.show(State()) == "nothing on the table yet"
    assert WORDS.show(laid).endswith("round 1: no values yet")
    assert WORDS.show(OPENING).endswith("player_0 (values 2,1,2), player_1 (values 8,1,0)")
    assert WORDS.news(laid, 0) == "The items are being laid out."
