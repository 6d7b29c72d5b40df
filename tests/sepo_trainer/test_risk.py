"""Risk over the train pool: its functionals, and the weights that are their gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sepo_trainer.courses.risk import opponent_weights, value

payoffs = st.lists(st.floats(-5, 5), min_size=1, max_size=6).map(np.array)
risks = st.sampled_from(["mean", "entropic", "variance", "worst_case"])
aversions = st.floats(1e-3, 4)
SMOOTH = ["mean", "entropic", "variance"]


@given(payoffs, risks, aversions)
def test_the_weights_sum_to_one(found, risk, aversion):
    weights = opponent_weights(found, risk, aversion)
    assert weights.shape == found.shape
    assert weights.sum() == pytest.approx(1, abs=1e-9)
    if risk != "variance":
        assert (weights >= 0).all()


@given(payoffs, st.sampled_from(SMOOTH), aversions)
def test_the_weights_are_the_gradient_of_the_value(found, risk, aversion):
    """By central differences, opponent by opponent."""
    weights, step = opponent_weights(found, risk, aversion), 1e-5
    for number, weight in enumerate(weights):
        nudge = step * np.eye(len(found))[number]
        up, down = value(found + nudge, risk, aversion), value(found - nudge, risk, aversion)
        assert (up - down) / (2 * step) == pytest.approx(weight, abs=1e-5)


@given(payoffs, st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_the_weights_of_the_worst_case_are_a_supergradient(found, moved):
    """A minimum is concave, so no payoffs are worth more than the weights promise."""
    other = found + np.array(moved[: len(found)])
    promised = value(found, "worst_case") + opponent_weights(found, "worst_case") @ (other - found)
    assert value(other, "worst_case") <= promised + 1e-9


@given(payoffs)
def test_entropic_risk_runs_from_the_mean_to_the_worst_case(found):
    assert value(found, "entropic", 1e-7) == pytest.approx(found.mean(), abs=1e-4)
    np.testing.assert_allclose(
        opponent_weights(found, "entropic", 1e-7), opponent_weights(found, "mean"), atol=1e-5
    )
    # log(n) / tau is the most that it lies above the worst case.
    worst = value(found, "worst_case")
    assert worst - 1e-9 <= value(found, "entropic", 1e3) <= worst + np.log(len(found)) / 1e3 + 1e-9


def test_a_very_averse_entropic_weight_is_the_worst_cases():
    found = np.array([0.5, -1.0, 2.0])
    assert opponent_weights(found, "entropic", 1e6).tolist() == [0.0, 1.0, 0.0]


@given(payoffs, aversions, aversions)
def test_more_aversion_never_makes_a_pool_worth_more(found, less, more):
    less, more = sorted([less, more])
    for risk in ("entropic", "variance"):
        assert value(found, risk, more) <= value(found, risk, less) + 1e-9


@given(payoffs, risks, aversions, st.floats(-5, 5))
def test_what_all_opponents_pay_more_is_worth_just_that(found, risk, aversion, more):
    """Only differences between opponents are risk."""
    assert value(found + more, risk, aversion) == pytest.approx(
        value(found, risk, aversion) + more, abs=1e-8
    )
    # Rounding may part payoffs that were equal, and with them who shares the worst case.
    if risk != "worst_case":
        np.testing.assert_allclose(
            opponent_weights(found + more, risk, aversion),
            opponent_weights(found, risk, aversion),
            atol=1e-9,
        )


@given(st.floats(-5, 5), risks, aversions)
def test_a_single_opponent_is_no_risk(payoff, risk, aversion):
    found = np.array([payoff])
    assert value(found, risk, aversion) == pytest.approx(payoff)
    assert opponent_weights(found, risk, aversion).tolist() == [1.0]


def test_without_aversion_both_kinds_are_the_mean():
    found = np.array([1.0, 3.0, -1.0])
    for risk in ("entropic", "variance"):
        assert value(found, risk) == pytest.approx(1.0)
        assert opponent_weights(found, risk) == pytest.approx([1 / 3] * 3)


def test_a_variance_averse_weight_can_turn_against_an_opponent_that_pays_too_well():
    """By hand: payoffs 0 and 4, gamma 1: (1 - 2 (4 - 2)) / 2 = -1.5, the known flaw."""
    assert opponent_weights(np.array([0.0, 4.0]), "variance", 1.0).tolist() == [2.5, -1.5]
