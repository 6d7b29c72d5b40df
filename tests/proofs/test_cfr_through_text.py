"""An equilibrium by OpenSpiel's CFR earns in text exactly what it earns in integers.

Episode by episode: the same seed deals the same cards, the policy draws its move by the same
number, and only the way in and out differs: an index here, a prompt and a reply there.
"""

from __future__ import annotations

import re
from math import sqrt
from random import Random

import numpy as np
import pettingzoo
import pytest

from sepo_envs.exact import GameTree
from sepo_envs.exact.equilibria import cfr
from sepo_envs.games.kuhn_poker.rules import MOVES, KuhnPoker

EPISODES = 3_000
TREE = GameTree(KuhnPoker())
CARDS = {"Jack": "J", "Queen": "Q", "King": "K"}
LINES = {
    "You act first.": "",
    "Your opponent checks.": "p",
    "Your opponent bets.": "b",
}
NAMES = {"check": MOVES[0], "fold": MOVES[0], "bet": MOVES[1], "call": MOVES[1]}


@pytest.fixture(scope="module")
def policy():
    return cfr(KuhnPoker())


def draw(policy, situation: str, rng: Random):
    bet = policy[situation][MOVES[1]]
    return MOVES[rng.random() < bet]


def situation_in(messages: list[dict[str, str]]) -> str:
    """The situation, from what has been read and replied in this hand and nothing else."""
    chat = "\n".join(message["content"] for message in messages)
    card = CARDS[re.search(r"You are dealt the (\w+)\.", chat)[1]]
    if len(messages) > 1:
        return card + "pb"
    return card + next(line for told, line in LINES.items() if told in chat)


def situation_of(observation: np.ndarray) -> str:
    """The situation, from the features alone."""
    features = dict(zip(TREE.game.feature_names, observation.tolist(), strict=True))
    card = next(letter for name, letter in CARDS.items() if features[f"I hold the {name}"])
    line = ""
    for number in (1, 2):
        for move in MOVES:
            line += move[0] * int(features[f"move {number} was {move}"])
    return card + line


def play_in_integers(policy, seed: int) -> tuple[dict[str, float], list]:
    table = pettingzoo.make("aec", "sepo/kuhn_poker-v0")
    table.reset(seed=seed)
    rng = Random(seed)
    for _ in table.agent_iter():
        seen, _reward, over, _truncated, info = table.last()
        if over:
            break
        table.step(MOVES.index(draw(policy, situation_of(seen["observation"]), rng)))
    return info["returns"], list(table.unwrapped.episode.entries)


def play_in_text(policy, seed: int) -> tuple[dict[str, float], list]:
    table = pettingzoo.make("aec", "sepo/kuhn_poker_text-v0")
    table.reset(seed=seed)
    rng = Random(seed)
    for _ in table.agent_iter():
        seen, _reward, over, _truncated, info = table.last()
        if over:
            break
        move = draw(policy, situation_in(info["messages"]), rng)
        offered = re.findall(r"\[(\w+)\]", seen["text"].splitlines()[-1])
        table.step(f"I drew it. [{next(name for name in offered if NAMES[name] == move)}]")
    return info["returns"], list(table.unwrapped.episode.entries)


@pytest.mark.slow
def test_cfr_earns_through_text_what_it_earns_through_integers(policy):
    """Every episode alike, and their mean is the value that the tree gives, which is Kuhn's."""
    points = []
    for seed in range(EPISODES):
        integers, entries = play_in_integers(policy, seed)
        assert play_in_text(policy, seed) == (integers, entries)
        points.append(integers["player_0"])
    exactly = TREE.returns(policy)[0]
    assert exactly == pytest.approx(-1 / 18, abs=1e-3)
    assert abs(np.mean(points) - exactly) <= 3 * np.std(points) / sqrt(EPISODES)
