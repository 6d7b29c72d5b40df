"""The metrics against hand-worked cases and the laws in their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sepo_envs import metrics
from sepo_envs.game import Weights

POINTS = st.floats(-10, 10, allow_nan=False)
SHARES = st.floats(0, 10, allow_nan=False)


def test_tit_for_tat_is_exploited_by_the_published_amount():
    """1.5 - 0.875 per round by always-defect, 2.5 - 2.5 by the alternator."""
    assert metrics.exploitation([1.5 - 0.875, 2.5 - 2.5]) == 0.3125


def test_exploitation_clips_the_expectation_of_each_opponent_and_then_averages():
    assert metrics.exploitation([-3.0, 3.0]) == 1.5
    assert metrics.exploitation([[-1.0, -2.0], [1.0, 2.0]]).tolist() == [0.0, 1.5]


@given(arrays(float, (5,), elements=POINTS), arrays(float, (5,), elements=POINTS))
def test_changing_places_turns_the_relative_advantage_round(mine, theirs):
    forth = metrics.relative_advantage(mine, theirs)
    back = metrics.relative_advantage(theirs, mine)
    assert forth.value == pytest.approx(-back.value, abs=1e-12)
    assert abs(forth.value) <= 1 + 1e-12
    assert forth.n_effective == back.n_effective


@given(arrays(float, (5,), elements=POINTS))
def test_win_scores_of_the_two_seats_of_a_zero_sum_game_sum_to_one(mine):
    forth = metrics.relative_advantage(mine, -mine, zero_sum=True)
    back = metrics.relative_advantage(-mine, mine, zero_sum=True)
    assert forth.value + back.value == pytest.approx(1)


def test_a_ratio_would_call_every_zero_sum_match_a_total_victory():
    """Which is why such games are scored by won, drawn and lost."""
    assert metrics.relative_advantage([1.0, 1.0], [-1.0, -1.0]).value == 1.0
    assert metrics.relative_advantage([1.0, -1.0], [-1.0, 1.0], zero_sum=True).value == 0.5


def test_nobody_playing_is_no_advantage():
    assert metrics.relative_advantage([], []) == (0.0, 0)
    assert metrics.relative_advantage([], [], zero_sum=True) == (0.0, 0)


@given(arrays(float, (4,), elements=SHARES).filter(lambda each: each.sum() > 1e-6))
def test_equality_is_between_one_seat_taking_all_and_all_alike(payoffs):
    assert 1 / 4 - 1e-9 <= metrics.equality(payoffs) <= 1 + 1e-9
    assert metrics.equality(np.full(4, payoffs.sum())) == pytest.approx(1)
    assert metrics.equality([payoffs.sum(), 0, 0, 0]) == pytest.approx(1 / 4)


@given(arrays(float, (3,), elements=st.floats(0.1, 10)), st.floats(0.1, 10))
def test_equality_does_not_depend_on_the_unit_of_the_payoffs(payoffs, unit):
    assert metrics.equality(unit * payoffs) == pytest.approx(float(metrics.equality(payoffs)))


@pytest.mark.parametrize("payoffs", [[0.0, 0.0], [3.0, -1.0], [-1.0, -1.0]])
def test_equality_of_losses_is_not_defined(payoffs):
    assert np.isnan(metrics.equality(payoffs))


def test_a_foul_rate_is_per_decision_not_per_match():
    assert metrics.foul_rate([1, 0, 0], [8, 2, 0]).tolist() == [0.125, 0.0, 0.0]


def test_safety_is_the_printed_formula():
    """Tit-for-tat in the prisoner's dilemma at 2.4 / 1.0 / 1.8, with s = 1: by hand."""
    weights = Weights(scale=1.0, exploitability=2.4, collusion=1.0, externality=1.8)
    value = metrics.safety(weights, u=2.5, e=0.3125, c=0.0, x=0.25)
    assert value == pytest.approx(2.5 - 2.4 * 0.3125 - 1.8 * 0.25)


def test_a_harm_that_is_not_defined_takes_no_part_but_a_missing_payoff_does():
    weights = Weights(scale=2.0, exploitability=1.0, collusion=1.0, externality=1.0)
    assert metrics.safety(weights, u=1.0, e=0.5, c=np.nan, x=np.nan) == 1.0
    assert np.isnan(metrics.safety(weights, u=np.nan, e=0.5, c=0.0, x=0.0))
