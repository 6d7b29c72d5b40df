"""What `metrics.jsonl` says of lambda is what was in the loss."""

import pytest

from tests.sepo_trainer.runs import UNTRAINED, run_with

PUBLISHED = {
    "kuhn_poker": {"exploitability": 1.5},
    "prisoners_dilemma": {"exploitability": 2.4, "collusion": 1.0, "externality": 1.8},
    "split_negotiation": {"exploitability": 3.0, "collusion": 2.0, "externality": 1.8},
}
"""arXiv 2605.30854. Collusion and externality are not defined where the game is zero sum."""


def logged(game: str, **objective: object) -> dict[str, float]:
    run = run_with(UNTRAINED, game={"name": game}, objective=objective)
    known = run.course.read()
    found = run.course.climbed(known, known.scores, 0)
    return {name.removeprefix("lambda_"): value for name, value in found.items()}


@pytest.mark.parametrize("game", PUBLISHED)
def test_the_published_weights_are_logged_where_they_mean_something(game):
    assert logged(game) == PUBLISHED[game]


def test_an_arm_that_charges_nothing_logs_zeros():
    found = logged("prisoners_dilemma", penalty_credit="reward_only")
    assert found == dict.fromkeys(PUBLISHED["prisoners_dilemma"], 0.0)


def test_a_weight_of_ones_own_is_logged():
    assert logged("prisoners_dilemma", collusion=7.0)["collusion"] == 7.0
