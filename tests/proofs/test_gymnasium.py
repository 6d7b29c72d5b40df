"""Every Gymnasium id against Gymnasium's own checks, wrappers and vector environments."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Box, Discrete
from gymnasium.utils.env_checker import check_env, data_equivalence
from gymnasium.wrappers import (
    FilterObservation,
    FlattenObservation,
    PassiveEnvChecker,
    RecordEpisodeStatistics,
    TimeLimit,
)

from sepo_envs import CATALOGUE
from sepo_envs.find_opponent import known_opponents
from sepo_envs.registration import gymnasium_ids
from sepo_envs.text import PRINTABLE

STRUCTURED = [gymnasium_ids(domain)[0] for domain in CATALOGUE.values()]
TEXT = [gymnasium_ids(domain)[1] for domain in CATALOGUE.values()]
OPPONENT = {
    env_id: next((name for name in ("uniform", "random") if name in known), next(iter(known)))
    for domain in CATALOGUE.values()
    for known in [known_opponents(domain.name)]
    for env_id in gymnasium_ids(domain)
}
"""One that mixes, where there is one, so that the opponent's own draws are in every trace."""
UNSHARED = {"shared_memory": False}
"""Gymnasium's shared memory loses text."""


def make(env_id, **options):
    return gymnasium.make(f"sepo_envs:{env_id}", opponent=OPPONENT[env_id], **options)


def reply(actions, number):
    """An action of either kind: legal, legal or not, and in text now and then unreadable."""
    if isinstance(actions, Discrete):
        return number % int(actions.n)
    return ("[1]", "[cooperate]", "[check]", "[bet]", "[0,1,0]", "?")[number % 6]


def play_on(table, number=0):
    """Everything a table answers from a reset to the end of its third episode."""
    trace = [table.reset(seed=9)]
    for _ in range(3):
        over = False
        while not over:
            trace.append(table.step(reply(table.action_space, number)))
            over, number = trace[-1][2] or trace[-1][3], number + 1
        trace.append(table.reset())
    return trace


@pytest.mark.parametrize("seat", [None, 0, 1])
@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_the_checker_of_gymnasium_passes(env_id, seat):
    """It renders in every mode, and warns of whatever it would do otherwise; a warning fails."""
    check_env(make(env_id, seat=seat).unwrapped)


@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_the_passive_checker_finds_no_fault_in_whole_episodes(env_id):
    table = make(env_id)
    assert isinstance(table.env, PassiveEnvChecker), "which gymnasium.make puts there"
    assert len(play_on(table)) > 6


@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_a_spec_that_went_through_json_makes_the_same_environment(env_id):
    made = make(env_id, seat=1)
    again = EnvSpec.from_json(made.spec.to_json())
    assert again == made.spec
    assert data_equivalence(play_on(gymnasium.make(again)), play_on(made), exact=True)


def vector_trace(env_id, mode, **options):
    """40 steps of three tables, over the ends of episodes; an action depends on step and table."""
    tables = gymnasium.make_vec(
        f"sepo_envs:{env_id}", 3, mode, opponent=OPPONENT[env_id], **options
    )
    seen, actions = [tables.reset(seed=9)], tables.single_action_space
    for step in range(40):
        chosen = tuple(reply(actions, 2 * step + number) for number in range(3))
        seen.append(tables.step(np.array(chosen) if isinstance(actions, Discrete) else chosen))
    tables.close()
    return seen


@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_synchronous_and_asynchronous_vector_environments_play_the_same(env_id):
    aside = vector_trace(env_id, "async", vector_kwargs=UNSHARED if env_id in TEXT else None)
    assert data_equivalence(vector_trace(env_id, "sync"), aside, exact=True)


def test_gymnasium_still_loses_text_in_shared_memory():
    """Should this fail, the fix has come upstream: stop telling users of ``vector_kwargs``."""
    texts = [seen for seen, *_ in vector_trace(TEXT[0], "async")]
    lost = {character for row in texts for text in row for character in text}
    assert lost == {PRINTABLE[0]}, "index 0 of the charset, where the prompt should stand"


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_undefined_penalties_survive_vector_environments(mode):
    tables = gymnasium.make_vec(
        "sepo_envs:sepo/KuhnPoker-v0", 2, mode, opponent="always-bet", seat=1
    )
    tables.reset(seed=0)
    *_, infos = tables.step(np.ones(2, int))
    tables.close()
    found = infos["penalties"]
    assert found["exploitation"]["defined"].tolist() == [True, True]
    assert found["collusion"]["value"].tolist() == [None, None]
    assert found["collusion"]["defined"].tolist() == [False, False]
    assert infos["_penalties"].tolist() == [True, True]


@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_recorded_episode_statistics_are_the_agents_points_and_steps(env_id):
    table = RecordEpisodeStatistics(make(env_id))
    table.reset(seed=2)
    steps, over = 0, False
    while not over:
        *_, over, _, info = table.step(reply(table.action_space, steps))
        steps += 1
    assert info["episode"]["l"] == steps
    assert info["episode"]["r"] == pytest.approx(info["returns"][f"player_{info['seat']}"])


@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_a_time_limit_truncates_and_does_not_terminate(env_id):
    longer = {"hands": 6} if "Kuhn" in env_id else {}
    for table in (
        TimeLimit(make(env_id, **longer), 2),
        make(env_id, max_episode_steps=2, **longer),
    ):
        table.reset(seed=2)
        ends = [table.step(reply(table.action_space, number))[2:4] for number in range(2)]
        assert ends == [(False, False), (False, True)]


@pytest.mark.parametrize("env_id", STRUCTURED)
def test_a_flattened_observation_holds_every_feature_and_the_mask(env_id):
    """In the order of the keys; without the mask, what a plain network reads is a Box."""
    table = make(env_id)
    seen, _ = table.reset(seed=3)
    flat, _ = FlattenObservation(make(env_id)).reset(seed=3)
    assert flat.tolist() == [*seen["action_mask"], *seen["observation"]]
    bare = FlattenObservation(FilterObservation(make(env_id), ["observation"]))
    assert bare.reset(seed=3)[0].tolist() == seen["observation"].tolist()
    assert isinstance(bare.observation_space, Box)
