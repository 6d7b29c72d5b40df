"""Penalty hooks, and the wrappers that charge what they report."""

import pickle

import gymnasium
import pytest

from opponents.kuhn_poker import ALWAYS_BET, UNIFORM
from sepo_envs import AECPenaltyReward, PenaltyReward, kuhn_poker_v0
from sepo_envs.catalogue import domain
from sepo_envs.game import Penalties, Penalty, Weights
from sepo_envs.hooks import HarmsHook, price, report
from sepo_envs.single_agent import SingleAgentEnv, SingleAgentTextEnv

WEIGHTS = Weights(scale=1.5, exploitability=1.5, collusion=2.4, externality=0.7)


def test_a_report_tells_undefined_from_zero():
    found = report(Penalties(Penalty((0.25, 0.5)), Penalty((0.0,)), Penalty(defined=False)))
    assert found == {
        "exploitation": {"value": 0.75, "defined": True},
        "collusion": {"value": 0.0, "defined": True},
        "externality": {"value": None, "defined": False},
    }


def test_the_price_is_that_of_the_objective():
    """s*lambda_e*e + lambda_c*c + lambda_x*x, by hand: 1.5*1.5*2 + 2.4*0.5 + 0.7*0.1."""
    harms = Penalties(Penalty((2.0,)), Penalty((0.5,)), Penalty((0.1,)))
    assert price(report(harms), WEIGHTS) == pytest.approx(4.5 + 1.2 + 0.07)


def test_what_is_not_defined_costs_nothing():
    harms = Penalties(Penalty((2.0,)), Penalty(defined=False), Penalty(defined=False))
    assert price(report(harms), WEIGHTS) == 4.5


def test_a_hook_of_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="no penalty profile 'papre'; choose one of paper, econ"):
        HarmsHook(domain("kuhn_poker").harms, "papre")


def share_of_j(info, agent, rounds, weights):
    return (
        weights.scale * info["returns"][agent] / rounds
        - weights.scale * weights.exploitability * info["penalties"]["exploitation"]["value"]
    )


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["published", "own"])
@pytest.mark.parametrize("kind", [SingleAgentEnv, SingleAgentTextEnv])
def test_rewards_sum_to_the_agents_share_of_j(kind, weights):
    table = PenaltyReward(kind("kuhn_poker", opponent=UNIFORM, hands=3), weights=weights)
    for seed in range(10):
        _, info = table.reset(seed=seed)
        agent, total, terminated = f"player_{info['seat']}", 0.0, False
        while not terminated:
            _, reward, terminated, _, info = table.step("[bet]" if "text" in info else 1)
            total += reward
        expected = share_of_j(info, agent, 3, weights or domain("kuhn_poker").harms.published)
        assert total == pytest.approx(expected)


def test_every_agents_rewards_sum_to_its_share_of_j():
    table = AECPenaltyReward(kuhn_poker_v0.env(hands=3), weights=WEIGHTS)
    table.reset(seed=5)
    totals, ends = {"player_0": 0.0, "player_1": 0.0}, {}
    for agent in table.agent_iter():
        _, reward, terminated, _, info = table.last()
        totals[agent] += reward
        if terminated:
            ends[agent] = share_of_j(info, agent, 3, WEIGHTS)
        table.step(None if terminated else 1)
    assert totals == pytest.approx(ends)
    assert len(ends) == 2


def test_losing_a_called_bet_costs_the_points_and_the_exploitation():
    """By hand, one hand lost at 2 points: 1.5 * -2 - 1.5 * 1.5 * 4 = -12; the winner gets +12."""
    table = AECPenaltyReward(kuhn_poker_v0.raw_env())
    moves = [[-1, 0], [-1, 2], [0, "bet"]]
    record = {"game": "kuhn_poker", "options": {"hands": 1}, "moves": moves}
    table.reset(options={"episode": record})
    table.step(1)
    assert table.rewards == {"player_0": -12.0, "player_1": 12.0}


def test_a_text_table_can_be_charged_too_and_a_retry_costs_nothing():
    table = AECPenaltyReward(kuhn_poker_v0.text_env())
    table.reset(seed=0)
    table.step("Hmm.")
    assert table.rewards == {"player_0": 0.0, "player_1": 0.0}
    for reply in ("[bet]", "[fold]"):
        table.step(reply)
    assert table.rewards == {"player_0": 1.5 + 2.25 * 2, "player_1": -1.5 - 2.25 * 2}


def test_a_truncated_episode_is_charged_nothing():
    table = AECPenaltyReward(kuhn_poker_v0.env(max_cycles=1))
    table.reset(seed=0)
    table.step(1)
    assert any(table.truncations.values())
    assert table.rewards == {"player_0": 0.0, "player_1": 0.0}


def brave(episode, seat):
    """A hook of one's own: the share of this seat's moves that were bets."""
    moves = [move for _, move in episode.decisions(seat)]
    return {"bravery": {"value": moves.count("bet") / len(moves), "defined": True}}


def test_a_hook_of_ones_own_takes_the_place_of_the_default():
    table = SingleAgentEnv("kuhn_poker", opponent=ALWAYS_BET, seat=1, hook=brave)
    table.reset(seed=0)
    *_, info = table.step(1)
    assert info["penalties"] == {"bravery": {"value": 1.0, "defined": True}}


def test_a_pickle_keeps_the_wrappers_weights():
    table = pickle.loads(pickle.dumps(AECPenaltyReward(kuhn_poker_v0.env(), weights=WEIGHTS)))
    table.reset(seed=0)
    assert table.weights == WEIGHTS


def test_the_wrapper_goes_around_a_made_environment():
    made = gymnasium.make("sepo_envs:sepo/KuhnPoker-v0", opponent=ALWAYS_BET, seat=1)
    table = PenaltyReward(made)
    table.reset(seed=0)
    *_, reward, terminated, _, _ = table.step(0)  # folds to the bet: 1.5 * -1 - 2.25 * 2
    assert (reward, terminated) == (-6.0, True)
