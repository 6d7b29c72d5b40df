"""What each round of an episode is credited with, by hand in the prisoner's dilemma.

R, S, T, P = 3, 0, 5, 1; weights 1, 2.4, 1, 1.8 (published).
"""

from dataclasses import replace

import pytest

from sepo_envs.catalogue import domain
from sepo_envs.episode import Episode, begin
from sepo_envs.games.prisoners_dilemma.rules import Luck, Move, PrisonersDilemma
from sepo_trainer.learning.credit import credit
from sepo_trainer.records import Group, GroupKey, Rollout

HARMS = domain("prisoners_dilemma").harms
MOVES = {"C": Move.COOPERATE, "D": Move.DEFECT}


def match(words: str, *, rounds: int) -> Episode:
    """Seat 0's letters first; a match of fewer words than rounds is ended by chance."""
    episode = begin(PrisonersDilemma(rounds=rounds, continuation=0.5))
    for number, (mine, theirs) in enumerate(words.split(), 1):
        episode = episode.play(MOVES[mine]).play(MOVES[theirs])
        if number < rounds:
            episode = episode.play(Luck.GO_ON if number < len(words.split()) else Luck.STOP)
    assert episode.actor is None
    return episode


def credited(pool: str, words: str, *, rounds: int, gate: float = 1.0, arm="credited"):
    """What one episode of the policy in seat 0 earns in each round."""
    key = GroupKey("prisoners_dilemma", pool, "o", 0, 0)
    other = replace(Group(key, (), 1.0), key=key._replace(pool="train", opponent="p"))
    group = Group(key, (Rollout(key, 0, match(words, rounds=rounds), ()),), 1.0)
    groups = [group] if pool == "train" else [group, replace(other, rollouts=group.rollouts)]
    [first, *_] = credit(
        groups,
        arm=arm,
        weights=HARMS.published,
        harms=HARMS,
        gates={"o": gate},
        emphasis={},
        foul_penalty=0.5,
    )
    return first.rewards[0].tolist()


def test_a_train_episode_earns_its_payoffs_less_the_waste_of_each_round():
    """CD pays 0 and wastes 1/6; DC pays 5 and wastes 1/6; two rounds, so half of each counts."""
    expected = [(0 - 1.8 / 6) / 2, (5 - 1.8 / 6) / 2]
    assert credited("train", "CD DC", rounds=2) == pytest.approx(expected)


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_an_exploit_episode_bears_the_margin_where_its_gate_is_open(gate):
    """The margin is 5 in a round of CD, whose waste of 1/6 counts by half: one pool of two."""
    waste = 0.5 * 1.8 / 6
    expected = [(-2.4 * gate * 5 - waste) / 2, (2.4 * gate * 5 - waste) / 2]
    assert credited("exploit", "CD DC", rounds=2, gate=gate) == pytest.approx(expected)


def test_a_collusive_episode_bears_the_betrayals_of_each_round():
    assert credited("collusive", "CC DC", rounds=2) == pytest.approx([0.0, -0.5])


@pytest.mark.parametrize("words", ["DC", "DC CC"])
def test_rounds_that_chance_left_unplayed_bring_nothing(words):
    """Payoffs are per round of the rules; the harms' shares are of the rounds that were played."""
    played = words.count("C ") + 1
    paid = [5 / 3, 3 / 3, 0.0] if played == 2 else [5 / 3, 0.0, 0.0]
    waste = [1.8 / 6 / played, 0.0, 0.0]
    expected = [mine - lost for mine, lost in zip(paid, waste, strict=True)]
    assert credited("train", words, rounds=3) == pytest.approx(expected)


def test_without_penalties_an_episode_earns_its_payoffs():
    assert credited("train", "CD DC", rounds=2, arm="reward_only") == pytest.approx([0.0, 2.5])
