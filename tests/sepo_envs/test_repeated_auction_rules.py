"""The repeated auction's rules: who wins and pays what, who knows what, and laws of every match."""

import re
from itertools import product

import pyspiel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import Episode, begin
from sepo_envs.game import CHANCE, FORFEIT
from sepo_envs.games.repeated_auction.rules import (
    PRESETS,
    Observation,
    RepeatedAuction,
    Round,
    Seen,
    State,
)


@st.composite
def matches(draw):
    """A match of two or three bidders on some grid, played anyhow, forfeits included."""
    game = RepeatedAuction(
        rounds=draw(st.integers(1, 3)),
        bidders=draw(st.integers(2, 3)),
        values=draw(st.sampled_from([(2, 4), (3,), (1, 5, 9)])),
        bids=draw(st.sampled_from([(1, 2, 3), (0, 7)])),
        floor_losses=draw(st.booleans()),
    )
    episode = begin(game)
    while episode.actor is not None:
        if episode.actor == CHANCE:
            choices = [outcome for outcome, _ in game.chance_outcomes(episode.state)]
        else:
            choices = [*game.legal_moves(episode.state, episode.actor), FORFEIT]
        episode = episode.play(draw(st.sampled_from(choices)))
    return episode


def bid(values, bids, game=None, winner=None) -> tuple[float, ...]:
    """The payoffs of one round; ``winner`` is what chance says after a tie."""
    game = game or RepeatedAuction(rounds=1)
    state = game.play(State(round=Round(values)), dict(enumerate(bids)))
    if winner is not None:
        state = game.play(state, {CHANCE: winner})
    return game.payoffs(state)[0]


@pytest.mark.parametrize(
    ("values", "bids", "payoffs"),
    [
        ((4, 4), (2, 1), (2, 0)),
        ((4, 2), (1, 2), (0, 0)),
        ((2, 4), (3, 1), (-1, 0)),
        ((4, 4), (FORFEIT, 1), (0, 3)),
        ((2, 4), (3, FORFEIT), (-1, 0)),
        ((4, 4), (FORFEIT, FORFEIT), (0, 0)),
    ],
)
def test_the_highest_bid_wins_and_pays_itself_and_a_forfeit_is_no_bid(values, bids, payoffs):
    assert bid(values, bids) == payoffs


def test_losses_are_floored_only_in_the_paper_preset():
    paper = RepeatedAuction(rounds=1, **PRESETS["paper"])
    assert bid((2, 4), (3, 1), paper) == (0, 0)
    assert bid((4, 2), (3, 1), paper) == (1, 0)
    assert RepeatedAuction(**PRESETS["default"]) == RepeatedAuction()


def test_a_tie_is_broken_evenly_among_the_highest_bids():
    game = RepeatedAuction(rounds=1, bidders=3)
    tied = game.play(State(round=Round((4, 2, 2))), {0: 2, 1: 1, 2: 2})
    assert game.chance_outcomes(tied) == ((0, 0.5), (2, 0.5))
    assert [bid((4, 2, 2), (2, 1, 2), game, winner) for winner in (0, 2)] == [(2, 0, 0), (0, 0, 0)]


def test_a_forfeit_is_no_part_of_a_tie():
    game = RepeatedAuction(rounds=1, bidders=3)
    assert bid((4, 4, 4), (FORFEIT, 1, FORFEIT), game) == (0, 3, 0)


@given(st.data())
def test_a_forfeit_never_earns_more_than_the_lowest_bid(data):
    """Where the lowest bid is below every value; nothing is earned without a bid."""
    values = data.draw(st.tuples(*[st.sampled_from((2, 4))] * 2))
    theirs = data.draw(st.sampled_from((1, 2, 3, FORFEIT)))
    for winner in (0, 1) if theirs == 1 else (None,):
        assert bid(values, (FORFEIT, theirs))[0] == 0 <= bid(values, (1, theirs), None, winner)[0]


def test_values_are_drawn_anew_in_every_round():
    game = RepeatedAuction()
    states = [game.start(), State((Round((2, 2), (1, 2), 1),)), State((), Round((4,)))]
    assert [game.chance_outcomes(state) for state in states] == [((2, 0.5), (4, 0.5))] * 3


@given(matches())
def test_only_the_winner_earns_and_every_round_is_paid(episode):
    game = episode.game
    assert len(episode.state.settled) == game.rounds == len(game.payoffs(episode.state))
    for settled, points in zip(episode.state.settled, game.payoffs(episode.state), strict=True):
        made = [b for b in settled.bids if b is not None]
        assert settled.price == (max(made) if made else None)
        for seat, value in enumerate(settled.values):
            won = game.profit(value, settled.price) if seat == settled.winner else 0
            assert points[seat] == won


@given(matches())
def test_seats_may_be_swapped(episode):
    game, n = episode.game, episode.game.seats

    def turned(settled):
        winner = None if settled.winner is None else n - 1 - settled.winner
        return Round(settled.values[::-1], settled.bids[::-1], winner)

    mirror = State(tuple(map(turned, episode.state.settled)))
    assert game.payoffs(mirror) == tuple(p[::-1] for p in game.payoffs(episode.state))


def test_features_put_the_own_seat_first():
    game = RepeatedAuction()
    state = State((Round((2, 4), (1, 3), 1), Round((2, 2), (None, 3), 1)), Round((4, 2)))
    named = dict(zip(game.feature_names, game.features(state, 1), strict=True))
    assert [key for key, number in named.items() if number == 1] == [
        "my value is 2",
        "I won the last round",
        "I bid 3 in the last round",
        "share of rounds in which I bid 3",
    ]
    assert named["share of rounds settled"] == 1 / 3
    assert named["share of rounds in which bidder 1 after me bid 1"] == 1 / 2


def test_a_seat_sees_bids_and_winners_but_only_its_own_values():
    state = State((Round((2, 4), (1, 3), 1),), Round((4, 2)))
    seen = [RepeatedAuction().observe(state, seat) for seat in (0, 1)]
    assert [look.past[0] for look in seen] == [Seen(2, (1, 3), 1), Seen(4, (1, 3), 1)]
    assert [look.value for look in seen] == [4, 2]
    assert [look.infostate for look in seen] == ["0|2:1,3>1 4", "1|4:1,3>1 2"]


def test_an_infostate_tells_a_forfeit_from_a_bid():
    missing = Observation(1, None, (Seen(2, (None, None), None),), grid=(1, 2, 3))
    assert missing.infostate == missing.situation == "1|2:-,->- ?"


def test_the_infostate_tells_everything_that_a_seat_saw_and_nothing_else():
    """Perfect recall, over every history of two rounds."""
    game, waiting, known = RepeatedAuction(rounds=2), [begin(RepeatedAuction(rounds=2))], {}
    while waiting:
        episode: Episode = waiting.pop()
        if episode.actor is None:
            continue
        moves = [outcome for outcome, _ in game.chance_outcomes(episode.state)]
        if episode.actor != CHANCE:
            seat, state = episode.actor, episode.state
            past = [(r.values[seat], r.bids, r.winner) for r in state.settled]
            saw = (seat, tuple(past), state.round.values[seat])
            assert known.setdefault(game.observe(state, seat).infostate, saw) == saw
            moves = game.legal_moves(state, seat)
        waiting += [episode.play(move) for move in moves]
    assert len(known) == len(set(known.values())) == 2 * (2 + 2 * 12 * 2)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rounds": 0}, "rounds is 0, but an episode has at least 1 round"),
        ({"bidders": 1}, "bidders is 1, but an auction has at least 2 bidders"),
        ({"bidders": "2"}, "bidders is '2', but an auction has at least 2 bidders, and a whole"),
        ({"rounds": None}, "rounds is None, but an episode has at least 1 round, and a whole"),
        ({"floor_losses": "no"}, "floor_losses is 'no', but it is a yes or no: write True or"),
        ({"values": 4}, "values is 4, but a list of whole numbers is wanted, even of one: write"),
        ({"bids": "123"}, "bids is '123', but a list of whole numbers is wanted"),
        ({"bids": (True, 2)}, "bids is (True, 2), but it must list whole numbers"),
        ({"values": (float("nan"),)}, "values is (nan,), but it must list whole numbers"),
        ({"values": ()}, "values is (), but there must be at least 1"),
        ({"values": (4, 2)}, "values is (4, 2), but it must list whole numbers, 1 or more, each"),
        ({"values": (0, 2)}, "1 or more, each once and in increasing order"),
        ({"bids": (1,)}, "bids is (1,), but there must be at least 2"),
        ({"bids": (1, 1)}, "each once and in increasing order"),
        ({"bids": (-1, 1)}, "0 or more"),
        ({"bids": (0.5, 1)}, "whole numbers"),
        ({"bids": (4, 5)}, "bids (4, 5) are all as high as the highest of values (2, 4)"),
    ],
)
def test_impossible_options_are_refused_in_words(options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        RepeatedAuction(**options)


@pytest.mark.parametrize(
    ("state", "moves", "text"),
    [
        (State(), {0: 1, 1: 1}, "it is (-1,)'s turn"),
        (State(), {CHANCE: 3}, "chance cannot bring 3 here, only one of [2, 4]"),
        (State(round=Round((2, 2), (1, 1))), {CHANCE: 2}, "only one of [0, 1]"),
        (State(round=Round((2, 2))), {0: 1}, "it is (0, 1)'s turn"),
        (State(round=Round((2, 2))), {0: 1, 1: 4}, "4 is no legal bid; the bids are 1, 2, 3"),
    ],
)
def test_an_impossible_move_is_refused_in_words(state, moves, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        RepeatedAuction().play(state, moves)


def test_openspiel_agrees_where_a_bid_is_legal_in_both():
    """Its `first_sealed_auction` has values 1..m and lets a bidder bid 0 up to its value - 1."""
    game = RepeatedAuction(rounds=1, values=(1, 2, 3, 4), bids=(0, 1, 2, 3))
    root = pyspiel.load_game("first_sealed_auction(players=2,max_value=4)").new_initial_state()
    compared = 0
    for values in product(game.values, repeat=2):
        theirs, ours = root.clone(), begin(game)
        for value in values:
            assert dict(theirs.chance_outcomes()) == dict(game.chance_outcomes(ours.state))
            theirs.apply_action(value)
            ours = ours.play(value)
        for bids in product(*(range(value) for value in values)):
            after, end = theirs.clone(), ours
            for made in bids:
                assert made in after.legal_actions()
                after.apply_action(made)
                end = end.play(made)
            # OpenSpiel lets chance name a lone winner too
            ties = dict(game.chance_outcomes(end.state))
            assert dict(after.chance_outcomes()) == (ties or {end.state.settled[0].winner: 1.0})
            for winner, _ in after.chance_outcomes():
                our_end = end.play(winner) if ties else end
                assert tuple(after.child(winner).returns()) == our_end.returns
                compared += 1
    assert compared == (1 + 2 + 3 + 4) ** 2 + (16 + 9 + 4 + 1)  # a tie has two ends
