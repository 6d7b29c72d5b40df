"""Opponents by name, from whichever packages offer some."""

import re
from importlib.metadata import EntryPoint

import pytest

from opponents.kuhn_poker import NASH, OPPONENTS, UNIFORM
from sepo_envs import find_opponent


def named(opponent):
    return find_opponent.find_opponent("kuhn_poker", opponent)


def test_the_installed_package_offers_its_opponents_by_name():
    """Needs the installed package: `pip install -e .` in a checkout."""
    assert find_opponent.known_opponents("kuhn_poker") == OPPONENTS
    assert named("nash") is NASH


class Entry:
    """Stands for an installed package's entry point."""

    name, dist = "kuhn_poker", None

    def __init__(self, value, offered):
        self.value, self.load = value, lambda: offered


def offer(monkeypatch, *entries):
    def entry_points(*, group, name):
        assert (group, name) == ("sepo.opponents", "kuhn_poker")
        return entries

    monkeypatch.setattr(find_opponent, "entry_points", entry_points)


def test_opponents_of_several_packages_are_merged(monkeypatch):
    offer(monkeypatch, Entry("a:POOL", {"nash": NASH}), Entry("b:POOL", {"mine": UNIFORM}))
    assert (named("nash"), named("mine")) == (NASH, UNIFORM)


def test_two_packages_may_not_offer_different_opponents_under_one_name(monkeypatch):
    offer(monkeypatch, Entry("a:POOL", {"nash": NASH}), Entry("b:POOL", {"nash": UNIFORM}))
    with pytest.raises(ValueError, match=r"two packages offer an opponent 'nash'.*a:POOL and b:P"):
        named("nash")


def test_a_clash_blocks_no_other_name(monkeypatch):
    theirs = {"nash": UNIFORM, "mine": UNIFORM}
    offer(monkeypatch, Entry("a:POOL", {"nash": NASH, "tight": NASH}), Entry("b:POOL", theirs))
    assert (named("tight"), named("mine")) == (NASH, UNIFORM)
    assert set(find_opponent.known_opponents("kuhn_poker")) == {"tight", "mine"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("opponents.kuhn_poker:OPPONENTZ", "AttributeError"),
        ("no_such_package.poker:OPPONENTS", "ModuleNotFoundError"),
        ("opponents.kuhn_poker:SITUATIONS", "it is a tuple, not a mapping"),
    ],
)
def test_an_offer_that_cannot_be_used_takes_no_other_away(monkeypatch, value, reason):
    bad = EntryPoint("kuhn_poker", value, "sepo.opponents")
    offer(monkeypatch, bad, Entry("a:POOL", {"nash": NASH}))
    with pytest.warns(UserWarning, match=f"{value} offers are left out.*{reason}"):
        assert named("nash") is NASH


def test_only_the_name_of_what_is_no_opponent_is_refused(monkeypatch):
    offer(monkeypatch, Entry("a:POOL", {"nash": NASH, "odd": 7}))
    assert named("nash") is NASH
    with pytest.raises(TypeError, match="opponent 7 has no name"):
        named("odd")


def test_an_unknown_name_is_answered_with_near_misses_and_all_known_names(monkeypatch):
    offer(monkeypatch, Entry("a:POOL", {"nash": NASH, "uniform": UNIFORM}))
    mend = "Did you mean 'nash'? Known: nash, uniform."
    with pytest.raises(ValueError, match=re.escape(f"no opponent 'nahs' for kuhn_poker. {mend}")):
        named("nahs")


def test_a_forgotten_opponent_is_asked_for_by_example(monkeypatch):
    offer(monkeypatch, Entry("a:POOL", {"nash": NASH}))
    with pytest.raises(ValueError, match="needs an opponent: opponent='nash', say"):
        named(None)


def test_without_any_entry_point_the_error_says_what_to_install(monkeypatch):
    offer(monkeypatch)
    with pytest.raises(ValueError, match=r"Run `pip install sepo`.*`pip install -e .`.*sepo\.oppo"):
        named("nash")


def test_an_object_needs_no_entry_point(monkeypatch):
    offer(monkeypatch)
    assert named(NASH) is NASH
