"""A learner of somebody else's finds what our exact solver says there is to find, and no more.

sb3-contrib's MaskablePPO plays one hand of Kuhn poker after another against each fixed opponent in
each seat, by our Gymnasium id. Its policy is then read out in every situation and its value worked
out exactly, and it plays hands that are counted.
"""

from __future__ import annotations

from math import sqrt

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import DummyVecEnv

from opponents.kuhn_poker import OPPONENTS
from sepo_envs.aec import seen
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.kuhn_poker.rules import MOVES, KuhnPoker

TREE = GameTree(KuhnPoker())
TABLES, STEPS, HANDS = 64, 10_240, 8_000
SHORT = 0.05
"""Points per hand that a trained policy may fall short of the best response."""


def tables(opponent: str, seat: int) -> DummyVecEnv:
    def make():
        return gymnasium.make("sepo_envs:sepo/KuhnPoker-v0", opponent=opponent, seat=seat)

    return DummyVecEnv([make] * TABLES)


def trained(opponent: str, seat: int) -> MaskablePPO:
    """Undiscounted, with whole-episode advantages; a hand has no more than two decisions."""
    learner = MaskablePPO(
        "MultiInputPolicy",
        tables(opponent, seat),
        n_steps=8,
        batch_size=256,
        n_epochs=6,
        learning_rate=lambda left: 0.02 * left,
        clip_range=0.3,
        gamma=1.0,
        gae_lambda=1.0,
        policy_kwargs={"net_arch": [16]},
        seed=0,
    )
    return learner.learn(STEPS)


def action_table(learner: MaskablePPO, seat: int) -> ActionTable:
    """Its move probabilities in each situation of its seat."""
    mine = [situation for situation in TREE.situations if TREE.seat(situation) == seat]
    game = TREE.game
    features = [game.features(TREE.example(situation).state, seat) for situation in mine]
    sights = [seen(game, numbers, MOVES) for numbers in features]
    batch = {key: torch.as_tensor(np.stack([sight[key] for sight in sights])) for key in sights[0]}
    with torch.no_grad():
        found = learner.policy.get_distribution(batch, action_masks=batch["action_mask"].numpy())
    rows = [dict(zip(MOVES, row, strict=True)) for row in found.distribution.probs.tolist()]
    return ActionTable(dict(zip(mine, rows, strict=True)))


def points_of_hands(learner: MaskablePPO) -> np.ndarray:
    """The agent's points in `HANDS` hands, as Gymnasium's tables pay them out."""
    table, points = learner.get_env(), []
    table.seed(1)
    observations = table.reset()
    while len(points) < HANDS:
        masks = observations["action_mask"].astype(bool)
        actions, _ = learner.predict(observations, action_masks=masks)
        observations, rewards, over, _ = table.step(actions)
        points += rewards[over].tolist()
    return np.array(points[:HANDS])


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("name", OPPONENTS)
def test_maskable_ppo_earns_the_best_response_value_and_no_more(name, seat):
    opponent = OPPONENTS[name]
    best = TREE.best_response(opponent, seat).value
    learner = trained(name, seat)

    pair = [opponent, opponent]
    pair[seat] = action_table(learner, seat)
    exactly = TREE.returns(pair)[seat]
    assert best - SHORT <= exactly <= best + 1e-6

    points = points_of_hands(learner)
    error = points.std() / sqrt(HANDS)
    assert best - SHORT <= points.mean() <= best + 3 * error
    assert abs(points.mean() - exactly) <= 3 * error
