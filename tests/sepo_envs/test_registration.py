"""Every documented way to make an environment, each in a fresh interpreter.

The forms that name an opponent need the installed package: `pip install -e .` in a checkout.
"""

import subprocess
import sys
from importlib import import_module

import gymnasium
import pettingzoo
import pytest
from pettingzoo.env_registry.exceptions import NameNotFound

import sepo_envs
from sepo_envs.registration import register


def fresh(*lines: str) -> str:
    """What these lines print in an interpreter of their own, where every warning is an error."""
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(lines)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


PLAY = "table.reset(seed=0); print(table.unwrapped.game.hands)"


@pytest.mark.parametrize(
    "lines",
    [
        (
            "import gymnasium",
            "table = gymnasium.make('sepo_envs:sepo/KuhnPoker-v0', opponent='nash', hands=3)",
        ),
        (
            "import gymnasium",
            "table = gymnasium.make('sepo_envs:sepo/KuhnPokerText-v0', opponent='nash', hands=3)",
        ),
        (
            "import gymnasium, sepo_envs",
            "table = gymnasium.make('sepo/KuhnPoker-v0', opponent='nash', hands=3)",
        ),
        (
            "import pettingzoo, sepo_envs",
            "table = pettingzoo.make('aec', 'sepo/kuhn_poker-v0', hands=3, max_cycles=9)",
        ),
        (
            "import pettingzoo, sepo_envs",
            "table = pettingzoo.make('aec', 'sepo/kuhn_poker_text-v0', hands=3, style='fresh')",
        ),
        ("from sepo_envs import kuhn_poker_v0", "table = kuhn_poker_v0.env(hands=3)"),
        ("from sepo_envs import kuhn_poker_v0", "table = kuhn_poker_v0.raw_env(hands=3)"),
        ("from sepo_envs import kuhn_poker_v0", "table = kuhn_poker_v0.text_env(hands=3)"),
    ],
    ids=lambda lines: lines[1].removeprefix("table = "),
)
def test_a_fresh_interpreter_can_make_and_play(lines):
    assert fresh(*lines, PLAY) == "3\n"


def test_importing_or_registering_twice_does_not_warn():
    fresh(
        "import importlib, sepo_envs, gymnasium",
        "importlib.reload(sepo_envs)",
        "gymnasium.make('sepo_envs:sepo/KuhnPoker-v0', opponent='nash')",
    )
    register()


def test_every_listed_id_is_registered_with_the_api_it_belongs_to():
    for name, ids in sepo_envs.list_envs().items():
        structured, text, aec, aec_text = ids
        assert {structured, text} <= set(gymnasium.registry)
        assert {aec, aec_text} <= set(pettingzoo.aec_registry)
        at_once = sepo_envs.CATALOGUE[name].simultaneous
        assert {aec, aec_text} & set(pettingzoo.parallel_registry) == ({aec} if at_once else set())


@pytest.mark.parametrize(
    "lines",
    [
        (
            "import pettingzoo, sepo_envs",
            "table = pettingzoo.make('parallel', 'sepo/prisoners_dilemma-v0', rounds=3)",
        ),
        (
            "import pettingzoo, sepo_envs",
            "table = pettingzoo.make('aec', 'sepo/prisoners_dilemma-v0', rounds=3)",
        ),
        (
            "import pettingzoo, sepo_envs",
            "table = pettingzoo.make('aec', 'sepo/prisoners_dilemma_text-v0', rounds=3)",
        ),
        (
            "import gymnasium",
            "table = gymnasium.make("
            "'sepo_envs:sepo/PrisonersDilemma-v0', opponent='grim', rounds=3)",
        ),
        (
            "from sepo_envs import prisoners_dilemma_v0",
            "table = prisoners_dilemma_v0.parallel_env(rounds=3, max_cycles=9)",
        ),
    ],
    ids=lambda lines: lines[-1],
)
def test_a_simultaneous_game_is_made_in_every_api(lines):
    assert fresh(*lines, "table.reset(seed=0); print(table.unwrapped.game.rounds)") == "3\n"


def test_no_game_of_turns_has_a_parallel_environment():
    with pytest.raises(NameNotFound, match="kuhn_poker"):
        pettingzoo.make("parallel", "sepo/kuhn_poker-v0")


@pytest.mark.parametrize(
    "name", [name for name, domain in sepo_envs.CATALOGUE.items() if domain.simultaneous]
)
def test_the_module_page_of_a_simultaneous_game_tells_its_shapes_and_offers_both_apis(name):
    module = import_module(f"sepo_envs.{name}_v0")
    table = module.raw_env()
    (features,) = table.observation_space("player_0")["observation"].shape
    assert f"| Observation Shape | ({features},) |" in module.__doc__
    assert f"| Action Values | [0, {table.action_space('player_0').n - 1}] |" in module.__doc__
    assert module.parallel_env().possible_agents == table.possible_agents


def test_importing_the_package_loads_nothing_heavy_and_no_opponent():
    loaded = set(fresh("import sys, sepo_envs", "print(*sys.modules)").split())
    assert not loaded & {"torch", "transformers", "pandas", "scipy", "pyspiel", "pygame"}
    assert not loaded & {"opponents", "sepo_trainer", "sepo_envs.single_agent"}


def test_the_module_page_tells_the_rewards_the_rules_pay():
    from sepo_envs import kuhn_poker_v0
    from sepo_envs.games.kuhn_poker.rules import STAKE

    page = kuhn_poker_v0.__doc__
    assert set(STAKE.values()) == {1.0, 2.0}
    assert "| +1 | -1 |" in page
    assert "| +2 | -2 |" in page
    observations, actions = (
        kuhn_poker_v0.raw_env().observation_space("player_0")["observation"].shape,
        kuhn_poker_v0.raw_env().action_space("player_0").n,
    )
    assert f"| Observation Shape | {observations} |" in page
    assert f"| Action Values | [0, {actions - 1}] |" in page
