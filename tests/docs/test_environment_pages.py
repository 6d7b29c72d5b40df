"""What an environment's page says of shapes, ids, options and indices is what its code does."""

import ast
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sepo_envs import CATALOGUE, domain
from sepo_envs.aec import GameEnv
from sepo_envs.exact import solver
from sepo_envs.text import TextEnv

ROOT = Path(__file__).parents[2]
SECTIONS = [
    "Arguments",
    "Observation Space",
    "Action Space",
    "Rewards",
    "Penalties",
    "Exactness",
    "Source",
    "Version History",
]


@pytest.fixture
def environment_page(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    yield import_module("environment_page")
    del sys.modules["environment_page"]


def docstring(name):
    return import_module(f"sepo_envs.{name}_v{domain(name).version}").__doc__


def section(name, title):
    return docstring(name).split(f"### {title}\n")[1].split("\n### ")[0]


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_docstring_has_every_section_in_order(name):
    assert re.findall(r"^### (.*)$", docstring(name), re.MULTILINE) == SECTIONS


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_table_at_its_head_is_what_the_code_says(name, environment_page):
    """If this fails, put the expected table into the docstring."""
    assert f"\n\n{environment_page.import_table(name)}\n\n" in docstring(name)


def defaults(function, *others):
    return {
        parameter.name: parameter.default
        for function in (function, *others)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.default is not parameter.empty
    }


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_option_is_told_with_its_default(name):
    entry = domain(name)
    options = defaults(entry.make, GameEnv.__init__, TextEnv.__init__)
    options["profile"] = entry.harms.profiles[0]  # which None stands for
    told = {
        option: ast.literal_eval(value)
        for option, value in re.findall(r"`(\w+)=(.+?)`", section(name, "Arguments"))
    }
    assert told == options


def numbers(text, rounds):
    """The indices that a cell like ``0``, ``1-3``, ``4r - 3, 4r - 2`` or ``7r to 7r + 2`` names."""
    for number in range(1, rounds + 1) if "r" in text else (0,):
        for part in text.split(","):
            at = re.sub(r"(\d+)r\b", rf"\1 * {number}", part)
            first, *last = [eval(end) for end in re.split(r"(?<=\d)-(?=\d)| to ", at)]
            yield from range(first, (last or [first])[0] + 1)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_observation_table_names_every_index_once(name):
    game = domain(name).make()
    cells = re.findall(r"^\| ([\dr].*?) \|", section(name, "Observation Space"), re.MULTILINE)
    named = sorted(number for cell in cells for number in numbers(cell, game.rounds))
    assert named == list(range(len(game.feature_names)))


@pytest.mark.parametrize(
    ("name", "options", "counted"),
    [
        ("kuhn_poker", {}, "situations"),
        ("prisoners_dilemma", {}, "histories"),
        ("repeated_auction", {"rounds": 1}, "situations"),
        ("repeated_auction", {"rounds": 2}, "situations"),
        ("split_negotiation", {}, "histories"),
    ],
)
def test_what_is_counted_under_exactness_is_the_solvers_count(name, options, counted):
    found = solver(domain(name).make(**options))
    count = found.histories if counted == "histories" else len(found.situations)
    assert f" {count} {counted}" in section(name, "Exactness")


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_version_history_knows_this_version(name):
    assert f"* v{domain(name).version}: " in section(name, "Version History")


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_page_shows_every_opponent_and_a_match_that_was_played(name, environment_page):
    page = environment_page.page(name)
    pools = import_module(f"opponents.{name}").POOLS
    for pool in pools.values():
        for opponent in pool.opponents:
            assert f"| {pool.name} | `{opponent.name}` |" in page
    entry = domain(name)
    rules = entry.words(entry.make(**environment_page.SCENES[name].short)).rules(0)
    assert rules in page
    assert f"λe = {entry.harms.published.exploitability:g}" in page
