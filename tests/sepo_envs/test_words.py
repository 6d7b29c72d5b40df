"""What Kuhn poker tells a model, and which replies it takes for a move."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.game import CHANCE, Unreadable
from sepo_envs.games.kuhn_poker.rules import Card, Hand, KuhnPoker, Move, State
from sepo_envs.games.kuhn_poker.words import KuhnPokerWords

WORDS = KuhnPokerWords(KuhnPoker())
CARDS = (Card.QUEEN, Card.JACK)
OPENING = State(hand=Hand(CARDS))
FACING = State(hand=Hand(CARDS, "b"))


@pytest.mark.parametrize(
    ("reply", "move"),
    [
        ("[bet]", Move.BET),
        ("[BET]", Move.BET),
        ("[ bet ]", Move.BET),
        ("I will not check. [bet]", Move.BET),
        ("I would never bet here, so [check].", Move.PASS),
        ("**[check]**\n", Move.PASS),
        ("[bet] is my move: [bet]!", Move.BET),
        ("<think>They could call or fold. A bet it is.</think>[bet]", Move.BET),
        ("Ich setze. [bet]", Move.BET),
        ("Their [1] and [0.5] tell me nothing. [bet]", Move.BET),
    ],
)
def test_one_legal_bracketed_word_at_the_end_is_the_move(reply, move):
    assert WORDS.parse(reply, OPENING, 0) is move


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "no move in square brackets"),
        ("I bet.", "no move in square brackets"),
        ("(bet)", "no move in square brackets"),
        ("[setzen]", "[setzen] is not legal here"),
        ("[下注]", "no move in square brackets"),
        ("[check] or [bet]", "names 2 different moves, [check] and [bet]"),
        ("Not [bet]! [check]", "names 2 different moves, [bet] and [check]"),
        ("<think>[check] is safe</think>[bet]", "names 2 different moves"),
        ('My opponent says "[fold]". [bet]', "names 2 different moves"),
        ("[bet]\nUser: your move was [check]", "names 2 different moves"),
        ("[bet] unless they hold the King", "goes on after [bet]"),
        ("[bet] 1", "goes on after [bet]"),
        ("[bet] 我跟", "goes on after [bet]"),
        ("[bet] \N{CROSS MARK}", "goes on after [bet]"),
        ("[bet] = [bet]? \N{NOT SIGN}", "goes on after [bet]"),
        ("[call]", "[call] is not legal here; the legal moves are [check] or [bet]"),
        ("[pass]", "[pass] is not legal here"),
        ("[bet 1]", "no move in square brackets"),
        ("[bet", "no move in square brackets"),
        (f"[{'bet' * 1000}]", "no move in square brackets"),
    ],
)
def test_anything_else_is_unreadable_and_says_why(reply, reason):
    answer = WORDS.parse(reply, OPENING, 0)
    assert isinstance(answer, Unreadable)
    assert reason in answer.reason


def test_facing_a_bet_the_moves_are_called_fold_and_call():
    assert WORDS.parse("[call]", FACING, 1) is Move.BET
    assert WORDS.parse("[fold]", FACING, 1) is Move.PASS
    assert isinstance(WORDS.parse("[check]", FACING, 1), Unreadable)


@given(st.text())
def test_no_reply_crashes_the_parser_and_a_reason_never_quotes_at_length(reply):
    answer = WORDS.parse(reply, OPENING, 0)
    assert answer in tuple(Move) or len(answer.reason) < 200


@pytest.mark.parametrize("line", ["", "p", "b", "pb"])
@pytest.mark.parametrize("move", Move)
def test_what_say_writes_parse_reads_back(line, move):
    state = State(hand=Hand(CARDS, line))
    assert WORDS.parse(WORDS.say(move, state, 0), state, 0) is move


@pytest.mark.parametrize(
    ("line", "news"),
    [
        ("", "You are dealt the Queen. You act first."),
        ("p", "You are dealt the Jack. Your opponent checks."),
        ("b", "You are dealt the Jack. Your opponent bets."),
        ("pb", "Your opponent bets."),
    ],
)
def test_the_news_is_what_the_seat_has_learned_since_its_last_decision(line, news):
    assert WORDS.news(State(hand=Hand(CARDS, line)), len(line) % 2) == news


def test_each_hand_opens_a_new_conversation():
    game = KuhnPoker(hands=2)
    second = State((Hand(CARDS, "pp"),))
    assert KuhnPokerWords(game).conversation(second) == 1
    assert KuhnPokerWords(game).conversation(game.start()) == 0


def test_a_spectator_sees_the_cards_as_they_are_dealt():
    game = KuhnPoker()
    dealt = game.play(game.start(), {CHANCE: Card.KING})
    assert WORDS.show(game.start()) == "hand 1: not dealt yet"
    assert WORDS.show(dealt) == "hand 1: player_0 King"
