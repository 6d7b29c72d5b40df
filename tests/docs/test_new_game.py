"""The example of docs/new_game.md is played as another package's game would be."""

import doctest
import re
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import gymnasium
import pettingzoo
import pytest
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

from opponents import check_disjoint
from sepo_envs import catalogue
from sepo_envs.exact import ActionTable, GameTree

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/new_game.md"
EXAMPLE = ROOT / "docs/examples/stag_hunt"
REGISTRIES = (
    catalogue.CATALOGUE,
    gymnasium.registry,
    pettingzoo.aec_registry,
    pettingzoo.parallel_registry,
)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The example as `pip install` would leave it, and everything as it was afterwards."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    metadata = tmp_path / f"stag_hunt-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [
        line
        for group, entries in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLE)
    before = [dict(registry) for registry in REGISTRIES]
    yield import_module("stag_hunt")
    for registry, entries in zip(REGISTRIES, before, strict=True):
        registry.clear()
        registry.update(entries)
    for name in [name for name in sys.modules if name.partition(".")[0] == "stag_hunt"]:
        del sys.modules[name]


def test_what_the_page_plays_is_what_it_prints(installed, capsys):
    blocks = re.findall(
        r"``` \{ \.python \.stag-hunt \}\n(.*?)```\n\n```text\n(.*?)```",
        PAGE.read_text(),
        re.DOTALL,
    )
    assert blocks
    for code, printed in blocks:
        exec(compile(code, str(PAGE), "exec"), {})
        assert capsys.readouterr().out == printed


@pytest.mark.filterwarnings(  # as PettingZoo exempts its own games of this kind, by name
    "ignore:Observation is not a NumPy array:UserWarning",
    "ignore:Observation space for each agent probably should be:UserWarning",
)
def test_pettingzoo_finds_nothing_wrong_with_it(installed):
    api_test(pettingzoo.make("aec", "sepo/stag_hunt-v0", rounds=3), num_cycles=50)
    parallel_api_test(pettingzoo.make("parallel", "sepo/stag_hunt-v0", rounds=3), num_cycles=50)
    seed_test(lambda: pettingzoo.make("aec", "sepo/stag_hunt-v0"), num_cycles=50)
    parallel_seed_test(lambda: pettingzoo.make("parallel", "sepo/stag_hunt-v0"), num_cycles=50)


def test_a_model_plays_it_in_text_and_an_unreadable_reply_is_asked_again(installed):
    env = gymnasium.make("sepo/StagHuntText-v0", opponent="loyal", seat=1, rounds=2)
    env.reset(seed=0)
    prompt, *_ = env.step("The stag, or a hare.")
    assert "could not be read" in prompt
    env.step("[stag]")
    *_, info = env.step("[hare]")
    assert info["returns"] == {"player_0": 4.0, "player_1": 7.0}
    assert info["penalties"]["exploitation"] == {"value": -1.5, "defined": True}
    assert info["penalties"]["externality"]["value"] == pytest.approx((0 + 1) / 2)


def test_a_best_reply_to_a_loyal_hunter_is_to_be_loyal(installed):
    """4 points beside a stag hunter, 3 with a hare: by hand."""
    rules = import_module("stag_hunt.rules")
    tree = GameTree(rules.StagHunt(rounds=2))
    loyal = ActionTable({key: {rules.Move.STAG: 1.0} for key in tree.situations})
    assert tree.best_response(loyal, 0).value == pytest.approx(8.0)


def test_its_picture_shows_every_choice_in_its_colour(installed):
    rules, canvas = import_module("stag_hunt.rules"), import_module("sepo_envs.canvas")
    stag, hare = rules.Move.STAG, rules.Move.HARE
    game = rules.StagHunt(rounds=2)

    def share(state, colour):
        pixels = installed.STAG_HUNT.draw(game, state).pixels()
        ink = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        return (pixels == ink).all(-1).mean()

    none, one, all_four = (
        share(rules.State(played), canvas.GOOD)
        for played in ((), ((stag, hare),), ((stag, stag), (stag, stag)))
    )
    assert none == 0 < one
    assert all_four == pytest.approx(4 * one, rel=0.05)


def test_its_pools_are_disjoint(installed):
    pools = import_module("stag_hunt.opponents").POOLS
    check_disjoint(pools.values(), installed.StagHunt(rounds=2))


@pytest.mark.parametrize("module", ["rules", "words", "harms"])
def test_its_docstrings_tell_the_truth(installed, module):
    result = doctest.testmod(import_module(f"stag_hunt.{module}"))
    assert (result.attempted > 0, result.failed) == (True, 0)


def test_every_file_of_the_example_is_on_the_page():
    text = PAGE.read_text()
    files = [file for file in EXAMPLE.rglob("*.*") if file.suffix in (".py", ".toml")]
    assert all(f'"examples/{file.relative_to(EXAMPLE.parent)}"' in text for file in files)
