"""Kuhn poker's rules: every line of the table, and laws that hold in every match."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.kuhn_poker.rules import Card, Hand, KuhnPoker, Move, Observation, State

J, Q, K = Card
PASS, BET = Move


@st.composite
def matches(draw):
    """A match of one to four hands, played anyhow, forfeits included."""
    episode = begin(KuhnPoker(hands=draw(st.integers(1, 4))))
    while episode.actor is not None:
        if episode.actor == CHANCE:
            choices = [card for card, _ in episode.game.chance_outcomes(episode.state)]
        else:
            choices = [*episode.game.legal_moves(episode.state, episode.actor), FORFEIT]
        episode = episode.play(draw(st.sampled_from(choices)))
    return episode


def histories(episode: Episode) -> list[Episode]:
    """Every finished episode that can follow."""
    game, actor = episode.game, episode.actor
    if actor is None:
        return [episode]
    moves = [card for card, _ in game.chance_outcomes(episode.state)]
    moves += game.legal_moves(episode.state, actor)
    return [end for move in moves for end in histories(episode.play(move))]


@pytest.mark.parametrize(
    ("line", "with_the_better_card", "with_the_worse_card"),
    [("pp", 1, -1), ("pbp", -1, -1), ("pbb", 2, -2), ("bp", 1, 1), ("bb", 2, -2)],
)
def test_each_line_pays_the_first_mover_as_the_rulebook_says(
    line, with_the_better_card, with_the_worse_card
):
    assert Hand((K, J), line).winnings()[0] == with_the_better_card
    assert Hand((J, K), line).winnings()[0] == with_the_worse_card


def test_a_hand_has_30_terminal_histories():
    assert len(histories(begin(KuhnPoker()))) == 30


def test_uniform_play_earns_the_first_mover_an_eighth_of_a_point():
    """By hand: pp and the two calls cancel over the deals; pbp loses 1 at 1/8, bp wins 1 at 1/4."""

    def value(episode):
        if episode.actor is None:
            return episode.returns[0]
        chances = episode.game.chance_outcomes(episode.state) or ((PASS, 0.5), (BET, 0.5))
        return sum(p * value(episode.play(move)) for move, p in chances)

    assert value(begin(KuhnPoker())) == pytest.approx(1 / 4 - 1 / 8)


@given(matches())
def test_every_hand_is_zero_sum(episode):
    assert all(sum(points) == 0 for points in episode.game.payoffs(episode.state))
    assert len(episode.game.payoffs(episode.state)) == episode.game.hands


@given(matches())
def test_the_first_mover_alternates_and_seat_0_opens(episode):
    opened = []
    for before, entry in zip(states(episode), episode.entries, strict=False):
        if entry.actor != CHANCE and before.hand.line == "":
            opened.append(entry.actor)
    assert opened == [number % 2 for number in range(episode.game.hands)]


def states(episode):
    replay = begin(episode.game)
    for entry in episode.entries:
        yield replay.state
        replay = replay.play(entry.move)


@pytest.mark.parametrize(("line", "after"), [("", "p"), ("p", "pp"), ("b", "bp"), ("pb", "pbp")])
def test_a_forfeit_checks_and_facing_a_bet_folds(line, after):
    state = State(hand=Hand((K, Q), line))
    seat = len(line) % 2
    played = KuhnPoker().play(state, {seat: FORFEIT})
    assert (played.hand.line or played.settled[0].line) == after


@pytest.mark.parametrize("line", ["", "p", "b", "pb"])
@pytest.mark.parametrize("cards", [(a, b) for a in Card for b in Card if a != b])
def test_a_forfeit_never_earns_more_than_the_best_legal_move_at_once(cards, line):
    game, seat = KuhnPoker(), len(line) % 2
    state = State(hand=Hand(cards, line))
    forfeited = game.play(state, {seat: FORFEIT})
    assert forfeited == game.play(state, {seat: PASS})


def test_a_folded_card_stays_unseen_and_a_shown_one_is_seen():
    state = State((Hand((J, Q), "bp"), Hand((K, J), "bb")))
    seen = KuhnPoker(hands=3).observe(state, 0)
    assert seen.settled == ((J, None, "bp"), (J, K, "bb"))


def test_the_situation_is_one_of_twelve_and_the_infostate_remembers_earlier_hands():
    seen = Observation(seat=0, card=Q, line="pb", settled=((J, None, "bp"),))
    assert (seen.situation, seen.infostate) == ("Qpb", "Jbp? Qpb")


@pytest.mark.parametrize(
    ("moves", "text"),
    [
        ({1: PASS}, "it is (0,)'s turn"),
        ({0: PASS, 1: PASS}, "it is (0,)'s turn"),
        ({0: "raise"}, "'raise' is no move of Kuhn poker; the moves are pass and bet"),
    ],
)
def test_an_impossible_move_is_refused_in_words(moves, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        KuhnPoker().play(State(hand=Hand((K, Q))), moves)


def test_a_card_is_dealt_once():
    with pytest.raises(ValueError, match="are already dealt"):
        KuhnPoker().play(State(hand=Hand((K,))), {CHANCE: K})


def test_a_match_without_hands_is_refused():
    with pytest.raises(ValueError, match="hands is 0, but a match has at least 1 hand"):
        KuhnPoker(hands=0)


@pytest.mark.parametrize("hands", [1.5, "six", None])
def test_a_match_has_a_whole_number_of_hands(hands):
    """With 1.5 hands none would ever be the last."""
    with pytest.raises(ValueError, match="a match has at least 1 hand, and a whole number"):
        KuhnPoker(hands=hands)
