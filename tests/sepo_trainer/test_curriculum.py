"""A curriculum of penalties: when they come to weigh what, and what episodes then earn."""

import numpy as np
import pytest

from sepo_trainer.settings.resolve import resolve
from sepo_trainer.train import learnable
from tests.sepo_trainer.runs import UNTRAINED, play, run_with
from tests.sepo_trainer.test_budgets import trained
from tests.sepo_trainer.test_gates import scripted


def test_the_penalties_rise_in_a_line_and_payoffs_stay(monkeypatch):
    """The published 2.4, 1 and 1.8 by hand: nothing, a half, and from iteration 2 on all of it."""
    run = scripted(*["[cooperate]"] * 4, objective={"curriculum": 0.5})
    charged, steps = trained(run, monkeypatch)
    found = [(w.exploitability, w.collusion, w.externality) for w in charged]
    assert found == [(0, 0, 0), (1.2, 0.5, 0.9), (2.4, 1.0, 1.8), (2.4, 1.0, 1.8)]
    assert {w.scale for w in charged} == {1.0}
    logged = [step.stats["lambda_exploitability"] for step in steps]
    assert logged == [0, 1.2, 2.4, 2.4], "what is logged is what is in the loss"
    for step in steps:
        parts = step.scores.u - 2.4 * step.scores.e - step.scores.c - 1.8 * step.scores.x
        assert step.scores.objective == pytest.approx(parts), "and J is J"


def test_a_budgets_multiplier_waits_for_its_end_and_is_charged_by_the_same_share(monkeypatch):
    """2.4 until iteration 2 has shown an excess of 2, then 2.6; charged nothing, a half, all."""
    objective = {"curriculum": 0.5, "budget": {"exploitability": 1.75, "step": 0.1, "delay": 0}}
    charged, _ = trained(scripted(*["[cooperate]"] * 4, objective=objective), monkeypatch)
    assert [w.exploitability for w in charged] == pytest.approx([0, 1.2, 2.4, 2.6])


def advantages(run, groups) -> list[list[float]]:
    """Of every row of ``groups``, while every exploiter gains on the policy."""
    gates = {group.key.opponent: 1.0 for group in groups}
    return [list(row.advantages) for row in learnable(run.course, groups, gates)[0]]


def test_at_its_start_episodes_earn_what_they_earn_by_reward_alone(warm_model):
    """The other pools' groups are played, and carry no signal yet."""
    model = warm_model("conversation")
    rising = run_with(model, style="conversation", objective={"curriculum": 0.5})
    groups, _ = play(rising)
    train = [group for group in groups if group.key.pool == "train"]
    assert advantages(rising, train) == advantages(
        run_with(model, style="conversation", objective={"penalty_credit": "reward_only"}), train
    )
    others = [group for group in groups if group.key.pool != "train"]
    assert not np.concatenate(advantages(rising, others)).any()
    full = run_with(model, style="conversation")
    assert np.concatenate(advantages(full, others)).any(), "they do once the penalties weigh"


def test_it_lasts_for_its_share_of_the_run_however_long_that_is():
    """A half of 8 iterations is 4, of 3 it is one and a half."""
    for iterations, full in ((8, 4), (3, 2), (1, 1)):
        learning = {"iterations": iterations}
        run = run_with(UNTRAINED, objective={"curriculum": 0.5}, learning=learning)
        assert run.course.prices(full - 1) != run.course.weights
        assert run.course.prices(full) == run.course.weights


def test_one_that_never_ends_is_refused():
    with pytest.raises(ValueError, match="less than 1"):
        resolve(None, ["--objective.curriculum", "1"])
