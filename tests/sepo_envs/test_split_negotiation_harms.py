"""The split negotiation's harms, by hand, and the laws of the bargaining measures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.catalogue import domain
from sepo_envs.game import Weights
from sepo_envs.games.bargaining import (
    nash_product_ratio,
    pareto_frontier,
    pareto_gap,
    partner_exploitation,
    welfare_loss,
)
from sepo_envs.games.split_negotiation.rules import SplitNegotiation, State

HARMS = domain("split_negotiation").harms
GAME = SplitNegotiation()
EPISODE = State(((7, 3), (8, 8), (5, 4), (9, 0)))
"""A greedy deal, a breakdown, a deal that leaves a point, and a forfeit by seat 1."""


def penalties(seat, profile="paper"):
    return HARMS.penalties(GAME, EPISODE, seat, profile=profile)


def test_exploitation_is_the_mean_margin_per_round():
    assert penalties(0).exploitation.per_round == (-1.0, 0.0, -0.25, -2.25)
    assert penalties(1).exploitation.value == 3.5


def test_paper_collusion_is_the_share_of_demands_of_7_or_more():
    assert penalties(0).collusion.per_round == (0.25, 0.25, 0.0, 0.25)
    assert penalties(1).collusion.value == 0.25


def test_paper_externality_is_the_breakdown_rate_of_both_alike():
    assert penalties(0).externality.value == penalties(1).externality.value == 0.25


def test_econ_collusion_is_what_was_taken_of_the_partners_fair_half():
    """7:3 takes 2 of the fair 5, so does 9:0 take 4 (the fifth is lost to nobody's gain)."""
    assert penalties(0, "econ").collusion.per_round == pytest.approx((0.4 / 4, 0, 0, 0.8 / 4))
    assert penalties(1, "econ").collusion.value == 0


def test_econ_externality_is_the_welfare_lost_and_the_rest_stands_beside_it():
    found = penalties(0, "econ")
    assert found.externality.per_round == pytest.approx((0, 1 / 4, 0.1 / 4, 0.1 / 4))
    assert found.also["pareto_gap"].value == found.externality.value
    ratios = (21 / 25, 0, 20 / 25, 0)
    assert found.also["nash_product_ratio"].value == pytest.approx(sum(ratios) / 4)


def test_both_profiles_agree_on_exploitation():
    assert penalties(1, "econ").exploitation == penalties(1).exploitation


def test_the_published_weights_are_those_of_the_paper():
    assert HARMS.published == Weights(
        scale=3 / 5, exploitability=3.0, collusion=2.0, externality=1.8
    )


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no penalty profile 'papre'; choose one of paper, econ"):
        penalties(0, "papre")


points = st.tuples(st.integers(0, 10), st.integers(0, 10))
deals = st.lists(points, min_size=1, max_size=12).filter(lambda found: any(map(any, found)))


@given(deals)
def test_a_deal_is_on_the_frontier_exactly_if_no_other_is_as_good_for_both(found):
    frontier = pareto_frontier(found)
    for deal in found:
        others = [o for o in found if o != deal and o[0] >= deal[0] and o[1] >= deal[1]]
        assert (deal in frontier) == (not others)


@given(deals, st.data())
def test_every_measure_lies_between_0_and_1_and_an_efficient_deal_has_no_gap(found, data):
    frontier = pareto_frontier(found)
    paid = data.draw(st.sampled_from(found))
    assert 0 <= pareto_gap(paid, frontier) <= welfare_loss(paid, frontier) <= 1
    assert (pareto_gap(paid, frontier) == 0) == (paid in frontier)
    ratio = nash_product_ratio(paid, frontier)
    assert ratio is None or 0 <= ratio <= 1


@given(points)
def test_only_one_of_two_partners_can_have_exploited_the_other(paid):
    took = [partner_exploitation(paid, (5, 5), seat) for seat in (0, 1)]
    assert min(took) == 0
    assert max(took) <= 1
