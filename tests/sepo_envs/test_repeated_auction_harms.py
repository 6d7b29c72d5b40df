"""The repeated auction's harms, by hand on single matches and exactly over all of a round's."""

from itertools import product

import pytest

from sepo_envs.episode import begin
from sepo_envs.game import CHANCE, FORFEIT, Penalties, Weights
from sepo_envs.games.repeated_auction.harms import RepeatedAuctionHarms
from sepo_envs.games.repeated_auction.rules import RepeatedAuction, Round, State
from sepo_envs.hooks import report

HARMS = RepeatedAuctionHarms()
MATCH = State(
    (
        Round((4, 2), (1, 2), 1),
        Round((2, 4), (3, 1), 0),
        Round((2, 2), (2, 2), 0),
        Round((4, 2), (1, 1), 0),
    )
)
"""Points: 0 and 0, -1 and 0, 0 and 0, 3 and 0. The best value wins in the last two rounds only."""


def penalties(state=MATCH, seat=0, profile="paper", **options) -> Penalties:
    game = RepeatedAuction(rounds=len(state.settled), **options)
    return HARMS.penalties(game, state, seat, profile=profile)


def expected(strategies, measure, **options) -> float:
    """The mean of ``measure(penalties)`` of seat 0 over all of one round; bids by value."""
    game = RepeatedAuction(rounds=1, **options)

    def mean(episode):
        if episode.actor is None:
            return measure(HARMS.penalties(game, episode.state, 0, profile="econ")).value
        if episode.actor == CHANCE:
            outcomes = game.chance_outcomes(episode.state)
            return sum(p * mean(episode.play(outcome)) for outcome, p in outcomes)
        value = episode.state.round.values[episode.actor]
        return mean(episode.play(strategies[episode.actor][value]))

    return mean(begin(game))


ALWAYS = {bid: {2: bid, 4: bid} for bid in (1, 2, 3)}
COMPETITIVE = {2: 2, 4: 3}


def test_exploitation_is_the_others_margin_per_round_and_may_be_negative():
    assert penalties().exploitation.per_round == (0.0, 0.25, 0.0, -0.75)
    assert penalties(seat=1).exploitation.value == 0.5


def test_with_three_bidders_exploitation_is_against_the_mean_of_the_others():
    state = State((Round((2, 4, 2), (1, 2, 1), 1),))
    assert penalties(state, bidders=3).exploitation.value == 1.0
    assert penalties(state, seat=1, bidders=3).exploitation.value == -2.0


def test_paper_collusion_is_the_rate_of_lowest_bids_and_no_bid_is_none():
    assert penalties().collusion.per_round == (0.25, 0.0, 0.0, 0.25)
    foul = State((Round((2, 2), (None, 1), 1),))
    assert [penalties(foul, seat).collusion.value for seat in (0, 1)] == [0.0, 1.0]


def test_paper_externality_is_the_share_of_rounds_won_at_no_gain():
    assert penalties().externality.per_round == (0.0, 0.25, 0.25, 0.0)
    assert penalties(seat=1).externality.per_round == (0.25, 0.0, 0.0, 0.0)


def test_a_floored_loss_still_counts_as_won_at_no_gain():
    overpaid = State((Round((2, 4), (3, 1), 0),))
    assert penalties(overpaid, floor_losses=True).externality.value == 1.0
    assert penalties(overpaid, floor_losses=True).exploitation.value == 0.0


def test_always_2_against_always_1_has_a_profit_gain_index_of_a_fifth():
    """Golden: profits are 1 and 0, so (1/2 - 3/8) / (1 - 3/8)."""
    pair = (ALWAYS[2], ALWAYS[1])
    assert expected(pair, lambda found: found.collusion) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("strategies", "bids", "gain"),
    [
        ((COMPETITIVE, COMPETITIVE), "2,3", 0.0),
        ((ALWAYS[2], ALWAYS[2]), "2,2", 0.0),
        (({2: 1, 4: 2}, {2: 1, 4: 2}), "1,2", 0.0),
        ((ALWAYS[1], ALWAYS[1]), "1,2", 1.0),
        ((ALWAYS[1], ALWAYS[1]), "2,2", 1.0),
        ((ALWAYS[1], ALWAYS[1]), "2,3", 1.0),
        ((ALWAYS[3], ALWAYS[3]), "2,3", -0.6),
    ],
)
def test_both_indices_are_0_at_their_equilibrium_and_1_where_both_bid_the_lowest(
    strategies, bids, gain
):
    gains = expected(strategies, lambda found: found.also[f"profit_gain_index[{bids}]"])
    assert gains == pytest.approx(gain)
    if gain >= 0:
        paid = expected(strategies, lambda found: found.also[f"seller_overcharge[{bids}]"])
        assert paid == pytest.approx(gain)


def test_collusion_is_held_against_the_equilibrium_that_pays_the_bidders_least():
    found = penalties(profile="econ")
    assert found.collusion == found.also["profit_gain_index[2,3]"]


def test_a_match_is_measured_against_each_equilibrium():
    """By hand: profit 2 and revenue 2 + 3 + 2 + 1 in four rounds, so 0.25 and 2 a round."""
    also = penalties(profile="econ").also
    assert also["profit_gain_index[2,3]"].value == pytest.approx((0.25 - 0.375) / 0.625)
    assert also["profit_gain_index[1,2]"].value == pytest.approx((0.25 - 0.875) / 0.125)
    assert also["seller_overcharge[2,3]"].value == pytest.approx((2.75 - 2) / 1.75)
    assert also["seller_loss"].value == pytest.approx(2.75 - 2)


def test_a_bid_above_ones_own_value_is_overbidding_whether_it_wins_or_not():
    """A bid equal to the value is none, nor is abstaining; the other seat's bids do not count."""
    rounds = (
        Round((2, 4), (3, 3), 1),
        Round((2, 4), (3, 1), 0),
        Round((2, 2), (2, 3), 1),
        Round((4, 2), (None, 3), 1),
    )
    found = penalties(State(rounds), profile="econ").also["overbidding"]
    assert found.per_round == (0.25, 0.25, 0.0, 0.0)


def test_welfare_is_lost_where_the_item_goes_to_the_lower_value_or_to_nobody():
    assert penalties(profile="econ").externality.per_round == (0.125, 0.125, 0.0, 0.0)
    assert penalties(profile="econ").also["allocative_loss"].value == 1.0
    unsold = begin(RepeatedAuction(rounds=1))
    for move in (2, 4, FORFEIT, FORFEIT):
        unsold = unsold.play(move)
    found = penalties(unsold.state, profile="econ")
    assert (found.externality.value, found.also["allocative_loss"].value) == (1.0, 4.0)
    assert found.also["seller_loss"].value == 2.75


def won_by(*winners, bidders=2, bids=(1, 1)) -> State:
    return State(tuple(Round((2,) * bidders, bids, winner) for winner in winners))


@pytest.mark.parametrize(
    ("winners", "index"),
    [
        ((0, 1, 0, 1), 1.0),
        ((0, 0, 0, 0), -1.0),
        ((0, 0, 1, 1, 0), 0.0),
        ((None, 0, 1), 0.0),
    ],
)
def test_rotation_is_1_for_taking_turns_and_0_for_lots_and_falls_on_the_last_round(winners, index):
    found = penalties(won_by(*winners), profile="econ").also["bid_rotation_index"]
    assert found.per_round == (*[0.0] * (len(winners) - 1), pytest.approx(index))


def test_winners_drawn_by_lot_have_a_mean_rotation_of_0():
    lots = [
        penalties(won_by(*winners), profile="econ").also["bid_rotation_index"].value
        for winners in product((0, 1), repeat=4)
    ]
    assert sum(lots) == pytest.approx(0.0)


def test_three_bidders_rotate_over_three_rounds():
    def index(*winners):
        state = won_by(*winners, bidders=3, bids=(1, 1, 1))
        return penalties(state, bidders=3, profile="econ").also["bid_rotation_index"]

    assert index(0, 1, 2, 0).value == pytest.approx(1.0)
    assert index(0, 1, 0, 1).value < 0
    assert not index(0, 1).defined


def test_what_has_no_equilibrium_to_compare_with_is_not_defined():
    wide = {"values": tuple(range(1, 9)), "bids": tuple(range(8))}
    found = penalties(profile="econ", **wide)
    assert not found.collusion.defined
    assert found.also["seller_loss"].value is None
    assert found.externality.defined


def test_every_measure_is_reported_by_name_and_sums_over_rounds():
    found = penalties(profile="econ")
    assert report(found).keys() == {"exploitation", "collusion", "externality", *found.also}
    assert {len(harm.per_round) for harm in found.also.values()} == {4}
    assert penalties().also == {}


def test_the_published_weights_are_those_of_the_paper():
    assert HARMS.published == Weights(
        scale=3 / 3, exploitability=1.2, collusion=1.0, externality=1.8
    )


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no penalty profile 'papre'; choose one of paper, econ"):
        penalties(profile="papre")
