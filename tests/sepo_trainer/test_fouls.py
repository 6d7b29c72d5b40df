"""Replies that cannot be read: asked again, then forfeited, and paid for by the offender alone."""

from dataclasses import replace

import numpy as np
import pytest

from opponents.kuhn_poker import ALWAYS_BET, TIGHT_PASSIVE
from sepo_envs.episode import begin
from sepo_envs.game import FORFEIT
from sepo_envs.games.kuhn_poker.rules import Card, Move
from sepo_trainer.learning.credit import credit
from sepo_trainer.records import Reply
from tests.sepo_trainer.runs import UNTRAINED, run_with
from tests.sepo_trainer.tabular import changing


class Says:
    """A policy that gives the same texts in turn, whatever it is asked."""

    version = 0

    def __init__(self, run, *texts: str):
        self.run, self.texts, self.prompts = run, texts, []

    def generate(self, requests):
        replies = []
        for request in requests:
            text = self.texts[len(self.prompts) % len(self.texts)]
            self.prompts.append(self.run.language.tokenizer.decode(list(request.prompt_ids)))
            ids = self.run.renderer.reply(text)
            replies.append(Reply(ids, (-1.0,) * len(ids), True))
        return replies

    def publish(self, version):
        raise AssertionError("it never learns")


UNREADABLE = {
    "negated": "I will not [bet], so [check]",
    "both": "[check] [bet]",
    "prose": "I bet.",
    "another language": "Ich setze: [setzen]",
    "nothing": "",
    "goes on": "[bet] would be my move, had I a better card",
    "not legal here": "[raise]",
    "cut short": "I hold the King. [be",
    "speaks for the other": "[check]\nuser\nYour opponent folds. Your move was [fold].",
}


@pytest.fixture(scope="module", params=["fresh", "conversation"])
def run(request):
    return run_with(UNTRAINED, style=request.param)


def first_hand(run, *texts, opponent=TIGHT_PASSIVE, replicates=1):
    """Seat 0's first group against ``opponent``, and what the policy was asked."""
    says = Says(run, *texts)
    arena = replace(run.course.arena, replicates=replicates)
    groups = arena.play(says, {"train": (opponent,)}, iteration=0)
    return groups, says


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_names_no_single_legal_move_is_asked_again_and_then_forfeited(run, text):
    groups, says = first_hand(run, text)
    for group in groups:
        (rollout,) = group.rollouts
        mine = [entry for entry in rollout.episode.entries if entry.actor == group.key.seat]
        assert {entry.move for entry in mine} == {FORFEIT}
        assert rollout.fouls == len(mine)
        assert len(rollout.turns) == 2 * len(mine)
        assert sum(rollout.episode.returns) == 0.0
    again = [prompt for prompt in says.prompts if "Your reply could not be read" in prompt]
    assert again


def test_a_second_try_saves_the_move(run):
    groups, _ = first_hand(run, "I bet.", "So: [check]", opponent=TIGHT_PASSIVE)
    rollout = groups[0].rollouts[0]
    assert len(rollout.turns) >= 2
    assert rollout.episode.entries[2].move in (Move.PASS, FORFEIT)


def test_without_retries_the_first_unreadable_reply_forfeits(run):
    strict = changing(run, arena=replace(run.course.arena, max_retries=0))
    groups, says = first_hand(strict, "I bet.")
    assert all(len(g.rollouts[0].turns) == g.rollouts[0].fouls > 0 for g in groups)
    assert not any("could not be read" in p and "rules moved" not in p for p in says.prompts)


def test_the_reason_is_shown_to_the_one_who_is_asked_again(run):
    _, says = first_hand(run, "[check] [bet]")
    assert any("it names 2 different moves, [check] and [bet]" in prompt for prompt in says.prompts)


def test_a_forfeit_folds_to_a_bet_and_never_wins_the_pot(run):
    """Against one who always bets, a policy that cannot speak loses its ante in every hand."""
    groups, _ = first_hand(run, "I call, of course.", opponent=ALWAYS_BET)
    for group in groups:
        assert group.rollouts[0].episode.returns[group.key.seat] == -1.0


def rewards(run, groups, **settings):
    found = credit(
        groups,
        arm=settings.get("arm", "credited"),
        weights=run.course.weights,
        harms=run.course.stage.domain.harms,
        gates={"always-bet": 1.0},
        emphasis={},
        foul_penalty=settings["foul_penalty"],
    )
    return [one.rewards for one in found]


def hand(run, group, *moves):
    """``group``'s first rollout with a King against a Queen and ``moves`` from then on."""
    episode = begin(run.course.stage.game).play(Card.KING).play(Card.QUEEN)
    for move in moves:
        episode = episode.play(move)
    return replace(group.rollouts[0], episode=episode)


@pytest.mark.parametrize("arm", ["credited", "shared", "auxiliary", "reward_only"])
def test_each_forfeit_costs_the_offender_half_a_point_and_nobody_else(run, arm):
    """By hand: -1.5 x 0.5 per forfeit of one's own (s = 1.5), nothing for the opponent's."""
    groups, _ = first_hand(run, "I check.", replicates=1)
    [mine] = [g for g in groups if g.key.seat == 0 and g.key.deal == 0]
    hands = [
        hand(run, mine, Move.PASS, Move.PASS),
        hand(run, mine, FORFEIT, Move.PASS),
        hand(run, mine, Move.PASS, FORFEIT),
        hand(run, mine, Move.PASS, Move.BET, FORFEIT),
        hand(run, mine, FORFEIT, Move.BET, FORFEIT),
    ]
    group = replace(mine, rollouts=tuple(hands))
    free, fined = (
        rewards(run, [group], foul_penalty=points, arm=arm)[0].ravel() for points in (0.0, 0.5)
    )
    assert (free - fined).tolist() == pytest.approx([0.0, 0.75, 0.0, 0.75, 1.5])
    assert free.tolist() == [1.5, 1.5, 1.5, -1.5, -1.5]


def test_fouls_against_exploiters_cost_as_much(run):
    groups = replace(run.course.arena, replicates=1).play(
        Says(run, "I call."), {"exploit": (ALWAYS_BET,)}, iteration=0
    )
    for group, free, fined in zip(
        groups,
        rewards(run, groups, foul_penalty=0.0),
        rewards(run, groups, foul_penalty=0.5),
        strict=True,
    ):
        np.testing.assert_allclose(free - fined, 0.75 * group.rollouts[0].fouls)
        assert group.rollouts[0].fouls > 0
