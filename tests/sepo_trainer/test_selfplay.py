"""The policy among its own opponents: whom it meets, what counts, and what is learned from."""

import pytest

from sepo_trainer.courses.scores import sampled
from sepo_trainer.runs.metrics import metrics_line
from sepo_trainer.train import train
from tests.sepo_trainer import tabular
from tests.sepo_trainer.runs import UNTRAINED, run_with
from tests.sepo_trainer.test_sampled_scores import HARMS, group

FIXED = {"nash", "tight-passive", "loose-aggressive"}


def trained(kind: str, *, iterations: int = 6, **learning):
    """A table that learns Kuhn poker; it is read, so every number is exact."""
    run = tabular.tabular_run(
        tabular.kuhn(),
        rollout={"group_size": 2},
        learning={"iterations": iterations, "learning_rate": 0.3} | learning,
        selfplay={"kind": kind} | ({"every": 2, "keep": 2} if kind == "snapshots" else {}),
    )
    steps = []
    train(run, lambda done: steps.extend(done))
    return run, steps


def met(step, pool="train") -> set[str]:
    return {group.key.opponent for group in step.groups if group.key.pool == pool}


def test_the_warm_start_is_met_first_and_then_the_newest_snapshots():
    _, steps = trained("snapshots")
    selves = [met(step) - FIXED for step in steps]
    assert selves[0] == selves[1] == {"snapshot-000000"}
    assert selves[2] == selves[3] == {"snapshot-000000", "snapshot-000002"}
    assert selves[4] == selves[5] == {"snapshot-000002", "snapshot-000004"}
    assert all(met(step) > FIXED for step in steps)


def test_only_the_train_pool_grows():
    _, steps = trained("snapshots")
    assert {frozenset(met(step, "exploit")) for step in steps} == {
        frozenset({"always-bet", "best-response"})
    }
    for step in steps:
        weights = {}
        for one in step.groups:
            weights[one.key.pool] = weights.get(one.key.pool, 0.0) + one.weight
        assert weights == pytest.approx({"train": 1.0, "exploit": 1.0})


def test_against_itself_it_earns_nothing_in_a_zero_sum_game_and_something_against_its_past():
    _, steps = trained("snapshots")
    first, *_, last = steps
    assert first.scores.selves["snapshot-000000"].payoff == pytest.approx(0.0, abs=1e-12)
    assert abs(last.scores.selves["snapshot-000002"].payoff) > 1e-3
    _, steps = trained("latest")
    for step in steps:
        assert met(step) - FIXED == {"itself"}
        assert step.scores.selves["itself"].payoff == pytest.approx(0.0, abs=1e-12)


def test_how_it_stands_to_itself_is_no_part_of_what_it_is_worth():
    """u and J are those of the game's own pools, in the very numbers of a policy without selves."""
    _, [alone] = trained("off", iterations=1)
    _, [step] = trained("snapshots", iterations=1)
    assert step.scores[:5] == pytest.approx(alone.scores[:5], nan_ok=True)
    assert step.scores.against == alone.scores.against
    line = metrics_line(step)
    assert line["payoff_against"].keys() == FIXED | {"always-bet", "best-response"}
    assert line["payoff_against_itself"].keys() == {"snapshot-000000"}
    assert "payoff_against_itself" not in metrics_line(alone)


def test_nor_is_it_where_play_tells():
    """By hand: 3 a round against the one opponent; 1 against itself, and 2/3 wasted, count not."""
    played = [group("train", "a", 0, 1 / 2, "CC"), group("train", "itself", 0, 1 / 2, "DD")]
    scores = sampled(played, HARMS, HARMS.published, selves=["itself"])
    assert scores.u == 3.0
    assert scores.x == 0.0
    assert scores.against.keys() == {"a"}
    assert scores.selves["itself"] == (1.0, 0.0)
    both = sampled(played, HARMS, HARMS.published)
    assert both.u == 2.0
    assert both.x == pytest.approx((0 + 2 / 3) / 2)


def test_what_it_learns_hangs_on_whom_it_meets():
    """Else the snapshots would be there for show."""
    ends = [
        trained(kind)[0].language.model.theta.detach() for kind in ("off", "latest", "snapshots")
    ]
    assert (ends[0] - ends[1]).abs().max() > 1e-3
    assert (ends[1] - ends[2]).abs().max() > 1e-3


def test_each_self_and_each_seat_has_a_running_mean_of_its_own():
    """A baseline over both seats of a zero-sum game would be 0 whatever was played."""
    run, _ = trained("snapshots", advantage="rae")
    roles = {key.rpartition("/")[0] for key in run.course.standing.baselines}
    for name in ("snapshot-000000", "snapshot-000002", "snapshot-000004"):
        for seat in (0, 1):
            assert f"kuhn_poker/train/{name}/{seat}" in roles


def test_a_worst_case_over_the_pool_is_over_its_selves_too():
    run = tabular.tabular_run(
        tabular.kuhn(),
        objective={"risk": "worst_case"},
        selfplay={"kind": "latest"},
    )
    known = run.course.read()
    payoffs = {**known.scores.against, **known.scores.selves}
    pool = [*FIXED, "itself"]
    worst = min(pool, key=lambda name: payoffs[name].payoff)
    assert known.emphasis == {name: 4.0 * (name == worst) for name in pool}


def test_snapshots_are_saved_and_restored(tmp_path):
    """Bit for bit, and met as they were."""
    settings = {"selfplay": {"kind": "snapshots", "every": 1}, "rollout": {"max_new_tokens": 2}}
    run, fresh = run_with(UNTRAINED, **settings), run_with(UNTRAINED, **settings, seed=1)
    run.begin_iteration()
    fresh.restore(run.checkpoint(), source=tmp_path)
    assert fresh.snapshots.kept.keys() == {"snapshot-000000"}
    assert fresh.course.read().table.rows == run.course.read().table.rows
    requests = {"train": (run.course.selves()["snapshot-000000"],)}
    again = {"train": (fresh.course.selves()["snapshot-000000"],)}
    arena = run.course.arena
    episodes = [
        [r.episode.entries for one in arena.play(run.course.sampler, pool, iteration=0)
         for r in one.rollouts]
        for pool in (requests, again)
    ]  # fmt: skip
    assert episodes[0] == episodes[1]


def test_the_games_of_a_joint_run_share_the_snapshots_and_meet_them_by_text():
    """One of the games is read out, the other is not; the untrained model forfeits every move."""
    others = ("repeated_auction", "split_negotiation", "item_negotiation")
    run = run_with(
        UNTRAINED,
        game={"name": "joint"},
        courses={"prisoners_dilemma": {"options": {"rounds": 2}}}
        | {name: {"weight": 0.0} for name in others},
        rollout={"max_new_tokens": 2},
        learning={"iterations": 3, "minibatches": 1},
        selfplay={"kind": "snapshots", "every": 1, "keep": 2},
    )
    steps = []
    train(run, lambda done: steps.extend(done))
    assert {step.game for step in steps} == {"kuhn_poker", "prisoners_dilemma"}
    for step in steps:
        newest = [number for number in (step.iteration - 1, step.iteration) if number >= 0]
        assert step.scores.selves.keys() == {f"snapshot-{number:06d}" for number in newest}
        played = [g for g in step.groups if g.key.opponent in step.scores.selves]
        assert played
        assert all(r.episode.fouls[0] and r.episode.fouls[1] for g in played for r in g.rollouts)
