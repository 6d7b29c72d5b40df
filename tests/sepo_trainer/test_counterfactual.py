"""Credit for moves that were not made: what they would have earned, and the gradient that follows.

By hand in the auction (weights 1, 1.2, 1 and 1.8, published), and by enumeration in a tabular game.
"""

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import begin
from sepo_envs.game import FORFEIT, Unreadable
from sepo_envs.games.prisoners_dilemma.rules import Luck, PrisonersDilemma
from sepo_envs.games.repeated_auction.rules import RepeatedAuction
from sepo_trainer.__main__ import main
from sepo_trainer.learning.advantage import centered
from sepo_trainer.learning.alternatives import gains
from sepo_trainer.learning.counterfactual import decisions, plays_in_rounds, would_earn
from sepo_trainer.learning.credit import credit
from sepo_trainer.learning.loss import expected_gain
from sepo_trainer.learning.rows import Known, minibatches, rows_of
from sepo_trainer.policy.model import tiny
from sepo_trainer.policy.rendering import Renderer
from sepo_trainer.records import Group, GroupKey, Rollout, Turn
from sepo_trainer.stage import set_stage
from sepo_trainer.train import learnable
from tests.sepo_trainer import tabular
from tests.sepo_trainer.runs import gates
from tests.sepo_trainer.tabular import Dilemma
from tests.sepo_trainer.test_gradient import FAR, THREE_SIGMA, Played, chance_of

ROUNDS_AT_ONCE = [
    "item_negotiation",
    "prisoners_dilemma",
    "repeated_auction",
    "split_negotiation",
]
THETA = [0.3, 0.1, -0.5, 0.2, 0.7, 0.4, -0.2, -0.6, 0.1, 0.5]


def credited(name, pool, *episodes, seat=0, gate=1.0):
    """A group of these episodes; a second opponent stands in the train pool."""
    harms = domain(name).harms
    key = GroupKey(name, pool, "o", 0, seat)
    group = Group(key, tuple(Rollout(key, r, e, ()) for r, e in enumerate(episodes)), 1.0)
    beside = replace(group, key=key._replace(pool="train", opponent="p"))
    [first, *_] = credit(
        [group] if pool == "train" else [group, beside],
        arm="credited",
        weights=harms.published,
        harms=harms,
        gates={"o": gate},
        emphasis={},
        foul_penalty=0.5,
    )
    return first


def auction(*rounds):
    """Values, bids and, where they are tied, the winner of each round."""
    episode = begin(RepeatedAuction(rounds=len(rounds)))
    for values, bids, *lot in rounds:
        for move in (*values, *bids, *lot):
            episode = episode.play(move)
    assert episode.actor is None
    return episode


def earned_by_move(name, pool, episode, **how):
    """By decision, what each legal move would have earned."""
    one, seat = credited(name, pool, episode, **how), how.get("seat", 0)
    return [
        {
            move: would_earn(move, decision, seat, episode, one.worth)
            for move in episode.game.legal_moves(decision.state, seat)
        }
        for decision in decisions(episode, seat)
    ]


def test_bids_in_the_auction_by_hand():
    """Worth 4 and 2, against a bid of 2, in two rounds, so half of each counts. A bid of 1 loses, 2
    draws lots, 3 wins; with a value of 2 that is won at no gain (1.8 each) and then at a loss."""
    episode = auction(((4, 2), (2, 2), 1), ((2, 4), (1, 2)))
    first, second = earned_by_move("repeated_auction", "train", episode)
    assert first == pytest.approx({1: 0.0, 2: 0.5 * 2 / 2, 3: 1 / 2})
    assert second == pytest.approx({1: 0.0, 2: -0.5 * 1.8 / 2, 3: (-1 - 1.8) / 2})


def test_against_an_exploiter_its_margin_counts_and_against_a_partner_the_lowest_bid():
    """The other, worth 2 and 4, earns 0 and 2 with its bid of 2 where it wins; x counts by half, as
    two opponents share it."""
    episode = auction(((4, 2), (2, 2), 1), ((2, 4), (1, 2)))
    first, second = earned_by_move("repeated_auction", "exploit", episode)
    assert first == pytest.approx({1: 0.0, 2: 1.2 * 0.5 * 2 / 2, 3: 1.2 * 1 / 2})
    assert second == pytest.approx(
        {
            1: -1.2 * 2 / 2,
            2: -(1.2 * 0.5 * 2 + 0.5 * 0.5 * 1.8) / 2,
            3: -(1.2 * 1 + 0.5 * 1.8) / 2,
        }
    )
    for found in earned_by_move("repeated_auction", "collusive", episode):
        assert found == pytest.approx({1: -0.5, 2: 0.0, 3: 0.0})


@pytest.mark.parametrize("name", ROUNDS_AT_ONCE)
@pytest.mark.parametrize("pool", ["train", "exploit", "collusive"])
def test_the_move_that_was_made_would_have_earned_what_it_did(name, pool):
    """In every game of rounds, for random play in either seat; but where lots were drawn on a tie,
    of which the mean is taken."""
    game = domain(name).make()
    for number in range(20):
        rng, seat = Random(number), number % 2
        episode = begin(game).deal(rng)
        while episode.actor is not None:
            moves = game.legal_moves(episode.state, episode.actor)
            episode = episode.play(rng.choice(moves)).deal(rng)
        one = credited(name, pool, episode, seat=seat)
        bids = [getattr(past, "bids", (0, 1)) for past in game.past(episode.state)]
        for decision in decisions(episode, seat):
            if len(set(bids[decision.round])) > 1:
                found = would_earn(decision.moves[seat], decision, seat, episode, one.worth)
                assert found == pytest.approx(one.rewards[0, decision.round])


def test_a_forfeit_is_no_move_to_credit():
    episode = begin(RepeatedAuction(rounds=2))
    for move in (4, 2, FORFEIT, 2, 2, 4, 1, 2):
        episode = episode.play(move)
    assert [decision.round for decision in decisions(episode, 0)] == [1]
    assert [decision.round for decision in decisions(episode, 1)] == [0, 1]


def test_a_tie_counts_by_half_whoever_won_it():
    episode = auction(((4, 4), (3, 3), 0), ((4, 4), (1, 1), 1))
    first, second = earned_by_move("repeated_auction", "train", episode)
    assert (first[3], second[1]) == pytest.approx((0.5 * 1 / 2, 0.5 * 3 / 2))


def test_games_in_which_all_move_at_once_are_told_from_the_others():
    found = [name for name in CATALOGUE if plays_in_rounds(domain(name).make())]
    assert sorted(found) == ROUNDS_AT_ONCE


@pytest.fixture(scope="module")
def twice() -> Played:
    return Played(tabular.dilemma(Dilemma(2)), THETA, batches=60, deals=16, style="conversation")


def by_all_moves(run, **learning):
    changed = {"credit": "counterfactual"} | learning
    config = run.config.model_copy(
        update={"learning": run.config.learning.model_copy(update=changed)}
    )
    return tabular.changing(run, config=config)


def test_it_estimates_the_gradient_of_the_objective_with_less_variance(twice):
    found = twice.gradients(by_all_moves(twice.run))
    assert chance_of(found, twice.exact()) > THREE_SIGMA
    assert found.var(0).sum() < 0.5 * twice.credited.var(0).sum()


def test_it_is_sharp_enough_to_tell_what_a_lack_of_later_rounds_would_change(twice):
    found = twice.gradients(by_all_moves(twice.run, discount=0.0))
    assert chance_of(found, twice.exact()) < FAR


def test_in_a_single_round_nothing_is_left_of_what_the_policy_sampled():
    """The opponents' draws are common to a group: its replicates differ in the policy's moves, and
    the estimate of any one of them is that of all."""
    once = Played(tabular.dilemma(Dilemma()), [0.3, 0.1], batches=1, deals=4, group_size=4)
    run = by_all_moves(once.run)
    rows, said = learnable(run.course, once.batches[0], gates(once.scores))
    assert said["groups_without_signal"] == 0
    assert not any(any(row.advantages) for row in rows)
    parts = [tabular.ascent(run, part) for part in minibatches(rows, 4)]
    for part in parts:
        torch.testing.assert_close(part, parts[0], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("count", [2, 8, 32], ids=["of groups", "of deals", "single episodes"])
def test_minibatches_add_up_to_the_batch(twice, count):
    """16 deals, each played twice by every opponent in every seat: parts of 16, 4 and 1."""
    for run in (twice.run, by_all_moves(twice.run)):
        rows, _ = learnable(run.course, twice.batches[0], gates(twice.scores))
        parts = minibatches(rows, count)
        assert {len(part) for part in parts} == {len(rows) // count}
        found = [tabular.ascent(run, part) for part in parts]
        mean = torch.stack(found).mean(0)
        torch.testing.assert_close(mean, tabular.ascent(run, rows), rtol=1e-5, atol=1e-7)


def test_every_part_of_a_batch_holds_every_opponent_and_seat(twice):
    groups = twice.batches[0]
    rows, _ = learnable(by_all_moves(twice.run).course, groups, gates(twice.scores))
    size = len(groups[0].rollouts) * 16
    by_opponent_and_seat = sum(1 for group in groups if group.key.deal == 0)
    of_part = Counter(row.episode for row in rows)
    assert of_part == dict.fromkeys(range(size), by_opponent_and_seat)


def test_the_gain_of_a_distribution_is_the_slope_of_its_mean():
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(3, 5)), requires_grad=True)
    earned = torch.tensor(rng.normal(size=(3, 5)))
    gain = expected_gain(torch.log_softmax(logits, -1), earned)
    assert float(gain.detach()) == pytest.approx(0.0, abs=1e-12)
    [found] = torch.autograd.grad(gain, logits)
    mean = (torch.softmax(logits, -1) * earned).sum()
    torch.testing.assert_close(found, torch.autograd.grad(mean, logits)[0])


def test_what_is_alike_for_all_choices_teaches_nothing():
    """Where some of the mass is on tokens that are no choice, it is neither drawn nor pushed."""
    logits = torch.tensor([[1.0, -0.5, 0.2, 0.7]], requires_grad=True)
    offered = torch.log_softmax(logits, -1)[:, :3]
    expected_gain(offered, torch.full((1, 3), 7.0)).backward()
    assert logits.grad.abs().max() < 1e-6


@pytest.mark.parametrize(
    ("settings", "because"),
    [
        (["--game.name", "kuhn_poker"], "not played in rounds"),
        (["--game.name", "repeated_auction", "--learning.advantage", "std"], "advantage is 'std'"),
        (["--game.name", "repeated_auction", "--learning.loss", "dr_grpo"], "loss is 'dr_grpo'"),
        (["--game.name", "repeated_auction", "--learning.minibatches", "3"], "a divisor of 8"),
    ],
)
def test_what_cannot_be_credited_so_is_refused(settings, because, tmp_path, capsys):
    asked = ["train", "--runs", str(tmp_path), "--learning.credit", "counterfactual", *settings]
    assert main(asked) == 2
    assert because in " ".join(capsys.readouterr().err.split())
    assert not any(tmp_path.iterdir())


@pytest.fixture(scope="module")
def renderer():
    return Renderer(tiny(hidden=32, layers=1, heads=2, run_seed=0).tokenizer)


def bidding(renderer, *replies):
    """One auction for each reply of seat 0, worth 4 and 2, against a bid of 2; an unreadable reply
    is a forfeit at once. The group as it is credited, and its rows with what is known of it."""
    stage, rollouts = set_stage("repeated_auction", {"rounds": 1}), []
    key = GroupKey("repeated_auction", "train", "o", 0, 0)
    for number, text in enumerate(replies):
        dealt = begin(stage.game).play(4).play(2)
        move = stage.words.parse(text, dealt.state, 0)
        move = FORFEIT if isinstance(move, Unreadable) else move
        episode = dealt.play(move).play(2)
        while episode.actor is not None:
            episode = episode.play(0)  # who wins the tie
        said = renderer.reply(text)
        bids = renderer.choices(("[1]", "[2]", "[3]"))
        turn = Turn((5, 6), said, (0.0,) * len(said), bids, 0, 0)
        rollouts.append(Rollout(key, number, episode, (turn,)))
    [one] = credit(
        [Group(key, tuple(rollouts), 1.0)],
        arm="credited",
        weights=domain("repeated_auction").harms.published,
        harms=domain("repeated_auction").harms,
        gates={},
        emphasis={},
        foul_penalty=0.5,
    )
    made = np.stack([one.worth(rollout.episode.state) for rollout in rollouts])
    known = Known(
        centered(one.rewards - made),
        [gains(rollout, one.worth, stage=stage, renderer=renderer) for rollout in rollouts],
    )
    tables = [centered(one.rewards)]
    return rows_of([one], tables, move_tokens=renderer.move_tokens, known=[known])


def at_the_bid(renderer, row):
    """The places at which it is decided."""
    bids = renderer.choices(("[1]", "[2]", "[3]"))
    return [n for n, token in enumerate(row.rest_ids) if token in bids and row.is_move[n]]


def test_what_is_said_before_the_move_is_credited_with_what_the_move_earned(renderer):
    """Bids of 3 and 1 earn 1 and nothing, so the others' mean is left out of 1 and of 0; the bid
    itself has what all of them would have earned, and no more of what was drawn."""
    rows = bidding(renderer, "A win at any price: [3]", "Half of my value. [1]")
    for row, by_reply in zip(rows, (1.0, -1.0), strict=True):
        [bid] = at_the_bid(renderer, row)
        assert row.advantages[bid] == 0.0
        assert row.gains[bid] == pytest.approx((0.0, 1.0, 1.0))
        others = [n for n in range(len(row.rest_ids)) if n != bid]
        assert len(others) > 3
        assert {row.advantages[n] for n in others} == {by_reply}
        assert not any(row.gains[n] for n in others)


@pytest.mark.parametrize("twice", ["I say [3], so [3]", "[3"])
def test_a_reply_that_decides_nowhere_or_twice_is_credited_as_it_was_drawn(renderer, twice):
    """Said twice, any other bid in one place would be unreadable; a foul costs half a point, and
    is held against what the other earned with its bid, as without all this."""
    row, other = bidding(renderer, twice, "[1]")
    earned = 1.0 if "]" in twice else -0.5
    assert row.gains == ()
    assert set(row.advantages) == {earned}
    [bid] = at_the_bid(renderer, other)
    assert {a for n, a in enumerate(other.advantages) if n != bid} == {-earned}
    assert other.advantages[bid] == (0.0 if "]" in twice else 0.5)


def test_chance_within_a_round_is_averaged_and_what_stops_the_match_is_left_alone():
    """A dilemma of one round that chance ended, with hands that slip in a tenth of the cases: what
    the other did stands, and one's own hand slips or not."""
    game = PrisonersDilemma(rounds=3, noise=0.1, continuation=0.5)
    cooperate, defect = game.moves
    for played in (cooperate, defect):
        episode = begin(game).play(played).play(cooperate)
        while episode.actor is not None:
            outcomes = game.chance_outcomes(episode.state)
            episode = episode.play(Luck.STOP if Luck.STOP in dict(outcomes) else outcomes[0][0])
        [decision] = decisions(episode, 0)

        def points(state):
            return np.array([pay[0] for pay in game.payoffs(state)])

        by_hand = {
            cooperate: 0.9 * (0.9 * 3 + 0.1 * 0) + 0.1 * (0.9 * 5 + 0.1 * 1),
            defect: 0.9 * (0.9 * 5 + 0.1 * 1) + 0.1 * (0.9 * 3 + 0.1 * 0),
        }
        for move, expected in by_hand.items():
            found = would_earn(move, decision, 0, episode, points)
            assert found == pytest.approx(expected)


def test_a_move_of_several_tokens_is_credited_in_each_of_them(renderer):
    """Of 2 books, 1 hat and 1 ball, worth 2, 3 and 3 to me, the other leaves one book and the ball.
    I asked for 2, 0, 1: too much by a book. One less would have fitted, and brought 5 points of
    scale .3 in one of four rounds; the breakdown costs its 1.8."""
    said = ("[2,0,1]", "[1,0,1]", "[2,1,1]", "[1,1,1]", "[2,0,0]", "[2,0,1]")
    found = renderer.beside(said[0], said)
    assert [(other.number, other.place) for other in found] == [(1, 0), (2, 2), (4, 4)]
    digits = [renderer.answer(f"[{digit}]")[0] for digit in (1, 1, 0)]
    assert [other.token for other in found] == digits
    episode = begin(domain("item_negotiation").make(rounds=1))
    for move in ((2, 1, 1), (2, 3, 3), (4, 1, 1), (2, 0, 1), (1, 1, 0)):
        episode = episode.play(move)
    [earned] = earned_by_move("item_negotiation", "train", episode)
    assert earned[2, 0, 1] == pytest.approx(-1.8)
    assert earned[1, 0, 1] == pytest.approx(0.3 * 5)
    assert earned[2, 1, 1] == earned[2, 0, 0] == pytest.approx(-1.8)
