"""The split negotiation's rules: what each pair of demands pays, its equilibria, and laws."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.episode import begin
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.game import FORFEIT
from sepo_envs.games.split_negotiation.rules import SplitNegotiation, State

GAME = SplitNegotiation()
TREES = {rounds: GameTree(SplitNegotiation(rounds=rounds)) for rounds in (1, 2)}


@st.composite
def episodes(draw):
    """One to four rounds over a pie of 2 to 12, played anyhow, forfeits included."""
    game = SplitNegotiation(rounds=draw(st.integers(1, 4)), pie=draw(st.integers(2, 12)))
    episode = begin(game)
    while episode.actor is not None:
        choices = [*game.legal_moves(episode.state, episode.actor), FORFEIT]
        episode = episode.play(draw(st.sampled_from(choices)))
    return episode


def scripted(tree, choose):
    """The policy that demands ``choose(seat, own demands, the other's demands)``."""

    def row(situation):
        seat, tail = int(situation[0]), situation[2:].split()
        mine, theirs = (
            [int(played.split("-")[position]) for played in tail] for position in (0, 1)
        )
        return {move: float(move == choose(seat, mine, theirs)) for move in tree.game.moves}

    return ActionTable({situation: row(situation) for situation in tree.situations})


@pytest.mark.parametrize(
    ("demands", "paid"),
    [
        ((5, 5), (5, 5)),
        ((9, 1), (9, 1)),
        ((3, 4), (3, 4)),
        ((6, 5), (0, 0)),
        ((9, 9), (0, 0)),
        ((FORFEIT, 7), (0, 7)),
        ((9, FORFEIT), (9, 0)),
        ((FORFEIT, FORFEIT), (0, 0)),
    ],
)
def test_demands_that_fit_are_paid_and_a_forfeit_demands_nothing(demands, paid):
    state = GAME.play(GAME.start(), dict(enumerate(demands)))
    assert GAME.payoffs(state) == (paid,)


def test_every_pure_equilibrium_of_one_round_has_demands_that_sum_to_the_pie():
    """All nine, and no other: whoever meets a demand of 9 or less can still have a point.

    So there is no equilibrium without a deal, as (10, 10) would be if all could be demanded.
    """
    tree = TREES[1]
    found = [
        demands
        for demands in product(GAME.moves, repeat=2)
        if tree.nash_conv(scripted(tree, lambda seat, *_, d=demands: d[seat])) == 0
    ]
    assert found == [(demand, 10 - demand) for demand in range(1, 10)]


def test_over_two_rounds_a_threat_can_hold_a_first_round_without_a_deal_in_equilibrium():
    """Why the law above is one of a single round: by hand, leaving (9, 9) wins 1 and then costs 4,
    for who left it is left with 1 of the last pie instead of 5."""

    def choose(seat, mine, theirs):
        if not mine:
            return 9
        if (mine[0] == 9) == (theirs[0] == 9):
            return 5
        return 9 if mine[0] == 9 else 1

    tree = TREES[2]
    threat = scripted(tree, choose)
    assert tree.returns(threat).tolist() == [5, 5]
    assert tree.nash_conv(threat) == 0


def test_two_rounds_have_164_information_sets():
    """By hand: per seat the empty history and the 9 x 9 first rounds."""
    assert len(TREES[2].situations) == 2 * (1 + 81)


@pytest.mark.parametrize("rounds", [1, 2])
def test_uniform_demands_earn_55_27ths_and_leave_25_9ths_to_a_best_reply(rounds):
    """By hand: a demand d fits with probability (10 - d)/9, the sum of d(10 - d) is 165, and
    d(10 - d) is largest at 5."""
    tree = TREES[rounds]
    uniform = tree.uniform()
    assert tree.returns(uniform) == pytest.approx([rounds * 165 / 81] * 2)
    reply = tree.best_response(uniform, 0)
    assert reply.value == pytest.approx(rounds * 25 / 9)
    assert reply.table["0:"][5] == 1
    gain = rounds * (25 / 9 - 165 / 81)
    assert tree.exploitability(uniform) == pytest.approx(gain)


def test_who_always_halves_cannot_be_exploited_and_who_always_demands_6_leaves_8_to_gain():
    """By hand: against two rounds of 6 the best is 4 each, against the 0 that both now get."""
    tree = TREES[2]
    assert tree.nash_conv(scripted(tree, lambda *_: 5)) == 0
    assert tree.nash_conv(scripted(tree, lambda *_: 6)) == 2 * 8


@given(episodes())
def test_a_round_never_pays_more_than_the_pie_in_all_nor_more_than_was_demanded(episode):
    game = episode.game
    for paid, demands in zip(game.payoffs(episode.state), episode.state.history, strict=True):
        assert sum(paid) <= game.pie
        assert all(paid[seat] in (0, demands[seat]) for seat in (0, 1))


@given(episodes())
def test_swapping_seats_swaps_returns_and_what_the_seats_see(episode):
    game, mirror = episode.game, begin(episode.game)
    for first, second in zip(episode.entries[::2], episode.entries[1::2], strict=True):
        mirror = mirror.play(second.move).play(first.move)
    assert mirror.returns == episode.returns[::-1]
    for seat in (0, 1):
        mine, theirs = game.observe(episode.state, seat), game.observe(mirror.state, 1 - seat)
        assert mine.history == theirs.history
        assert game.features(episode.state, seat) == game.features(mirror.state, 1 - seat)


@given(episodes())
def test_a_forfeit_earns_nothing_and_the_other_is_paid_its_own_demand(episode):
    rounds = zip(episode.state.history, episode.game.payoffs(episode.state), strict=True)
    for demands, paid in rounds:
        for seat in (0, 1):
            if demands[seat] == 0:
                assert (paid[seat], paid[1 - seat]) == (0, demands[1 - seat])


def test_every_history_is_an_information_set_of_its_own_for_either_seat():
    game, seen = SplitNegotiation(rounds=3, pie=4), []
    for played in range(3):
        for history in product(product(range(4), repeat=2), repeat=played):
            seen += [game.observe(State(history), seat).infostate for seat in (0, 1)]
    assert len(set(seen)) == len(seen) == 2 * (1 + 16 + 16**2)


@pytest.mark.parametrize(
    ("moves", "text"),
    [
        ({0: 5}, "(0,) demanded, but (0, 1) must"),
        ({0: 5, 1: 10}, "10 is no demand; demands are 1 to 9"),
        ({0: 0, 1: 5}, "0 is no demand; demands are 1 to 9"),
    ],
)
def test_an_impossible_demand_is_refused_in_words(moves, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        GAME.play(GAME.start(), moves)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rounds": 0}, "at least 1 round"),
        ({"rounds": "4"}, "rounds is '4', but a negotiation has at least 1 round, and a whole"),
        ({"pie": 1}, "pie is 1, but a pie has at least 2 points, 10 as a rule"),
        ({"pie": 10.0}, "pie is 10.0, but a pie has at least 2 points, 10 as a rule, and a whole"),
    ],
)
def test_impossible_options_are_refused_in_words(options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        SplitNegotiation(**options)
