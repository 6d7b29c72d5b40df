"""The estimators of dJ/dtheta against the exact gradient, by enumeration, of a tabular policy.

Everything between the episodes and the gradient is the trainer's own code; see `tabular`. The group
size is 2, where a group's own mean as baseline would halve the gradient, so that such a slip shows.
"""

from dataclasses import replace
from functools import cached_property

import pytest
import torch
from scipy.stats import f as f_distribution

from sepo_trainer.courses.scores import score
from sepo_trainer.records import Group
from sepo_trainer.train import learnable
from tests.sepo_trainer import tabular, walked
from tests.sepo_trainer.runs import gates
from tests.sepo_trainer.tabular import Dilemma, changing, gradient, under, weighing

THREE_SIGMA = 0.0027
"""The share of honest estimates that lie three standard errors off."""
FAR = 1e-9


def chance_of(samples: torch.Tensor, mean: torch.Tensor) -> float:
    """How likely an estimate so far from ``mean`` is (Hotelling's T-squared, all coordinates)."""
    off, varies = samples.mean(0) - mean, samples.var(0) > 1e-12
    if (off[~varies].abs() > 1e-6).any():
        return 0.0
    samples, off = samples[:, varies], off[varies]
    count, size = samples.shape
    t_squared = float(count * off @ torch.linalg.solve(samples.T.cov(), off))
    scaled = t_squared * (count - size) / (size * (count - 1))
    return float(f_distribution.sf(scaled, size, count - size))


class Played:
    """Many independent batches of one policy against fixed pools."""

    def __init__(self, stage, theta, *, batches, **rollout):
        rollout = {"group_size": 2} | rollout
        self.run = tabular.tabular_run(stage, theta=torch.tensor(theta)[:, None], rollout=rollout)
        table = self.run.course.table()
        self.opponents = self.run.course.opponents(table)
        self.scores = score(stage.tree, table, self.opponents, self.run.course.weights)
        self.batches = [
            self.run.course.arena.play(self.run.course.sampler, self.opponents, iteration=number)
            for number in range(batches)
        ]

    @cached_property
    def credited(self) -> torch.Tensor:
        """The default arm's estimate from each batch, ``(batches, parameters)``."""
        return self.gradients()

    def gradients(self, run=None, *, batches=None) -> torch.Tensor:
        run = run or self.run
        return torch.stack(
            [gradient(run, groups, self.scores) for groups in self.batches[:batches]]
        )

    def exact(self, **weights) -> torch.Tensor:
        changed = replace(self.run.course.weights, **weights)
        return walked.exact_gradient(self.run, self.opponents, changed)

    def pool(self, name) -> list[list[Group]]:
        return [[group for group in groups if group.key.pool == name] for groups in self.batches]


@pytest.fixture(scope="module")
def kuhn() -> Played:
    """A policy that is neither uniform nor near an equilibrium; both exploiters gain on it."""
    theta = [-1.0, 0.3, 0.8, -0.4, 0.2, 0.9, 1.2, -0.8, -1.3, -0.6, 0.4, 1.0]
    return Played(tabular.kuhn(), theta, batches=80)


@pytest.fixture(scope="module")
def dilemma() -> Played:
    return Played(tabular.dilemma(Dilemma()), [0.3, 0.1], batches=60, deals=16)


@pytest.fixture(scope="module")
def twice() -> Played:
    """Two rounds as one growing conversation, in which each turn has its own rewards-to-go."""
    theta = [0.3, 0.1, -0.5, 0.2, 0.7, 0.4, -0.2, -0.6, 0.1, 0.5]
    return Played(tabular.dilemma(Dilemma(2)), theta, batches=60, deals=16, style="conversation")


WORLDS = ["kuhn", "dilemma", "twice"]


@pytest.fixture(params=WORLDS)
def world(request) -> Played:
    return request.getfixturevalue(request.param)


def test_two_ways_to_compute_the_objective_agree(kuhn):
    """`scores` passes over arrays, the oracle walks the histories."""
    theta = kuhn.run.language.model.theta.detach().double()
    by_hand = walked.objective(kuhn.run, kuhn.opponents, theta, kuhn.run.course.weights)
    assert float(by_hand) == pytest.approx(kuhn.scores.objective, abs=1e-12)


def test_credited_estimates_the_gradient_of_the_objective(world):
    assert chance_of(world.credited, world.exact()) > THREE_SIGMA


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("kuhn", {"exploitability": 3.0}),
        ("kuhn", {"scale": 1.0}),
        ("dilemma", {"exploitability": 0.0}),
        ("dilemma", {"collusion": 4.0}),
        ("dilemma", {"externality": 0.0}),
        ("twice", {"exploitability": 0.0}),
        ("twice", {"collusion": 4.0}),
        ("twice", {"externality": 0.0}),
    ],
)
def test_the_estimate_is_sharp_enough_to_tell_another_weight(request, name, wrong):
    world = request.getfixturevalue(name)
    assert chance_of(world.credited, world.exact(**wrong)) < FAR


def test_the_estimate_is_sharp_enough_to_tell_a_biased_baseline(world):
    """A group's own mean as its baseline would give (G - 1)/G of the gradient: here the half."""
    assert chance_of(world.credited, world.exact() / 2) < FAR


@pytest.mark.parametrize("name", ["dilemma", "twice"])
def test_an_exploiter_that_earns_less_in_expectation_bears_no_penalty(request, name):
    """Episodes in which it happens to earn more must not count: the expectation is clipped."""
    world = request.getfixturevalue(name)
    margins = {
        opponent: world.scores.against[opponent].margin
        for opponent in ("cooperates-0", "cooperates-0.9")
    }
    assert margins["cooperates-0"] > 0 > margins["cooperates-0.9"]
    beaten = [
        group
        for groups in world.pool("exploit")
        for group in groups
        if group.key.opponent == "cooperates-0.9"
        and any(
            r.episode.returns[1 - r.key.seat] > r.episode.returns[r.key.seat]
            for r in group.rollouts
        )
    ]
    assert beaten
    ungated = world.scores._replace(
        against={key: met._replace(margin=1.0) for key, met in world.scores.against.items()}
    )
    samples = torch.stack([gradient(world.run, groups, ungated) for groups in world.batches])
    assert chance_of(samples, world.exact()) < FAR


def test_reward_only_estimates_the_gradient_of_the_payoff_alone(world):
    run = under(world.run, penalty_credit="reward_only")
    exact = world.exact(exploitability=0.0, collusion=0.0, externality=0.0)
    assert chance_of(world.gradients(run), exact) > THREE_SIGMA


@pytest.mark.parametrize("advantage", ["centered", "std"])
def test_a_penalty_shared_by_the_group_has_no_gradient_at_all(world, advantage):
    """It cancels in the baseline, so the arm is reward-only, whatever the weights."""
    learning = world.run.config.learning.model_copy(update={"advantage": advantage})
    config = world.run.config.model_copy(update={"learning": learning})
    run = changing(world.run, config=config)
    alone = world.gradients(under(run, penalty_credit="reward_only"), batches=8)
    assert alone.abs().max() > 0.01
    for weights in ({}, {"exploitability": 100.0}, {"collusion": 100.0, "externality": 50.0}):
        shared = under(weighing(run, **weights), penalty_credit="shared")
        torch.testing.assert_close(world.gradients(shared, batches=8), alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "free_of_it"),
    [
        ("kuhn", {"exploitability": 0.0}),
        ("dilemma", {"exploitability": 0.0, "collusion": 0.0}),
    ],
)
def test_a_penalty_from_other_episodes_only_adds_variance(request, name, free_of_it):
    """Its weights are raised so that the noise is seen beside that of the many deals of a batch."""
    world = request.getfixturevalue(name)
    raised = {"exploitability": 6.0, "collusion": 10.0, "externality": 0.0}
    run = under(weighing(world.run, **raised), penalty_credit="auxiliary")
    charged, free = world.gradients(run), world.gradients(weighing(run, **free_of_it))
    assert (charged - free).abs().max() > 0.01
    nothing = torch.zeros(charged.shape[1], dtype=torch.float64)
    assert chance_of(charged - free, nothing) > THREE_SIGMA
    assert chance_of(charged, world.exact(**raised)) < FAR
    of_train = under(run, penalty_credit="reward_only")
    assert charged.var(0).sum() > 1.5 * world.gradients(of_train).var(0).sum()


@pytest.mark.parametrize(("advantage", "factor"), [("centered", 2.0), ("std", 1.0)])
def test_doubling_a_weight_doubles_its_pools_pull_unless_deviations_divide_it(
    kuhn, advantage, factor
):
    """Divided by each group's spread, every pool pulls alike and lambda has nothing to say."""
    learning = kuhn.run.config.learning.model_copy(update={"advantage": advantage})
    run = changing(kuhn.run, config=kuhn.run.config.model_copy(update={"learning": learning}))

    def pull(run, pool):
        return torch.stack([gradient(run, groups, kuhn.scores) for groups in kuhn.pool(pool)[:8]])

    before, after = weighing(run, exploitability=1.5), weighing(run, exploitability=3.0)
    assert pull(before, "exploit").norm() > 0.1
    torch.testing.assert_close(
        pull(after, "exploit"), factor * pull(before, "exploit"), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(pull(after, "train"), pull(before, "train"), rtol=0, atol=0)


def test_one_row_per_episode_and_one_per_decision_give_one_gradient(twice):
    """A long episode counts once, however many rows it falls into."""
    fresh = Played(
        twice.run.course.stage, twice.run.language.model.theta[:, 0].tolist(), batches=5, deals=16
    )
    rows = [
        len(learnable(played.run.course, played.batches[0], gates(played.scores))[0])
        for played in (twice, fresh)
    ]
    assert rows[1] == 2 * rows[0]
    torch.testing.assert_close(fresh.gradients(), twice.credited[:5], rtol=1e-5, atol=1e-6)
