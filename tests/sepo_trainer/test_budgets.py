"""A run that keeps budgets: what moves its multipliers, when, and what it refuses."""

import pytest

from sepo_trainer import train as training
from sepo_trainer.settings.config import ConfigError
from sepo_trainer.settings.resolve import build
from sepo_trainer.train import train
from tests.sepo_trainer.runs import UNTRAINED, run_with
from tests.sepo_trainer.test_gates import scripted

DILEMMA = {"name": "prisoners_dilemma"}


def budgeted(*script: str, **budget: float):
    """Scripted play of two-round dilemmas under a budget."""
    return scripted(*script, objective={"budget": budget})


def trained(run, monkeypatch):
    """The lines' statistics of every iteration, and the weights that its rewards were made with."""
    charged, steps = [], []
    credit = training.credit

    def noting(groups, **how):
        charged.append(how["weights"])
        return credit(groups, **how)

    monkeypatch.setattr(training, "credit", noting)
    train(run, lambda done: steps.extend(done))
    return charged, steps


def test_a_multiplier_follows_what_was_measured_by_hand(monkeypatch):
    """Who cooperates loses 5 a round to always-defect and 2.5 to the alternator: e is 3.75.

    Over a budget of 1.75 that is 2 a step of .1, from the published 2.4; defecting has e = 0, the
    alternator earning less and always-defect as much: 1.75 under, so .175 down.
    """
    run = budgeted("[cooperate]", "[cooperate]", "[defect]", "[defect]",
                   exploitability=1.75, step=0.1, delay=0)  # fmt: skip
    charged, steps = trained(run, monkeypatch)
    assert [step.scores.e for step in steps] == pytest.approx([3.75, 3.75, 0, 0])
    path = [2.4, 2.6, 2.8, 2.625]
    assert [weights.exploitability for weights in charged] == pytest.approx(path)
    assert [step.stats["lambda_exploitability"] for step in steps] == pytest.approx(path)
    assert run.course.standing.multipliers == pytest.approx({"exploitability": 2.45})


def test_the_weights_without_a_budget_and_the_logged_j_stay(monkeypatch):
    run = budgeted("[cooperate]", "[cooperate]", exploitability=1.75, step=0.1, delay=0)
    charged, steps = trained(run, monkeypatch)
    assert {(w.scale, w.collusion, w.externality) for w in charged} == {(1.0, 1.0, 1.8)}
    logged = [(s.stats["lambda_collusion"], s.stats["lambda_externality"]) for s in steps]
    assert set(logged) == {(1.0, 1.8)}
    for step in steps:
        found = step.scores
        parts = found.u - 2.4 * found.e - 1.0 * found.c - 1.8 * found.x
        assert found.objective == pytest.approx(parts)


def test_multipliers_wait_until_the_policy_has_left_the_warm_start(monkeypatch):
    run = budgeted(*["[cooperate]"] * 4, exploitability=1.75, step=0.1, delay=2)
    charged, _ = trained(run, monkeypatch)
    assert [w.exploitability for w in charged] == pytest.approx([2.4, 2.4, 2.4, 2.6])


def test_without_a_budget_nothing_moves(monkeypatch):
    charged, steps = trained(scripted(*["[cooperate]"] * 2), monkeypatch)
    assert len(set(charged)) == 1
    assert {step.stats["lambda_exploitability"] for step in steps} == {2.4}


def test_multipliers_are_saved_and_restored(tmp_path):
    budget = {"objective": {"budget": {"exploitability": 0.1}}}
    run = run_with(UNTRAINED, game=DILEMMA, **budget)
    run.course.standing.multipliers = {"exploitability": 3.3}
    fresh = run_with(UNTRAINED, game=DILEMMA, **budget)
    assert fresh.course.prices(0).exploitability == 2.4
    fresh.restore(run.checkpoint(), source=tmp_path)
    assert fresh.course.prices(0).exploitability == 3.3


@pytest.mark.parametrize(
    ("game", "objective", "told"),
    [
        ("kuhn_poker", {"budget": {"collusion": 0.1}}, "collusion is not defined in KuhnPoker"),
        ("kuhn_poker", {"budget": {"externality": 0.1}}, "externality is not defined in Kuhn"),
        (
            "prisoners_dilemma",
            {"budget": {"collusion": 0.1}, "penalty_credit": "shared"},
            "a multiplier has no gradient",
        ),
        (
            "prisoners_dilemma",
            {"budget": {"exploitability": 0.1, "cap": 2.0}},
            "starts at 2.4, above objective.budget.cap",
        ),
    ],
)
def test_a_budget_that_nothing_could_keep_is_refused_before_the_run(game, objective, told):
    with pytest.raises(ValueError, match=told):
        run_with(UNTRAINED, game={"name": game}, objective=objective)


def test_a_negative_budget_is_refused_by_its_name():
    tree = {"objective": {"budget": {"collusion": -0.1}}}
    with pytest.raises(ConfigError, match=r"objective\.budget\.collusion is -0\.1, but"):
        build(tree, source="test")
