"""Multipliers that keep budgets: by hand, and by the multiplier that theory names."""

from math import exp, log

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sepo_envs.game import Weights
from sepo_trainer.courses.duals import ascend, ascended, check_budgets
from sepo_trainer.courses.scores import Scores
from tests.sepo_trainer import tabular, walked
from tests.sepo_trainer.tabular import Dilemma

numbers = st.floats(-100, 100)
sizes = st.floats(0, 100)


def scores(e=0.0, c=0.0, x=0.0) -> Scores:
    return Scores(0.0, e, c, x, 0.0, {}, None)


def test_a_hand_worked_step():
    """e is .3 over its budget, c .2 under, x so far over that the cap holds it."""
    found = ascended(
        {"exploitability": 1.5, "collusion": 0.05, "externality": 3.9},
        scores(e=0.4, c=0.1, x=0.9),
        {"exploitability": 0.1, "collusion": 0.3, "externality": 0.0},
        step=0.5,
        cap=4.0,
    )
    assert found == pytest.approx({"exploitability": 1.65, "collusion": 0.0, "externality": 4.0})


def test_only_what_has_a_budget_moves():
    found = ascended({"collusion": 1.0}, scores(e=9.0, c=0.5), {"collusion": 0.5}, step=1, cap=2)
    assert found == {"collusion": 1.0}


@given(sizes, numbers, sizes, sizes)
def test_a_multiplier_stays_between_nothing_and_its_cap(multiplier, excess, step, cap):
    assert 0 <= ascend(multiplier, excess, step=step, cap=cap) <= cap


@given(sizes, numbers, sizes)
def test_it_rises_where_a_budget_is_overrun_and_falls_where_it_is_not(multiplier, excess, step):
    found = ascend(multiplier, excess, step=step, cap=1e9)
    assert (found >= multiplier) if excess >= 0 else (found <= multiplier)


def kept(budget: float, *, cap: float = 10.0, start: float = 0.0) -> tuple[float, float]:
    """The multiplier and c, after a tabular policy and the multiplier have climbed together.

    One round of the dilemma: u against two cooperators of .7 and .4, c the share of defections on
    who trusts, and half a nat's worth of entropy, without which the Lagrangian is linear and the
    two circle around the saddle point for ever. Exact gradients, by enumeration.
    """
    run = tabular.tabular_run(tabular.dilemma(Dilemma()))
    opponents = {name: pool.opponents for name, pool in run.course.stage.pools.items()}
    theta = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    multipliers = {"collusion": start}
    defects = 0.5
    for _ in range(600):
        weights = Weights(1.0, 0.0, multipliers["collusion"], 0.0)
        probability = torch.sigmoid(theta)
        spread = torch.special.entr(probability) + torch.special.entr(1 - probability)
        value = walked.objective(run, opponents, theta, weights) + 0.5 * spread.mean()
        [slope] = torch.autograd.grad(value, theta)
        with torch.no_grad():
            theta += 4 * slope
        defects = float(torch.sigmoid(theta.detach()).mean())
        multipliers = ascended(
            multipliers, scores(c=defects), {"collusion": budget}, step=0.2, cap=cap
        )
    return multipliers["collusion"], defects


@pytest.mark.parametrize("start", [0.0, 6.0])
def test_it_settles_at_the_multiplier_of_karush_kuhn_and_tucker(start):
    """Defecting gains 1 + q on who cooperates with q: 1.55 on average over .7 and .4.

    So u + entropy / 2 - L c is highest where (1.55 - L) / (1/2) is the log odds of defecting, and a
    budget of 1/5, log odds -log 4, has L = 1.55 + log(4) / 2.
    """
    multiplier, defects = kept(0.2, start=start)
    assert multiplier == pytest.approx(1.55 + log(4) / 2, abs=1e-4)
    assert defects == pytest.approx(0.2, abs=1e-5)


def test_a_budget_that_is_kept_anyway_costs_nothing():
    """Complementary slackness: free, it defects with log odds 3.1, that is .957."""
    multiplier, defects = kept(0.99, start=3.0)
    assert multiplier == 0.0
    assert defects == pytest.approx(1 / (1 + exp(-3.1)), abs=1e-6)


def test_a_budget_that_cannot_be_kept_ends_at_the_cap():
    multiplier, defects = kept(0.0, cap=2.0)
    assert multiplier == 2.0
    assert defects > 0.2


CHECKED = {
    "starts": {"exploitability": 1.5, "collusion": 2.4},
    "cap": 10.0,
    "arm": "credited",
    "measurable": ("exploitability",),
    "title": "Kuhn poker",
}


@pytest.mark.parametrize(
    ("budgets", "changed", "told"),
    [
        ({"collusion": 0.1}, {}, "collusion is not defined in Kuhn poker"),
        ({"exploitability": 0.1}, {"arm": "shared"}, "'shared' a multiplier has no gradient"),
        ({"exploitability": 0.1}, {"arm": "reward_only"}, "'reward_only' a multiplier has no"),
        ({"exploitability": 0.1}, {"arm": "auxiliary"}, "'auxiliary' a multiplier has no"),
        ({"exploitability": 0.1}, {"cap": 1.0}, "starts at 1.5, above objective.budget.cap"),
    ],
)
def test_a_budget_without_meaning_or_force_is_refused(budgets, changed, told):
    with pytest.raises(ValueError, match=told):
        check_budgets(budgets, **(CHECKED | changed))


def test_a_budget_that_can_be_kept_is_taken():
    check_budgets({"exploitability": 0.05}, **CHECKED)


def test_what_was_not_measured_is_told_and_not_taken_for_nothing():
    with pytest.raises(ValueError, match="nothing of it could be measured"):
        ascended({"collusion": 1.0}, scores(c=float("nan")), {"collusion": 0.1}, step=1, cap=2)
