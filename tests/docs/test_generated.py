"""What the site makes of docstrings and of pages beside docs/, in small."""

import doctest
import re
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import griffe
import pytest

from sepo_envs.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
MODULES = ("docstrings", "environment_page", "generate")


@pytest.fixture
def load(monkeypatch):
    """Import a module of docs/ as MkDocs does."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    yield import_module
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("module", MODULES)
def test_its_docstrings_tell_the_truth(load, module):
    assert doctest.testmod(load(module)).failed == 0


def test_a_doctest_becomes_a_block_of_code_and_keeps_its_indent(load):
    fenced = load("docstrings").fenced
    assert fenced("Adds.\n>>> 1 + 1  # doctest: +ELLIPSIS\n2\n\nThat is all.") == (
        "Adds.\n\n```pycon\n>>> 1 + 1\n2\n```\n\nThat is all."
    )
    assert fenced("    >>> 1\n    1") == "    ```pycon\n    >>> 1\n    1\n    ```"


def test_a_name_of_ours_becomes_a_link_and_no_other(load):
    package = griffe.load("opponents", search_paths=[ROOT])
    where = package["opponent"]
    linked = load("docstrings").linked
    assert linked("A `Pool` of `dict`.", where) == "A [`Pool`][opponents.opponent.Pool] of `dict`."
    untouched = "``Pool``, [`Pool`](elsewhere)\n\n    `Pool`\n\n```\n`Pool`\n```"
    assert linked(untouched, where) == untouched


def test_every_public_module_has_a_page_and_stands_after_its_package(load):
    modules = load("generate").modules()
    assert modules.index("sepo_envs") < modules.index("sepo_envs.aec")
    assert modules.index("sepo_envs.games") < modules.index("sepo_envs.games.kuhn_poker.rules")
    assert len(modules) == len(set(modules))
    assert not [name for name in modules if "__" in name]


def test_a_game_without_a_page_of_its_own_leaves_the_site_as_it_is(load, monkeypatch):
    """One catalogue entry makes a game playable; its page comes with its ``_v0`` module."""
    page = load("environment_page")
    before = page.overview()
    newcomer = replace(CATALOGUE["kuhn_poker"], name="new_poker", title="NewPoker")
    monkeypatch.setitem(CATALOGUE, "new_poker", newcomer)
    assert "new_poker" not in page.documented()
    assert page.overview() == before
    assert page.scene_of("kuhn_poker") == page.SCENES["kuhn_poker"]
    monkeypatch.delitem(page.SCENES, "kuhn_poker")
    assert page.text_example("kuhn_poker")


def test_a_page_that_a_benchmark_wrote_leads_to_pages_of_the_site(load):
    made = dict(load("generate").made())
    links = {
        link
        for uri, content in made.items()
        if uri.endswith(".html") and isinstance(content, bytes)
        for link in re.findall(r'href="((?:[.][.]/)+[^"#]+)', content.decode())
    }
    assert "../../../metrics.html" in links
    assert all(not link.endswith(".md") for link in links)
    written = {f"../../../{page.stem}.html" for page in (ROOT / "docs").glob("*.md")}
    assert links <= written
