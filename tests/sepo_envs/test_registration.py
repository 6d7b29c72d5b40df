"""Every documented way to make an environment, each in a fresh interpreter.

The forms that name an opponent need the installed package: `pip install -e .` in a checkout.
"""

import subprocess
import sys

import gymnasium
import pettingzoo
import pytest
from pettingzoo.env_registry.exceptions import NameNotFound

import sepo_envs
from sepo_envs.find_opponent import known_opponents
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


def test_importing_the_package_loads_nothing_heavy_and_no_opponent():
    loaded = set(fresh("import sys, sepo_envs", "print(*sys.modules)").split())
    assert not loaded & {"torch", "transformers", "pandas", "scipy", "pyspiel", "pygame"}
    assert not loaded & {"opponents", "sepo_trainer", "sepo_envs.single_agent"}


def test_the_module_page_tells_the_rewards_the_rules_pay():
    from sepo_envs import kuhn_poker_v0
    from sepo_envs.games.kuhn_poker.rules import STAKE

    assert set(STAKE.values()) == {1.0, 2.0}
    assert "| +1 | -1 |" in kuhn_poker_v0.__doc__
    assert "| +2 | -2 |" in kuhn_poker_v0.__doc__


AEC, TEXT, PARALLEL = "GameEnv", "TextEnv", "ParallelGameEnv"
ALONE, ALONE_IN_TEXT = "SingleAgentEnv", "SingleAgentTextEnv"
MANY, MANY_IN_TEXT = "VectorGameEnv", "SyncVectorEnv"
NASH = {"opponent": "nash"}


def kind(table):
    """What plays, under the guards of its API."""
    return type(table.unwrapped).__name__


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("kuhn_poker", {}, AEC),
        ("kuhn_poker", {"api": "aec", "text": True}, TEXT),
        ("prisoners_dilemma", {"api": "parallel"}, PARALLEL),
        ("kuhn_poker", NASH, ALONE),
        ("kuhn_poker", NASH | {"text": True}, ALONE_IN_TEXT),
        ("kuhn_poker", NASH | {"num_envs": 3}, MANY),
        ("kuhn_poker", NASH | {"api": "vector"}, MANY),
        ("kuhn_poker", NASH | {"num_envs": 3, "text": True}, MANY_IN_TEXT),
        ("sepo/kuhn_poker-v0", {}, AEC),
        ("sepo/kuhn_poker_text-v0", {}, TEXT),
        ("sepo/KuhnPoker-v0", NASH, ALONE),
        ("sepo_envs:sepo/KuhnPoker-v0", NASH, ALONE),
        ("sepo/KuhnPokerText-v0", NASH, ALONE_IN_TEXT),
        ("sepo/KuhnPoker-v0", {"api": "aec"}, AEC),
        ("sepo/kuhn_poker-v0", NASH, ALONE),
    ],
)
def test_make_makes_what_was_asked_for(name, options, expected):
    long = {"hands": 3} if "uhn" in name else {"rounds": 3}
    table = sepo_envs.make(name, **options, **long)
    assert kind(table) == expected
    table.reset(seed=0)


@pytest.mark.parametrize("name", sepo_envs.CATALOGUE)
def test_make_takes_every_domain_and_every_id(name):
    assert kind(sepo_envs.make(name)) == AEC
    opponent = next(iter(known_opponents(name)))
    for env_id in sepo_envs.list_envs()[name]:
        sepo_envs.make(env_id, opponent=opponent, seat=0).reset(seed=0)


def test_the_paper_preset_is_the_published_game_and_options_change_it_further():
    """By hand: a winner who overpays lost nothing there, and items were worth 10 one by one."""
    auction = sepo_envs.make("repeated_auction", preset="paper").unwrapped.game
    assert auction.profit(value=2, bid=3) == 0
    assert sepo_envs.make("repeated_auction").unwrapped.game.profit(value=2, bid=3) == -1
    items = sepo_envs.make("item_negotiation", preset="paper", rounds=2).unwrapped.game
    assert (items.worth, items.redrawn, items.rounds) == ("one of each", (1,), 2)
    kuhn = sepo_envs.make("kuhn_poker", preset="paper").unwrapped.game
    assert kuhn == sepo_envs.domain("kuhn_poker").make()


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        (
            "kuhn_poker",
            {"game": "prisoners_dilemma"},
            TypeError,
            "'kuhn_poker' is the game already, so game='prisoners_dilemma' would be a second",
        ),
        ("kuhn_poker", {"text": "yes"}, ValueError, "text is 'yes', .*: write True or False"),
        ("kuhn_poker", {"preset": "papr"}, ValueError, "no preset 'papr'; choose one of default"),
        ("kuhn", {}, ValueError, "no environment 'kuhn'. Did you mean 'kuhn_poker'"),
        ("sepo/KuhnPoker", {}, ValueError, "Did you mean 'sepo/KuhnPoker-v0'"),
        ("chess", {}, ValueError, r"no environment 'chess'. Known: kuhn_poker, .*list_envs\(\)"),
        (None, {}, ValueError, "no environment None"),
        ("kuhn_poker", {"api": "gym"}, ValueError, "no API 'gym'; choose one of aec, parallel, gy"),
        ("kuhn_poker", {"api": "parallel"}, ValueError, 'played in turns, .* Use api="aec"'),
        (
            "prisoners_dilemma",
            {"api": "parallel", "text": True},
            ValueError,
            'in text seats speak in turn, .* Use api="aec"',
        ),
        ("kuhn_poker", NASH | {"api": "aec"}, TypeError, 'use api="gymnasium" to sit in one seat'),
        ("sepo/KuhnPoker-v0", {}, ValueError, "needs an opponent: opponent='nash', say"),
        ("kuhn_poker", {"handz": 3}, TypeError, "no option 'handz'. Did you mean 'hands'"),
        ("kuhn_poker", NASH | {"seet": 3}, TypeError, "no option 'seet'. Did you mean 'seat'"),
        (
            "kuhn_poker",
            NASH | {"text": True, "num_envs": "3"},
            ValueError,
            "num_envs is '3', but there must be at least 1 table.* write an int",
        ),
        (
            "kuhn_poker",
            NASH | {"num_envs": 1.5},
            ValueError,
            r"num_envs is 1\.5, .* an int",
        ),
        ("kuhn_poker", {"text": True, "stile": 3}, TypeError, "'stile'. Did you mean 'style'"),
        (
            "kuhn_poker",
            NASH | {"colour": 3},
            TypeError,
            "no option 'colour'. The rules take hands;",
        ),
    ],
)
def test_make_says_what_else_could_be_meant(name, options, error, text):
    with pytest.raises(error, match=text):
        sepo_envs.make(name, **options)
