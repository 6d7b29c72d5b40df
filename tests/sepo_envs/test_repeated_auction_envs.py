"""The repeated auction at PettingZoo's and Gymnasium's tables, with two bidders and with three."""

from opponents.repeated_auction import ALWAYS_3
from sepo_envs import repeated_auction_v0
from sepo_envs.single_agent import SingleAgentEnv, SingleAgentTextEnv


def test_a_bid_that_waits_changes_nothing_that_the_other_sees():
    table, seen = repeated_auction_v0.raw_env(), []
    for action in range(3):
        table.reset(seed=5)
        table.step(action)
        seen.append(table.observe("player_1")["observation"].tolist())
    assert seen[0] == seen[1] == seen[2]


def test_whoever_is_always_outbid_earns_nothing():
    table = SingleAgentEnv("repeated_auction", opponent=ALWAYS_3, seat=1)
    table.reset(seed=2)
    rewards, terminated = [], False
    while not terminated:
        _, reward, terminated, _, info = table.step(1)  # a bid of 2
        rewards.append(reward)
    assert rewards == [0.0] * 6
    assert info["returns"]["player_1"] == 0.0
    assert info["penalties"]["collusion"]["value"] == 0.0


def test_an_unreadable_reply_is_asked_again_and_then_is_no_bid():
    table = SingleAgentTextEnv("repeated_auction", opponent=ALWAYS_3, seat=0)
    table.reset(seed=2)
    told, *_ = table.step("I bid 2")
    assert "no move in square brackets" in told
    told, *_ = table.step("[9]")
    assert "you made no bid and your opponent bid 3. Your opponent won and paid 3." in told
