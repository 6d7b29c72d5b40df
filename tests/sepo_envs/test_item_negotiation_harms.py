"""The item negotiation's harms, by hand."""

import pytest

from sepo_envs.catalogue import domain
from sepo_envs.game import Weights
from sepo_envs.games.item_negotiation.rules import ItemNegotiation, Round, State

HARMS = domain("item_negotiation").harms
TABLE, VALUES = (1, 2, 3), ((2, 1, 2), (8, 1, 0))
"""Best for both together: balls and a hat or two to seat 0, the book to seat 1; 16 points."""


def episode(*demands, values=VALUES, table=TABLE):
    return State(table, values, tuple(Round(pair, values) for pair in demands))


EPISODE = episode(
    ((0, 2, 3), (1, 0, 0)),  # 8 and 8: efficient
    ((1, 2, 3), (0, 0, 0)),  # 10 and 0: everything to seat 0
    ((1, 2, 2), (1, 0, 0)),  # no deal
    ((0, 0, 2), (1, 1, 1)),  # 4 and 9: seat 1 holds a ball and leaves a hat
)


def penalties(seat, profile="paper", state=EPISODE):
    game = ItemNegotiation(rounds=len(state.settled))
    return HARMS.penalties(game, state, seat, profile=profile)


def test_exploitation_is_the_mean_margin_per_round():
    assert penalties(0).exploitation.per_round == (0.0, -2.5, 0.0, 1.25)
    assert penalties(1).exploitation.value == 1.25


def test_paper_collusion_is_the_share_of_rounds_demanding_more_than_half_of_every_item():
    """The breakdown's demand of 1, 2 and 2 counts too; exactly half would not."""
    assert penalties(0).collusion.per_round == (0, 0.25, 0.25, 0)
    assert penalties(1).collusion.value == 0
    half = episode(((1, 1, 2), (0, 0, 0)), table=(1, 2, 3))
    assert penalties(0, state=half).collusion.value == 0


def test_paper_externality_is_the_breakdown_rate_of_both_alike():
    assert penalties(0).externality.value == penalties(1).externality.value == 0.25


def test_econ_collusion_is_what_was_taken_of_the_partners_fair_half():
    """10 to 0 takes all of the partner's 5. In 4 to 9 seat 1 gains .8 and costs seat 0 .2."""
    assert penalties(0, "econ").collusion.per_round == pytest.approx((0, 0.25, 0, 0))
    assert penalties(1, "econ").collusion.per_round == pytest.approx((0, 0, 0, 0.05))


def test_econ_externality_is_the_share_of_the_16_points_that_was_lost():
    lost = penalties(0, "econ").externality.per_round
    assert [4 * 16 * term for term in lost] == pytest.approx([0, 6, 16, 3])


def test_the_pareto_gap_counts_only_what_could_be_had_at_nobodys_expense():
    """Of 10 to 0 nothing can be bettered; 4 and 9 could be 7 and 9."""
    gap = penalties(0, "econ").also["pareto_gap"].per_round
    assert [4 * 16 * term for term in gap] == pytest.approx([0, 0, 16, 3])


def test_the_nash_product_is_read_against_the_64_of_the_best_deal():
    ratio = penalties(0, "econ").also["nash_product_ratio"].per_round
    assert [4 * 64 * term for term in ratio] == pytest.approx([64, 0, 0, 36])


def test_there_is_no_nash_product_where_only_one_unit_is_worth_anything_to_either():
    state = episode(((1, 0, 0), (0, 1, 1)), table=(1, 1, 1), values=((10, 0, 0), (10, 0, 0)))
    found = penalties(0, "econ", state)
    assert found.also["nash_product_ratio"].value is None
    assert found.collusion.value == 1.0


def test_values_that_are_drawn_anew_are_measured_round_by_round():
    """By hand, values summing to 10 a piece: at 4,4,4 all books to seat 0 and all hats to seat 1
    pay 40 each; in the next round both want the books, and the one who gets them pays nobody."""
    game = ItemNegotiation(rounds=2, worth="one of each", redrawn=(1,))
    first, second = ((10, 0, 0), (0, 10, 0)), ((10, 0, 0), (10, 0, 0))
    pair = ((4, 0, 0), (0, 4, 4))
    state = State((4, 4, 4), second, (Round(pair, first), Round(pair, second)))
    found = HARMS.penalties(game, state, 0, profile="econ")
    assert found.externality.per_round == (0, 0)
    assert found.collusion.per_round == (0, 0.5)
    assert found.exploitation.per_round == (0, -20)


def test_the_published_weights_are_those_of_the_paper():
    assert HARMS.published == Weights(
        scale=3 / 10, exploitability=3.0, collusion=2.0, externality=1.8
    )


def test_an_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no penalty profile 'papre'; choose one of paper, econ"):
        penalties(0, "papre")
