"""The split negotiation at PettingZoo's and Gymnasium's tables."""

import pytest

from opponents.split_negotiation import HARDBALL, YIELDER
from sepo_envs import split_negotiation_v0
from sepo_envs.single_agent import SingleAgentEnv, SingleAgentTextEnv


def test_a_demand_that_waits_changes_nothing_that_the_other_sees():
    table, seen = split_negotiation_v0.raw_env(), []
    for action in range(9):
        table.reset(seed=5)
        table.step(action)
        seen.append(table.observe("player_1")["observation"].tolist())
    assert all(other == seen[0] for other in seen)


def test_who_yields_to_hardball_is_exploited_of_six_points_a_round():
    table = SingleAgentEnv("split_negotiation", opponent=HARDBALL, seat=1)
    table.reset(seed=2)
    for _ in range(4):
        _, reward, terminated, _, info = table.step(1)  # a demand of 2
        assert reward == 2
    assert terminated
    assert info["penalties"]["exploitation"]["value"] == 6


def test_econ_reports_further_measures_beside_the_three():
    table = SingleAgentEnv("split_negotiation", opponent=YIELDER, seat=0, profile="econ")
    table.reset(seed=2)
    for _ in range(4):
        *_, info = table.step(8)  # a demand of 9
    found = {name: told["value"] for name, told in info["penalties"].items()}
    # A breakdown (9 and 4), then three times 9 to 1.
    assert found["collusion"] == pytest.approx(3 * 0.8 / 4)
    assert found["externality"] == found["pareto_gap"] == pytest.approx(1 / 4)
    assert found["nash_product_ratio"] == pytest.approx(3 * 9 / 25 / 4)


def test_an_unreadable_reply_is_asked_again_and_then_demands_nothing():
    table = SingleAgentTextEnv("split_negotiation", opponent=HARDBALL, seat=0)
    table.reset(seed=2)
    told, *_ = table.step("I demand 5")
    assert "no move in square brackets" in told
    told, reward, _, _, info = table.step("[10]")
    assert "you made no readable demand and your opponent demanded 8. You get 0" in told
    assert reward == 0
    assert "[10] is not legal here" in info["foul"]
