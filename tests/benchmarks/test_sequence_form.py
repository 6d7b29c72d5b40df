"""The linear program for J*, against hand-worked values and the exact solver."""

from dataclasses import replace

import pytest

from benchmarks.sequence_form import best_policy
from opponents.kuhn_poker import POOLS, nash_table
from sepo_envs.exact.tree import GameTree
from sepo_envs.games.kuhn_poker.harms import KuhnPokerHarms
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_trainer.courses.scores import score

TREE = GameTree(KuhnPoker())
WEIGHTS = KuhnPokerHarms().published


def scored(table):
    opponents = {name: POOLS[name].met_by(table, tree=TREE) for name in ("train", "exploit")}
    return score(TREE, table, opponents, WEIGHTS)


@pytest.mark.parametrize("weight", [0.5, 1.5, 5.0])
def test_from_a_weight_of_one_half_on_the_best_policy_is_an_equilibrium(weight):
    best = best_policy(
        TREE,
        POOLS["train"].opponents,
        POOLS["exploit"].opponents,
        replace(WEIGHTS, exploitability=weight),
    )
    assert TREE.exploitability(best.table) == pytest.approx(0, abs=1e-9)
    assert best.objective == pytest.approx(1.5 / 27)


def test_without_a_penalty_the_best_policy_exploits_the_pool_and_is_exploitable():
    weights = replace(WEIGHTS, exploitability=0.0)
    best = best_policy(TREE, POOLS["train"].opponents, POOLS["exploit"].opponents, weights)
    assert best.objective == pytest.approx(1.5 / 12)
    assert TREE.exploitability(best.table) > 0.1


def test_the_program_and_the_exact_solver_agree_on_what_its_policy_is_worth():
    best = best_policy(TREE, POOLS["train"].opponents, POOLS["exploit"].opponents, WEIGHTS)
    assert scored(best.table).objective == pytest.approx(best.objective)


@pytest.mark.parametrize("alpha", [0.0, 0.2, 1 / 3])
def test_no_equilibrium_is_worth_more_than_the_optimum(alpha):
    best = best_policy(TREE, POOLS["train"].opponents, POOLS["exploit"].opponents, WEIGHTS)
    assert scored(nash_table(alpha)).objective <= best.objective + 1e-9
