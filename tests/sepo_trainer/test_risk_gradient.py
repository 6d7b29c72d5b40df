"""Training under risk over the train pool, against finite differences of the risk functional."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from opponents.opponent import Opponent, Pool
from sepo_trainer import train as training
from sepo_trainer.courses.risk import emphasis
from sepo_trainer.courses.scores import Against, Scores
from sepo_trainer.train import learnable, train
from tests.sepo_trainer import tabular, walked
from tests.sepo_trainer.runs import UNTRAINED, gates, run_with
from tests.sepo_trainer.tabular import Dilemma, under
from tests.sepo_trainer.test_gates import scripted
from tests.sepo_trainer.test_gradient import FAR, THREE_SIGMA, Played, chance_of

FUNCTIONALS = {
    "entropic": (3.0, lambda u: -np.log(np.mean(np.exp(-3 * u))) / 3),
    "variance": (2.0, lambda u: np.mean(u) - 2 * np.mean((u - np.mean(u)) ** 2)),
    "worst_case": (0.0, np.min),
}
"""Each risk with its aversion, written out."""


@pytest.fixture(scope="module")
def kuhn() -> Played:
    theta = [-1.0, 0.3, 0.8, -0.4, 0.2, 0.9, 1.2, -0.8, -1.3, -0.6, 0.4, 1.0]
    return Played(tabular.kuhn(), theta, batches=80)


def mirrors(seen) -> dict[str, float]:
    """Cooperates, then repeats the other's last move."""
    seat, _, rounds = seen.infostate.partition(":")
    last = rounds.split(",")[-1][1 - int(seat)] if rounds else "c"
    return {"c": float(last == "c"), "d": float(last == "d")}


@pytest.fixture(scope="module")
def dilemma() -> Played:
    """Two rounds against one who forgives everything and one who repays: what pays with the one
    costs with the other."""
    stage = tabular.dilemma(Dilemma(2))
    pool = Pool("train", (tabular.cooperator(1.0), Opponent("mirror", mirrors, "by hand")))
    stage = replace(stage, pools={**stage.pools, "train": pool})
    theta = [0.1 * number - 0.3 for number in range(len(stage.tree.situations))]
    return Played(stage, theta, batches=80, deals=8)


@pytest.fixture(params=["kuhn", "dilemma"])
def world(request) -> Played:
    return request.getfixturevalue(request.param)


def payoffs(world, theta) -> np.ndarray:
    """What the policy earns against each opponent of the train pool, by walking every history."""

    def earned(episode, seat):
        return episode.returns[seat] / episode.game.rounds

    model, members = world.run.language.model, world.opponents["train"]
    return np.array([float(walked.expectation(model, theta, o, earned)) for o in members])


def differences(world, functional) -> torch.Tensor:
    """The gradient of the functional of the payoffs, by central differences."""
    theta = world.run.language.model.theta.detach().double()
    found = []
    for number in range(theta.numel()):
        nudge = torch.zeros_like(theta)
        nudge.view(-1)[number] = 1e-4
        up, down = payoffs(world, theta + nudge), payoffs(world, theta - nudge)
        found.append((functional(up) - functional(down)) / 2e-4)
    return torch.tensor(found, dtype=torch.float64)


def climbed(world, risk, **weights) -> torch.Tensor:
    """The whole objective's gradient with the functional in the place of u."""
    scale = world.run.course.weights.scale
    mean = differences(world, np.mean)
    return world.exact(**weights) + scale * (differences(world, FUNCTIONALS[risk][1]) - mean)


def estimates(world, risk, arm="credited") -> torch.Tensor:
    """What the trainer makes of each batch, at the exact payoffs, known before it was played."""
    known = {name: met.payoff for name, met in world.scores.against.items()}
    names = [opponent.name for opponent in world.opponents["train"]]
    counts = emphasis(names, known, risk, FUNCTIONALS[risk][0])
    course, open_ = under(world.run, penalty_credit=arm).course, gates(world.scores)
    return torch.stack(
        [
            tabular.ascent(world.run, learnable(course, groups, open_, counts)[0])
            for groups in world.batches
        ]
    )


@pytest.mark.parametrize("risk", FUNCTIONALS)
def test_weighing_opponents_estimates_the_gradient_of_the_risk(world, risk):
    assert chance_of(estimates(world, risk), climbed(world, risk)) > THREE_SIGMA


@pytest.mark.parametrize("risk", FUNCTIONALS)
def test_the_estimate_is_sharp_enough_to_tell_a_risk_from_the_mean(dilemma, risk):
    """On payoffs alone, where there is less noise, and which are points apart."""
    nothing = {"exploitability": 0.0, "collusion": 0.0, "externality": 0.0}
    samples = estimates(dilemma, risk, arm="reward_only")
    assert chance_of(samples, climbed(dilemma, risk, **nothing)) > THREE_SIGMA
    assert chance_of(samples, dilemma.exact(**nothing)) < FAR


def test_the_mean_is_the_objective_itself(world):
    mean = differences(world, np.mean)
    only_u = world.exact(exploitability=0.0, collusion=0.0, externality=0.0)
    torch.testing.assert_close(world.run.course.weights.scale * mean, only_u, rtol=0, atol=1e-6)


def test_only_payoffs_are_weighed():
    """Fouls and harms count as ever, also against an opponent whose payoffs count for nothing."""
    run = run_with(UNTRAINED, rollout={"max_new_tokens": 2})
    course = run.course
    opponents = {"train": course.stage.pools["train"].opponents}
    groups = course.arena.play(course.sampler, opponents, iteration=0)
    nothing = dict.fromkeys((o.name for o in opponents["train"]), 0.0)
    rewards = training.credit(
        groups,
        arm="credited",
        weights=course.weights,
        harms=course.stage.domain.harms,
        gates={},
        emphasis=nothing,
        foul_penalty=0.5,
    )
    for group, table, _ in rewards:
        fouls = np.array([rollout.fouls for rollout in group.rollouts])
        assert (fouls > 0).all()  # it babbles
        np.testing.assert_allclose(table[:, 0], -0.5 * course.weights.scale * fouls)


def test_where_the_policy_is_read_the_weights_are_those_of_its_exact_payoffs():
    objective = {"risk": "worst_case"}
    run = run_with(UNTRAINED, rollout={"max_new_tokens": 4}, objective=objective)
    known = run.course.read()
    train_pool = {o.name: known.scores.against[o.name].payoff for o in known.opponents["train"]}
    worst = min(train_pool, key=train_pool.__getitem__)
    assert known.emphasis == {name: 3.0 * (name == worst) for name in train_pool}
    run.course.standing.payoffs = dict.fromkeys(train_pool, 9.0)
    assert run.course.read().emphasis == known.emphasis


def weights_used(run, monkeypatch):
    used, steps, learnable = [], [], training.learnable

    def noting(course, groups, gates, emphasis, **when):
        used.append(dict(emphasis))
        return learnable(course, groups, gates, emphasis, **when)

    monkeypatch.setattr(training, "learnable", noting)
    train(run, lambda done: steps.extend(done))
    return used, steps


def test_where_it_is_not_they_are_those_of_earlier_iterations(monkeypatch):
    """Nothing is known before the first iteration, so all count alike; then what the first one
    paid, and after the second .8 of that and .2 of what the second paid."""
    run = scripted("[defect]", "[cooperate]", "[cooperate]", objective={"risk": "worst_case"})
    used, steps = weights_used(run, monkeypatch)
    names = {"tit-for-tat", "generous-tit-for-tat", "random", "lenient"}
    assert used[0] == dict.fromkeys(names, 1.0)
    first = {name: steps[0].scores.against[name].payoff for name in names}
    worst = [name for name in names if first[name] == min(first.values())]
    assert used[1] == {name: 4.0 / len(worst) * (name in worst) for name in names}
    second = {name: steps[1].scores.against[name].payoff for name in names}
    both = {name: 0.8 * first[name] + 0.2 * second[name] for name in names}
    least = min(both.values())
    worst = [name for name in names if both[name] == least]
    assert used[2] == {name: 4.0 / len(worst) * (name in worst) for name in names}
    assert first != second


def test_the_value_that_is_climbed_is_logged_beside_j(monkeypatch):
    run = scripted("[defect]", objective={"risk": "worst_case"})
    _, [step] = weights_used(run, monkeypatch)
    against = step.scores.against
    train_pool = [against[o.name].payoff for o in run.course.stage.pools["train"].opponents]
    assert step.stats["u_at_risk"] == min(train_pool)
    assert step.scores.u == pytest.approx(np.mean(train_pool))
    assert min(train_pool) < step.scores.u


def test_running_means_of_payoffs_are_saved_and_restored(tmp_path):
    risky = {"game": {"name": "prisoners_dilemma"}, "objective": {"risk": "worst_case"}}
    run, fresh = run_with(UNTRAINED, **risky), run_with(UNTRAINED, **risky)
    scores = {"random": Against(-1.0, 0.0), "lenient": Against(2.0, 0.0)}
    run.course.standing.notice(Scores(0, 0, 0, 0, 0, scores, None))
    fresh.restore(run.checkpoint(), source=tmp_path)
    assert fresh.course.read().emphasis["random"] == 4.0
    assert run.course.read() == fresh.course.read()


def test_a_risk_that_deviations_would_divide_away_is_refused():
    with pytest.raises(ValueError, match=r"risk is 'entropic', but .* 'std'"):
        run_with(UNTRAINED, objective={"risk": "entropic"}, learning={"advantage": "std"})
