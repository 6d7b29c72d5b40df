import pytest

from opponents.kuhn_poker import nash_table
from sepo_envs.exact import GameTree
from sepo_envs.exact.equilibria import cfr, kuhn_optimal
from sepo_envs.games.kuhn_poker.rules import KuhnPoker

TREE = GameTree(KuhnPoker())


def test_cfr_closes_in_on_equilibrium():
    few, many = (TREE.exploitability(cfr(KuhnPoker(), iterations=n)) for n in (20, 1_000))
    assert many < 1e-3 < few


def test_cfr_finds_the_value_of_the_game():
    """-1/18, Kuhn 1950."""
    assert TREE.returns(cfr(KuhnPoker()))[0] == pytest.approx(-1 / 18, abs=1e-3)


def test_cfr_of_no_iterations_is_refused():
    with pytest.raises(ValueError, match="averages over at least 1"):
        cfr(KuhnPoker(), iterations=0)


@pytest.mark.parametrize("alpha", [0, 0.1, 1 / 6, 0.25, 1 / 3])
def test_our_equilibrium_family_is_openspiels(alpha):
    ours, theirs = nash_table(alpha), kuhn_optimal(alpha)
    assert ours.rows.keys() == theirs.rows.keys()
    for situation, row in ours.rows.items():
        assert dict(theirs[situation]) == pytest.approx(dict(row), abs=1e-12)


@pytest.mark.parametrize("family", [nash_table, kuhn_optimal])
@pytest.mark.parametrize("alpha", [-0.01, 0.34])
def test_outside_the_family_both_refuse(family, alpha):
    with pytest.raises(ValueError, match="alpha between 0 and 1/3"):
        family(alpha)
