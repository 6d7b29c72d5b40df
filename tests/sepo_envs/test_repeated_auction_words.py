"""What the repeated auction tells a model, and which replies it takes for a bid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.game import CHANCE, Unreadable
from sepo_envs.games.repeated_auction.rules import RepeatedAuction, Round, State
from sepo_envs.games.repeated_auction.words import RepeatedAuctionWords

WORDS = RepeatedAuctionWords(RepeatedAuction())
THREE = RepeatedAuctionWords(RepeatedAuction(bidders=3))
OPENING = State(round=Round((4, 2)))


def after(values, bids, winner) -> State:
    """Round 2, after a first round that went like this; both values are 2 now."""
    return State((Round(values, bids, winner),), Round((2,) * len(values)))


@pytest.mark.parametrize(
    ("reply", "bid"),
    [
        ("[2]", 2),
        ("[ 2 ]", 2),
        ("**[1]**\n", 1),
        ("4 minus 1 leaves 3, so [3].", 3),
        ("[bet] is no word here. [1]", 1),
        ("[2] it is: [2]!", 2),
        ("<think>They bid 3, [sic].</think>[1]", 1),
    ],
)
def test_one_legal_bracketed_number_at_the_end_is_the_bid(reply, bid):
    assert WORDS.parse(reply, OPENING, 0) == bid


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("I bid 2.", "no move in square brackets"),
        ("[two]", "no move in square brackets"),
        ("[1,2]", "no move in square brackets"),
        ("[2.5]", "no move in square brackets"),
        ("[0]", "[0] is not legal here; the legal moves are [1], [2] or [3]"),
        ("[4]", "[4] is not legal here"),
        ("[-1]", "[-1] is not legal here"),
        ("[02]", "[02] is not legal here"),
        ("Not [3]! [2]", "names 2 different moves, [3] and [2]"),
        ("[2] of my 4", "goes on after [2]"),
    ],
)
def test_anything_else_is_unreadable_and_says_why(reply, reason):
    answer = WORDS.parse(reply, OPENING, 0)
    assert isinstance(answer, Unreadable)
    assert reason in answer.reason


@given(st.text())
def test_no_reply_crashes_the_parser(reply):
    assert WORDS.parse(reply, OPENING, 0) in (1, 2, 3) or WORDS.parse(reply, OPENING, 0).reason


def test_what_say_writes_parse_reads_back():
    for bid in WORDS.game.bids:
        assert WORDS.parse(WORDS.say(bid, OPENING, 0), OPENING, 0) == bid


@pytest.mark.parametrize(
    ("words", "state", "seat", "outcome"),
    [
        (
            WORDS,
            after((4, 2), (2, 1), 0),
            0,
            "you bid 2 and your opponent bid 1. You won, paid 2 and earned 2.",
        ),
        (
            WORDS,
            after((4, 2), (2, 1), 0),
            1,
            "you bid 1 and your opponent bid 2. Your opponent won and paid 2.",
        ),
        (
            WORDS,
            after((4, 2), (1, 3), 1),
            1,
            "you bid 3 and your opponent bid 1. You won, paid 3 and earned -1.",
        ),
        (
            WORDS,
            after((4, 2), (None, None), None),
            1,
            "you made no bid and your opponent made no bid. Nobody won.",
        ),
        (
            THREE,
            after((4, 2, 2), (2, 1, None), 0),
            1,
            "you bid 1, bidder 1 bid 2 and bidder 3 made no bid. Bidder 1 won and paid 2.",
        ),
    ],
)
def test_the_news_is_how_the_last_round_went_and_what_the_item_is_worth_now(
    words, state, seat, outcome
):
    now = "Round 2 of 6. The item is worth 2 to you."
    assert words.news(state, seat) == f"Last round {outcome}\n{now}"


def test_at_first_the_news_is_the_value():
    assert WORDS.news(OPENING, 1) == "Round 1 of 6. The item is worth 2 to you."


def test_thoughts_fit_any_bid():
    state = after((4, 2), (2, None), 0)
    assert WORDS.thoughts(state, 0) == (
        "The item is worth 2 to me.",
        "Round 2 of 6, last round my opponent bid nothing, and my value is 2:",
    )
    assert WORDS.thoughts(OPENING, 0)[1] == "Round 1 of 6, and my value is 4:"
    crowd = after((4, 2, 2), (2, 1, None), 0)
    assert "the others bid 2 and 1," not in THREE.thoughts(crowd, 0)[1]
    assert "the others bid 1," in THREE.thoughts(crowd, 0)[1]


def test_the_rules_tell_the_options():
    game = RepeatedAuction(rounds=1, bidders=4, values=(5,), bids=(0, 2), floor_losses=True)
    told = RepeatedAuctionWords(game).rules(2)
    for piece in (
        "against 3 opponents: 1 round, one item each. You are bidder 3.",
        "the item is worth 5 points to you. Every opponent's value",
        "You all bid 0 or 2",
        "never less than 0",
    ):
        assert piece in told
    assert "which may be a loss" in WORDS.rules(0)


def test_the_whole_match_is_one_conversation():
    assert WORDS.conversation(OPENING) == WORDS.conversation(after((4, 2), (2, 1), 0))


def test_a_spectator_sees_the_values_as_they_are_drawn():
    game = WORDS.game
    dealt = game.play(game.start(), {CHANCE: 4})
    assert WORDS.show(game.start()) == "round 1: not dealt yet"
    assert WORDS.show(dealt) == "round 1: player_0 worth 4"
    tied = State(round=Round((4, 2), (2, 2)))
    assert WORDS.show(tied) == "round 1: player_0 worth 4 bids 2, player_1 worth 2 bids 2"
