"""Every PettingZoo id against PettingZoo's own tests, where every warning is an error.

PettingZoo exempts its own environments from some of its warnings by lists of their names: of an
observation that is a dictionary, and of a mask that is all 0, as that of an agent which may not act
must be. Here our names join those lists, as chess and connect four are on them.
"""

from __future__ import annotations

import pickle
from functools import partial
from importlib import import_module
from inspect import signature
from types import SimpleNamespace

import cloudpickle
import pettingzoo
import pytest
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
    state_test,
)
from pettingzoo.test.state_test import test_parallel_env as check_parallel_state
from pettingzoo.test.state_test import test_state as check_state
from pettingzoo.test.state_test import test_state_space as check_state_space
from pettingzoo.utils.conversions import aec_to_parallel, parallel_to_aec

from sepo_envs import CATALOGUE, AECPenaltyReward
from sepo_envs.games.item_negotiation.rules import PRESETS as ITEM_PRESETS
from sepo_envs.registration import pettingzoo_ids

STRUCTURED = [pettingzoo_ids(domain)[0] for domain in CATALOGUE.values()]
TEXT = [pettingzoo_ids(domain)[1] for domain in CATALOGUE.values()]
PARALLEL = [pettingzoo_ids(domain)[0] for domain in CATALOGUE.values() if domain.simultaneous]

LONG = [
    pettingzoo_ids(domain)[0]
    for domain in CATALOGUE.values()
    if domain.simultaneous and "rounds" in signature(domain.make).parameters
]

NO_TEXT_ACTIONS = (
    "ignore:Action space for each agent probably should be gymnasium.spaces.box:UserWarning"
)
"""`api_test` has no list of exemptions for this one, and an action in text is a string."""
FOULS_ALONE = "ignore:State numpy array is all zeros:UserWarning"
"""Text drawn at random is a foul each time, and after nothing but forfeits there are no demands."""
VARIANTS = [
    *((env_id, {}) for env_id in STRUCTURED),
    ("sepo/kuhn_poker-v0", {"hands": 6}),
    ("sepo/kuhn_poker-v0", {"hands": 6, "max_cycles": 2}),
    ("sepo/prisoners_dilemma-v0", {"noise": 0.2, "continuation": 0.8}),
    ("sepo/repeated_auction-v0", {"bidders": 3}),
    ("sepo/split_negotiation-v0", {"max_cycles": 2}),
    ("sepo/item_negotiation-v0", ITEM_PRESETS["paper"]),
]
"""Every id as it is, and options that change its chance, its seats, its moves or its end."""
OPTIONS = {"ids": lambda value: str(value) if isinstance(value, str) else ",".join(value) or "-"}
SIMULTANEOUS = [
    (env_id, options)
    for env_id, options in VARIANTS
    if env_id in PARALLEL and "max_cycles" not in options  # which parallel_api_test sets itself
]


def aec(env_id, **options):
    return pettingzoo.make("aec", env_id, **options)


def parallel(env_id, **options):
    return pettingzoo.make("parallel", env_id, **options)


@pytest.fixture
def exempt(monkeypatch):
    """``exempt(table)`` puts the table's name on PettingZoo's lists, for one test."""
    module = import_module("pettingzoo.test.api_test")  # as an attribute it is the function

    def put(table):
        for names in ("env_obs_dicts", "env_obs_space", "env_all_zeros_obs"):
            monkeypatch.setattr(module, names, [*getattr(module, names), str(table.unwrapped)])
        return table

    return put


@pytest.mark.parametrize(("env_id", "options"), VARIANTS, **OPTIONS)
def test_a_turn_based_environment_passes_the_api_test_without_a_warning(
    env_id, options, exempt, capsys
):
    api_test(exempt(aec(env_id, **options)), num_cycles=100)
    assert "Passed API test" in capsys.readouterr().out


@pytest.mark.parametrize(("env_id", "options"), SIMULTANEOUS, **OPTIONS)
def test_a_parallel_environment_passes_the_api_test_without_a_warning(env_id, options, capsys):
    parallel_api_test(parallel(env_id, **options), num_cycles=100)
    assert "Passed Parallel API test" in capsys.readouterr().out


@pytest.mark.parametrize(("env_id", "options"), VARIANTS, **OPTIONS)
def test_a_turn_based_environment_passes_the_seed_test(env_id, options):
    seed_test(partial(aec, env_id, **options), num_cycles=100)


@pytest.mark.parametrize(("env_id", "options"), SIMULTANEOUS, **OPTIONS)
def test_a_parallel_environment_passes_the_seed_test(env_id, options):
    parallel_seed_test(partial(parallel, env_id, **options))


def test_seeds_repeat_under_the_penalty_wrapper_too():
    seed_test(lambda: AECPenaltyReward(aec("sepo/kuhn_poker-v0", hands=4)), num_cycles=100)


@pytest.mark.parametrize("env_id", LONG)
def test_max_cycles_ends_both_apis_after_as_many_turns(env_id):
    """Kuhn poker and the text ids have no parallel environment, which `max_cycles_test` asks for;
    test_aec.py holds its law for them."""
    longer = {"rounds": 6}  # than the four cycles that it gives
    max_cycles_test(
        SimpleNamespace(
            env=partial(aec, env_id, **longer), parallel_env=partial(parallel, env_id, **longer)
        )
    )


@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_every_render_mode_passes_the_render_test(env_id, capsys):
    """It opens a table per mode, and each must give text, an array of colours, or a print."""
    modes = aec(env_id).metadata["render_modes"]
    assert set(modes) >= {"ansi", "human"}
    render_test(partial(aec, env_id))


@pytest.mark.parametrize("env_id", PARALLEL)
def test_both_apis_pass_the_state_test(env_id):
    state_test(aec(env_id), parallel(env_id))


def test_poker_passes_the_state_test_of_turns():
    check_state_space(aec("sepo/kuhn_poker-v0"))
    check_state(aec("sepo/kuhn_poker-v0", hands=6), num_cycles=20)


@pytest.mark.filterwarnings(FOULS_ALONE)
@pytest.mark.parametrize("env_id", TEXT)
def test_text_passes_the_state_test_of_turns(env_id):
    check_state_space(aec(env_id).unwrapped)
    check_state(aec(env_id), num_cycles=20)


@pytest.mark.parametrize("env_id", PARALLEL)
def test_pettingzoo_can_turn_a_parallel_environment_into_turns_and_back(env_id, exempt):
    def turned(**options):
        return parallel_to_aec(parallel(env_id, **options))

    api_test(exempt(turned()), num_cycles=50)
    seed_test(turned, num_cycles=50)

    def back(**options):
        return aec_to_parallel(aec(env_id, **options))

    parallel_api_test(back(), num_cycles=50)
    parallel_seed_test(back)
    check_parallel_state(back())


@pytest.mark.filterwarnings(NO_TEXT_ACTIONS)
@pytest.mark.parametrize("env_id", TEXT)
def test_text_passes_the_api_test_but_for_its_kind_of_action(env_id, exempt, capsys):
    api_test(exempt(aec(env_id)), num_cycles=50)
    assert "Passed API test" in capsys.readouterr().out


@pytest.mark.parametrize("env_id", TEXT)
def test_text_passes_the_seed_test(env_id):
    seed_test(partial(aec, env_id), num_cycles=50)


def play_on(table, moves):
    """What every agent sees, is paid and is told from here, playing ``moves`` over and over."""
    trace = []
    for number, _ in enumerate(table.agent_iter(10_000)):
        seen, reward, terminated, truncated, info = table.last()
        trace.append(str((table.agent_selection, seen, reward, terminated, truncated, info)))
        table.step(None if terminated or truncated else moves[number % len(moves)])
    return trace


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=lambda module: module.__name__)
@pytest.mark.parametrize("env_id", [*STRUCTURED, *TEXT])
def test_a_pickle_taken_in_mid_game_plays_on_as_the_original(env_id, pickler):
    """Chance included: the auction draws values and ties, the poker match deals."""
    table = aec(env_id, **({"hands": 6} if "kuhn" in env_id else {}))
    moves = ["[bet]", "[check]", "[1]", "[0,0,0]", "?"] if env_id in TEXT else [0, 1, 0]
    table.reset(seed=11)
    for move in moves[:3]:
        table.step(move)
    copy = pickler.loads(pickler.dumps(table))
    trace = play_on(table, moves)
    assert len(trace) > 4
    assert play_on(copy, moves) == trace
    table.reset()
    copy.reset()
    assert play_on(copy, moves) == play_on(table, moves), "the next episode's deal"


@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=lambda module: module.__name__)
@pytest.mark.parametrize(("env_id", "options"), SIMULTANEOUS, **OPTIONS)
def test_a_pickle_of_a_parallel_environment_plays_on_as_the_original(env_id, options, pickler):
    table = parallel(env_id, **options)
    table.reset(seed=11)
    table.step(dict.fromkeys(table.agents, 0))
    copy = pickler.loads(pickler.dumps(table))
    while table.agents:
        actions = {agent: number for number, agent in enumerate(table.agents)}
        assert str(copy.step(actions)) == str(table.step(actions))
    assert copy.agents == []
    assert copy.unwrapped.episode == table.unwrapped.episode
