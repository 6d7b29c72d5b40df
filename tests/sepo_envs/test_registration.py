"""Every documented way to make an environment, each in a fresh interpreter.

The forms that name an opponent need the installed package: `pip install -e .` in a checkout.
"""

import subprocess
import sys

import gymnasium
import pettingzoo
import pytest

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
    for ids in sepo_envs.list_envs().values():
        structured, text, aec, aec_text = ids
        assert {structured, text} <= set(gymnasium.registry)
        assert {aec, aec_text} <= set(pettingzoo.aec_registry)
        assert not {aec, aec_text} & set(pettingzoo.parallel_registry)


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
