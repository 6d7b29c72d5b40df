"""SB3's PPO on the iterated prisoner's dilemma, whose parallel environment SuperSuit made a vector.

Both seats are one policy that learns from every seat's own points. The only subgame-perfect play of
a dilemma of announced length is to defect throughout, so that is where a learner of its own good
must end.
"""

from __future__ import annotations

import pettingzoo
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.utils import set_random_seed
from supersuit import concat_vec_envs_v1, pettingzoo_env_to_vec_env_v1

import sepo_envs  # noqa: F401  registers the ids

ROUNDS, MATCHES, STEPS = 8, 16, 24_576
COOPERATE, DEFECT = 0, 1


def parallel_table():
    return pettingzoo.make("parallel", "sepo/prisoners_dilemma-v0", rounds=ROUNDS)


def many_tables():
    vector = pettingzoo_env_to_vec_env_v1(parallel_table())
    return concat_vec_envs_v1(vector, MATCHES, num_cpus=0, base_class="stable_baselines3")


def play(learner: PPO, matches: int) -> tuple[float, float]:
    """How often its two seats defect against each other, and what a seat earns per round."""
    defections, points = 0, 0.0
    for seed in range(matches):
        one = parallel_table()
        observations, _ = one.reset(seed=seed)
        while one.agents:
            actions = {
                agent: int(learner.predict(sight)[0]) for agent, sight in observations.items()
            }
            defections += sum(action == DEFECT for action in actions.values())
            observations, rewards, *_ = one.step(actions)
            points += sum(rewards.values())
    moves = 2 * ROUNDS * matches
    return defections / moves, points / moves


@pytest.mark.slow
def test_ppo_learns_to_defect_against_itself():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    set_random_seed(0)  # PPO's own `seed` asks the vector for one, which SuperSuit 3.11 has not
    learner = PPO(
        "MultiInputPolicy",
        many_tables(),
        n_steps=2 * ROUNDS,
        batch_size=256,
        n_epochs=6,
        learning_rate=lambda left: 0.01 * left,
        gamma=1.0,
        gae_lambda=1.0,
        policy_kwargs={"net_arch": [32]},
    )
    before, _ = play(learner, 20)
    assert 0.2 < before < 0.8, "what has learned nothing plays both moves"
    learner.learn(STEPS)
    torch.set_num_threads(threads)

    defection, points = play(learner, 50)
    assert defection >= 0.95
    assert points == pytest.approx(1.0, abs=0.1), "P, the payoff of mutual defection"


def test_a_vector_of_supersuit_pays_both_seats_as_our_tables_do():
    """Agent by agent: the cell CD pays 0 and 5, at every table."""
    vector = many_tables()
    sights = vector.reset()
    assert sights["action_mask"].shape == (2 * MATCHES, 2)
    for number in range(ROUNDS):
        _, rewards, over, _ = vector.step([COOPERATE, DEFECT] * MATCHES)
        assert rewards.tolist() == [0.0, 5.0] * MATCHES
        assert over.tolist() == [number == ROUNDS - 1] * (2 * MATCHES)
    vector.close()
