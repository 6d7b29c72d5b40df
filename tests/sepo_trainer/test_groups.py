"""What a group may depend on, and what must cancel in it."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sepo_trainer.courses.scores import score
from sepo_trainer.learning.advantage import (
    centered,
    rewards_to_go,
    role_conditioned,
    standardized,
    whole_episode,
)
from sepo_trainer.learning.credit import credit
from sepo_trainer.train import learnable
from tests.sepo_trainer import tabular
from tests.sepo_trainer.runs import gates
from tests.sepo_trainer.tabular import Dilemma

tables = st.tuples(st.integers(2, 6), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.floats(-100, 100))
)


@given(tables)
def test_advantages_sum_to_zero_over_the_group(returns):
    assert np.abs(centered(returns).sum(0)).max() < 1e-8
    assert np.abs(standardized(returns).sum(0)).max() < 1e-6


@given(tables)
def test_leaving_oneself_out_undoes_the_shrinkage_of_the_groups_mean(returns):
    """r - mean = (G - 1)/G (r - mean of the others)."""
    count = len(returns)
    shrunk = returns - returns.mean(0)
    np.testing.assert_allclose(shrunk, (count - 1) / count * centered(returns), atol=1e-8)


@given(tables, st.floats(-1000, 1000))
def test_what_all_replicates_get_alike_changes_no_advantage(returns, constant):
    np.testing.assert_allclose(centered(returns + constant), centered(returns), atol=1e-8)


def test_a_shared_penalty_leaves_not_even_its_rounding():
    """Penalties of many sizes, in rewards of many digits: the advantages are the same bits."""
    returns = np.random.default_rng(0).normal(size=(4, 3))
    for rule in (centered, standardized):
        for penalty in (0.1, 1 / 3, 7.7, 123.456):
            assert (rule(returns - penalty) == rule(returns)).all()


@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_replicates_does_not_matter(returns, rng):
    order = rng.sample(range(len(returns)), len(returns))
    for rule in (centered, standardized):
        np.testing.assert_allclose(rule(returns[order]), rule(returns)[order], atol=1e-6)


@given(arrays(np.float64, (8, 1), elements=st.floats(-1e-9, 1e-9)), st.floats(-2, 2))
def test_noise_of_a_billionth_is_no_signal(noise, level):
    for rule in (centered, standardized):
        assert np.abs(rule(level + noise)).max() < 1e-6


def test_a_spread_worth_learning_from_is_scaled_to_one():
    """By hand: 1 and 3 lie one standard deviation off their mean, as do 0.001 and 0.003."""
    for scale in (1.0, 1e-3):
        advantages = standardized(scale * np.array([[1.0], [3.0]]))
        assert advantages.ravel().tolist() == pytest.approx([-1.0, 1.0])


def test_a_group_of_one_has_nobody_to_be_compared_with():
    assert centered(np.array([[7.0, -3.0]])).tolist() == [[0.0, 0.0]]
    assert standardized(np.array([[7.0, -3.0]])).tolist() == [[0.0, 0.0]]


def test_a_turn_is_not_credited_with_what_came_before_it():
    rewards = np.array([[1.0, 2.0, 4.0], [0.0, 8.0, 0.0]])
    assert rewards_to_go(rewards).tolist() == [[7.0, 6.0, 4.0], [8.0, 8.0, 0.0]]


def test_the_role_baseline_is_read_before_it_is_updated():
    """By hand: b = 0, .05, .0975, so 1 - 0, 1 - .05 and -1 - .0975 (SPIRAL's decay of .95)."""
    baselines: dict[str, float] = {}
    found = role_conditioned(np.array([[1.0], [1.0], [-1.0]]), baselines, "seat 0")
    assert found.ravel().tolist() == pytest.approx([1.0, 0.95, -1.0975])
    again = role_conditioned(np.array([[0.0]]), baselines, "seat 0")
    assert again.item() == pytest.approx(-(0.95 * 0.0975 - 0.05))
    assert role_conditioned(np.array([[1.0]]), baselines, "seat 1").item() == 1.0


def played(game=None, **settings):
    game = game or Dilemma(2)
    size = len(tabular.dilemma(game).tree.situations)
    theta = torch.linspace(-0.8, 0.8, size)[:, None]
    run = tabular.tabular_run(tabular.dilemma(game), theta=theta, **settings)
    table = run.course.table()
    opponents = run.course.opponents(table)
    groups = run.course.arena.play(run.course.sampler, opponents, iteration=0)
    return run, groups, score(run.course.stage.tree, table, opponents, run.course.weights)


def test_a_group_is_one_pool_opponent_deal_and_seat():
    """Five opponents, one deal, two seats; each group's shares of its pool sum to 1."""
    _, groups, _ = played()
    assert len({group.key for group in groups}) == len(groups) == 10
    assert all({r.key for r in group.rollouts} == {group.key} for group in groups)
    for pool in ("train", "exploit", "collusive"):
        assert sum(g.weight for g in groups if g.key.pool == pool) == pytest.approx(1.0)


def test_the_order_of_rows_changes_no_gradient():
    run, groups, scores = played()
    rows, _ = learnable(run.course, groups, gates(scores))
    shuffled = Random(0).sample(rows, len(rows))
    torch.testing.assert_close(
        tabular.ascent(run, shuffled), tabular.ascent(run, rows), rtol=1e-5, atol=1e-7
    )


def test_more_turns_change_no_episodes_reward():
    """Credit knows episodes: one that took more turns weighs no more in its group's baseline."""
    run, groups, scores = played()

    def rewards(groups):
        found = credit(
            groups,
            arm="credited",
            weights=run.course.weights,
            harms=run.course.stage.domain.harms,
            gates=gates(scores),
            emphasis={},
            foul_penalty=0.5,
        )
        return np.concatenate([one.rewards for one in found])

    first, *others = groups
    longer, *rest = first.rollouts
    longer = replace(longer, turns=longer.turns * 3)
    stretched = [replace(first, rollouts=(longer, *rest)), *others]
    np.testing.assert_array_equal(rewards(stretched), rewards(groups))
    advantages = [
        [row.advantages for row in learnable(run.course, those, gates(scores))[0]]
        for those in (groups, stretched)
    ]
    turns = len(first.rollouts[0].turns)
    assert advantages[1][-len(rest) :] == advantages[0][-len(rest) :]
    assert len(advantages[1]) == len(advantages[0]) + 2 * turns


def test_ten_points_more_for_one_seat_change_no_advantage():
    """Seats are never compared with one another, so a game that favours one teaches nothing."""
    rows = []
    for bonus in (0.0, 10.0):
        run, groups, scores = played(Dilemma(2, bonus=bonus))
        assert np.mean([r.episode.returns[0] for g in groups for r in g.rollouts]) > 2 * bonus
        # The welfare lost is a positive part, which a bonus would really change; and the exploit
        # pool's gates are those of the plain game.
        run = tabular.weighing(run, externality=0.0)
        scores = scores._replace(
            against={k: a._replace(margin=1.0) for k, a in scores.against.items()}
        )
        rows.append(learnable(run.course, groups, gates(scores))[0])
    plain, favoured = rows
    assert any(any(row.advantages) for row in plain)
    for one, other in zip(plain, favoured, strict=True):
        assert one.rest_ids == other.rest_ids
        assert one.advantages == pytest.approx(other.advantages, abs=1e-9)


def advantages(rounds: int, credited: str, style: str) -> tuple[list[tuple[float, ...]], int]:
    """What each written token of each row is credited with, and how many rows say several."""
    game = Dilemma(rounds)
    run, groups, scores = played(game, learning={"credit": credited}, rollout={"style": style})
    rows, _ = learnable(run.course, groups, gates(scores))
    told = [
        tuple(a for a, mine in zip(row.advantages, row.written, strict=True) if mine)
        for row in rows
    ]
    return told, sum(len(set(one)) > 1 for one in told)


def test_credit_for_the_episode_is_the_same_for_each_of_its_rounds():
    """In a conversation a row is the whole episode; with credit by the turn many rows differ."""
    episode, uneven = advantages(2, "episode", "conversation")
    assert uneven == 0
    assert any(any(one) for one in episode)
    turn, uneven = advantages(2, "turn", "conversation")
    assert uneven > len(turn) / 4
    assert [one[0] for one in turn] == [one[0] for one in episode]  # all is yet to come


def test_in_a_game_of_one_round_the_episode_is_the_turn():
    assert advantages(1, "episode", "fresh") == advantages(1, "turn", "fresh")


def test_the_whole_episode_by_hand():
    """Sums 7 and 8; against the other replicate that is -1 and 1, in each round."""
    rewards = np.array([[1.0, 2.0, 4.0], [0.0, 8.0, 0.0]])
    assert whole_episode(rewards).tolist() == [[7.0] * 3, [8.0] * 3]
    assert centered(whole_episode(rewards)).tolist() == [[-1.0] * 3, [1.0] * 3]


def test_groups_that_carry_no_signal_are_counted():
    """A lone replicate is its own baseline, so a batch of such groups teaches nothing."""
    run, _, scores = played()
    alone = replace(run.course.arena, replicates=1).play(
        run.course.sampler, run.course.opponents(run.course.table()), iteration=0
    )
    rows, stats = learnable(run.course, alone, gates(scores))
    assert stats["groups_without_signal"] == stats["groups"] == 10
    assert not any(any(row.advantages) for row in rows)
    _, lively = learnable(run.course, played()[1], gates(scores))
    assert lively["groups_without_signal"] < 5
