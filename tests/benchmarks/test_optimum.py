"""J*, reward alone and demonstrators: recomputed where that takes seconds, and as recorded.

That they are right is for `tests/opponents` to show: by hand, by second implementations of three
domains, and by never forgetting.
"""

from pathlib import Path

import pytest

from benchmarks.optimum import LEAST_SEPARATION, Bracket, Separation, separation
from benchmarks.records import RESULTS, load
from sepo_envs.catalogue import CATALOGUE

PAGE = Path(__file__).parents[2] / "docs" / "opponents.md"
QUICK = ("kuhn_poker", "prisoners_dilemma", "split_negotiation")


def recorded(name: str) -> dict[str, Bracket]:
    measures = load(RESULTS / "optimum" / f"{name}.json").measures["exact"]
    return {quantity: Bracket(*found.values) for quantity, found in measures.items()}


@pytest.mark.parametrize("name", [*QUICK, pytest.param("repeated_auction", marks=pytest.mark.slow)])
def test_the_record_is_what_the_code_computes(name):
    found, stored = separation(name), recorded(name)
    assert found.optimum == pytest.approx(stored["J*"], abs=1e-8)
    assert found.reward_alone == pytest.approx(stored["reward alone"], abs=1e-8)
    assert found.demonstrators == pytest.approx(stored["demonstrators"].low, abs=1e-8)
    assert found.value == pytest.approx(stored["separation"].low, abs=1e-7)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_pools_of_every_domain_tell_reward_alone_from_the_best_policy(name):
    """The page prints what is recorded."""
    stored = recorded(name)
    assert stored["separation"].low >= LEAST_SEPARATION
    names = ("reward alone", "demonstrators", "separation")
    line = f"J\\* {stored['J*'].low:.3f}, "
    line += ", ".join(f"{quantity} {stored[quantity].low:.3f}" for quantity in names)
    assert line in PAGE.read_text(), line


def test_a_separation_is_the_least_that_its_brackets_allow():
    """By hand: (1 - .5) / (1 - 0) and (2 - .5) / (2 - 0); below the demonstrators the other end."""
    above = Separation(Bracket(1.0, 2.0), Bracket(0.0, 0.5), 0.0)
    assert above.value == 0.5
    below = Separation(Bracket(1.0, 2.0), Bracket(-1.0, -0.5), 0.0)
    assert below.value == 1.25
