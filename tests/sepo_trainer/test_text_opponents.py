"""Opponents that read and reply in text, with weights of their own."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from opponents.opponent import from_table
from sepo_trainer.courses.scores import meet, sampled
from sepo_trainer.learning.rows import rows_of
from sepo_trainer.records import Reply, Request
from sepo_trainer.samplers import TextOpponent
from sepo_trainer.samplers.transformers import TransformersSampler
from sepo_trainer.train import learnable
from tests.sepo_trainer import tabular, walked
from tests.sepo_trainer.runs import UNTRAINED, run_with

MINE = torch.linspace(-1.2, 1.2, 12)[:, None]
THEIRS = torch.linspace(1.5, -0.5, 12)[:, None]


def frozen(run, theta):
    """A table's sampler of its own, and its action table."""
    model = tabular.Table(run.course.stage.tree)
    model.theta.data.copy_(theta)
    sampler = TransformersSampler(model, end_ids=(), pad_id=0, max_new_tokens=1)
    return sampler, tabular.action_table(model, theta.double())


@dataclass
class Says:
    """A sampler that says one thing, and notes what it was asked."""

    renderer: object
    text: str
    version: int = 0
    asked: list[Request] = field(default_factory=list)

    def generate(self, requests):
        self.asked += requests
        ids = self.renderer.reply(self.text)
        return [Reply(ids, (0.0,) * len(ids), True) for _ in requests]

    def publish(self, version):
        self.version = version


def test_it_plays_as_the_strategy_that_its_table_is():
    """Every deal, 400 replicates with their own draws, against the exact payoff of the table."""
    run = tabular.tabular_run(tabular.kuhn(), theta=MINE, rollout={"group_size": 400})
    arena = replace(run.course.arena, common_draws=False)
    sampler, table = frozen(run, THEIRS)
    groups = arena.play(run.course.sampler, {"train": (TextOpponent("it", sampler),)}, iteration=0)
    found = sampled(groups, run.course.stage.domain.harms, run.course.weights).against["it"]
    exact = meet(run.course.stage.tree, run.course.table(), from_table("it", table, "by hand"))
    shares = np.array([group.weight for group in groups])
    spread = [np.var([r.episode.returns[r.key.seat] for r in one.rollouts]) for one in groups]
    error = float(np.sqrt((shares**2 * spread).sum() / 400))
    assert 0 < error < 0.05
    assert abs(found.payoff - exact.payoff) < 4 * error
    # It is another policy than the one that learns, and the payoff tells.
    itself = meet(
        run.course.stage.tree, run.course.table(), from_table("me", run.course.table(), "by hand")
    )
    assert abs(itself.payoff - exact.payoff) > 8 * error


def test_the_gradient_against_it_is_the_gradient_against_its_table():
    """Both in expectation: 60 batches each, compared in units of their standard error."""
    run = tabular.tabular_run(tabular.kuhn(), theta=MINE, rollout={"group_size": 8})
    sampler, table = frozen(run, THEIRS)

    def slopes(opponent):
        found = []
        for number in range(60):
            groups = run.course.arena.play(
                run.course.sampler, {"train": (opponent,)}, iteration=number
            )
            found.append(tabular.ascent(run, learnable(run.course, groups, {})[0]))
        return torch.stack(found)

    spoken = slopes(TextOpponent("it", sampler))
    opponents = {"train": (from_table("it", table, "by hand"),)}
    exact = walked.exact_gradient(run, opponents, run.course.weights)
    error = spoken.std(0) / 60**0.5
    assert exact.abs().max() > 0.05
    assert ((spoken.mean(0) - exact).abs() <= 4 * error + 1e-7).all()


def test_each_writer_is_asked_for_its_own_seats_alone():
    """In Kuhn poker a prompt names the card of its reader: the other's stands in no prompt."""
    run = run_with(UNTRAINED)
    mine, theirs = Says(run.renderer, "[check]"), Says(run.renderer, "[check]")
    groups = run.course.arena.play(mine, {"train": (TextOpponent("it", theirs),)}, iteration=0)
    decisions = sum(rollout.decisions for group in groups for rollout in group.rollouts)
    assert len(mine.asked) == decisions > 0
    # Nobody bets, so every seat is asked exactly once a hand, and the first may fold to nobody.
    assert len(theirs.asked) == len(mine.asked)
    for group in groups:
        for rollout in group.rollouts:
            assert len(rollout.turns) == rollout.decisions
            assert [m.role for m in rollout.messages] == ["user", "assistant"] * rollout.decisions
            for turn in rollout.turns:
                assert turn.prompt_ids in {request.prompt_ids for request in mine.asked}


def test_nothing_that_it_says_is_learned_from():
    run = run_with(UNTRAINED, rollout={"max_new_tokens": 4})
    theirs = Says(run.renderer, "[bet]")
    mine = Says(run.renderer, "[check]")
    groups = run.course.arena.play(mine, {"train": (TextOpponent("it", theirs),)}, iteration=0)
    rows, _ = learnable(run.course, groups, {})
    written = {
        tuple(token for token, ours in zip(row.rest_ids, row.written, strict=True) if ours)
        for row in rows
    }
    assert written == {run.renderer.reply("[check]")}
    assert rows_of([], [], move_tokens=run.renderer.move_tokens) == []


def test_what_it_cannot_say_readably_is_its_own_foul():
    run = run_with(UNTRAINED)
    mine, theirs = Says(run.renderer, "[bet]"), Says(run.renderer, "I bet, of course.")
    groups = run.course.arena.play(mine, {"train": (TextOpponent("it", theirs),)}, iteration=0)
    for group in groups:
        for rollout in group.rollouts:
            assert rollout.fouls == 0
            # First to act it is taken to check, and then to fold to the bet.
            assert rollout.episode.fouls[1 - group.key.seat] == 1 + group.key.seat
            assert rollout.episode.returns[group.key.seat] == 1.0
    fouls = sum(sum(r.episode.fouls) for group in groups for r in group.rollouts)
    assert len(theirs.asked) == 2 * fouls


@pytest.mark.parametrize("common", [True, False])
def test_replicates_share_its_draws_where_they_share_draws(common):
    """A policy that always does the same meets the same replies from a stochastic opponent."""
    certain = torch.full((12, 1), 50.0)
    run = tabular.tabular_run(tabular.kuhn(), theta=certain, rollout={"group_size": 8})
    arena = replace(run.course.arena, common_draws=common)
    sampler, _ = frozen(run, torch.zeros(12, 1))
    groups = arena.play(run.course.sampler, {"train": (TextOpponent("it", sampler),)}, iteration=0)
    alike = [len({r.episode.entries for r in group.rollouts}) == 1 for group in groups]
    assert all(alike) == common


def test_two_rounds_at_once_in_one_growing_conversation():
    """Simultaneous moves: both are asked before either is known, and both hear of the round."""
    game = {"name": "prisoners_dilemma", "options": {"rounds": 2}}
    run = run_with(UNTRAINED, style="conversation", game=game)
    mine, theirs = Says(run.renderer, "[cooperate]"), Says(run.renderer, "[defect]")
    groups = run.course.arena.play(mine, {"train": (TextOpponent("it", theirs),)}, iteration=0)
    for group in groups:
        for rollout in group.rollouts:
            returns, seat = rollout.episode.returns, group.key.seat
            assert (returns[seat], returns[1 - seat]) == (0.0, 10.0)
            first, second = rollout.turns
            assert second.prompt_ids[: len(first.prompt_ids)] == first.prompt_ids


def test_against_itself_both_seats_are_one_batch():
    run = run_with(UNTRAINED)
    calls = []

    class Counting(Says):
        def generate(self, requests):
            calls.append(len(requests))
            return super().generate(requests)

    both = Counting(run.renderer, "[check]")
    groups = run.course.arena.play(both, {"train": (TextOpponent("self", both),)}, iteration=0)
    episodes = sum(len(group.rollouts) for group in groups)
    assert calls == [episodes, episodes]
