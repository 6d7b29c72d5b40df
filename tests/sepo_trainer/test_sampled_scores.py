"""What episodes are worth where no tree is read: by hand, by the scorecard, and in the limit."""

from collections.abc import Sequence
from importlib import import_module

import numpy as np
import pytest
import torch

from opponents.opponent import Opponent
from opponents.scorecard import play_pools, scorecard
from opponents.tally import Match
from sepo_envs.catalogue import CATALOGUE, domain
from sepo_envs.episode import Episode, begin
from sepo_envs.game import FORFEIT
from sepo_envs.games.prisoners_dilemma.rules import Move, PrisonersDilemma
from sepo_trainer.courses.scores import sampled, score
from sepo_trainer.records import Group, GroupKey, Rollout
from tests.sepo_trainer import tabular

HARMS = domain("prisoners_dilemma").harms
C, D = Move.COOPERATE, Move.DEFECT


def dilemma(rounds: Sequence[str]) -> Episode:
    """A finished match from letters, seat 0's first: ``["CD"]`` or, with a forfeit, ``["-D"]``."""
    episode = begin(PrisonersDilemma(rounds=len(rounds)))
    for letters in rounds:
        for letter in letters:
            episode = episode.play({"C": C, "D": D, "-": FORFEIT}[letter])
    return episode


def group(pool: str, opponent: str, seat: int, weight: float, *matches: str, deal=0) -> Group:
    """Each match as words, one a round."""
    key = GroupKey("prisoners_dilemma", pool, opponent, deal, seat)
    played = [Rollout(key, r, dilemma(one.split()), ()) for r, one in enumerate(matches)]
    return Group(key, tuple(played), weight)


def test_a_hand_worked_case():
    """R, S, T, P = 3, 0, 5, 1 and weights 1, 2.4, 1, 1.8 (published), two rounds a match.

    a: payoffs 1.5 and 3 from seat 0, 3 and 3 from seat 1; margins 2.5, -2.5, 0, 0. Its matches
    waste 0 + 1/6, 1/6 + 2/3, 0, 0 over two rounds. b gains 5 from seat 0 and 0 from seat 1, wasting
    1/6 and 2/3 a round; m loses 5 and wastes 1/6. t is betrayed in 1/4 and in all of the rounds.
    """
    scores = sampled(
        [
            group("train", "a", 0, 1 / 2, "CC CD", "DC DD"),
            group("train", "a", 1, 1 / 2, "CC CC", "CC CC"),
            group("exploit", "b", 0, 1 / 4, "CD CD", "CD CD"),
            group("exploit", "b", 1, 1 / 4, "DD DD", "DD DD"),
            group("exploit", "m", 0, 1 / 4, "DC DC", "DC DC"),
            group("exploit", "m", 1, 1 / 4, "CD CD", "CD CD"),
            group("collusive", "t", 0, 1 / 2, "CC DC", "CC CC"),
            group("collusive", "t", 1, 1 / 2, "CD CD", "CD CD"),
        ],
        HARMS,
        HARMS.published,
    )
    assert scores.u == pytest.approx((2.25 + 3) / 2)
    assert scores.e == pytest.approx((2.5 + 0) / 2)
    assert scores.c == pytest.approx((1 / 4 + 1) / 2)
    assert scores.x == pytest.approx((1 / 8 + 5 / 12 + 1 / 6) / 3)
    assert scores.objective == pytest.approx(2.625 - 2.4 * 1.25 - 0.625 - 1.8 * 17 / 72)
    assert scores.against["b"] == pytest.approx((0.5, 2.5))
    assert scores.against["m"] == pytest.approx((5.0, -5.0))
    assert scores.exploitability is None


def test_a_deal_counts_by_its_probability_and_a_replicate_by_their_number():
    """By hand: 3/4 of a deal that pays 3 and 1/4 of one that pays the mean of 5 and 1."""
    groups = [
        group("train", "a", 0, 3 / 4, "CC", "CC"),
        group("train", "a", 0, 1 / 4, "DC", "DD", deal=1),
    ]
    assert sampled(groups, HARMS, HARMS.published).u == pytest.approx(0.75 * 3 + 0.25 * 3)
    assert sampled(groups, HARMS, HARMS.published).against["a"].margin == pytest.approx(
        0.25 * (-5 + 0) / 2
    )


def test_a_forfeit_pays_the_offender_nothing_and_the_other_the_most():
    scores = sampled([group("train", "a", 0, 1.0, "-D")], HARMS, HARMS.published)
    assert scores.against["a"] == (0.0, 5.0)


def as_groups(matches: Sequence[Match], name: str, seats: int, deals: int) -> list[Group]:
    """Each match as a group of one, weighted as the arena weighs it."""
    members: dict[str, set[str]] = {}
    for match in matches:
        members.setdefault(match.pool, set()).add(match.opponent)
    found = []
    for match in matches:
        key = GroupKey(name, match.pool, match.opponent, match.deal, match.seat)
        weight = 1 / (len(members[match.pool]) * seats * deals)
        found.append(Group(key, (Rollout(key, 0, match.episode, ()),), weight))
    return found


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_same_episodes_have_the_scorecards_numbers(name):
    """The second implementation, in every domain; a held-out strategy is measured."""
    found = domain(name)
    library = import_module(f"opponents.{name}")
    pools = {
        pool: [o for o in library.POOLS[pool].opponents if isinstance(o, Opponent)]
        for pool in ("train", "exploit", "collusive")
        if pool in library.POOLS
    }
    [agent, *_] = library.POOLS["heldout"].opponents
    matches = play_pools(agent, found, pools, deals=9)
    card = scorecard(found, matches, profile="paper")
    groups = as_groups(matches, name, found.make().seats, 9)
    scores = sampled(groups, found.harms, found.harms.published)
    for mine, theirs in (
        *((scores.u, card.u), (scores.e, card.e), (scores.c, card.c), (scores.x, card.x)),
        (scores.objective, card.safety),
    ):
        assert mine == pytest.approx(theirs.value, nan_ok=True)
    assert scores.against.keys() == {line.opponent for line in card.opponents}
    for line in card.opponents:
        assert scores.against[line.opponent] == pytest.approx(
            (line.payoff.value, line.margin.value)
        )


def test_in_kuhn_poker_play_comes_to_the_exact_numbers():
    """Every deal by its probability, 400 replicates each with its own draws, five opponents.

    A mean over groups has the variance of each group's mean times its squared weight.
    """
    theta = torch.linspace(-1.2, 1.2, 12)[:, None]
    run = tabular.tabular_run(tabular.kuhn(), theta=theta, rollout={"group_size": 400})
    run.course.arena = tabular.replace(run.course.arena, common_draws=False)
    reading = run.course.read()
    exact = score(run.course.stage.tree, reading.table, reading.opponents, run.course.weights)
    groups = run.course.arena.play(run.course.sampler, reading.opponents, iteration=0)
    found = sampled(groups, run.course.stage.domain.harms, run.course.weights)
    assert found.against.keys() == exact.against.keys()
    assert len(found.against) == 5
    for name, known in exact.against.items():
        mine = [one for one in groups if one.key.opponent == name]
        shares = np.array([one.weight for one in mine]) / sum(one.weight for one in mine)
        spread = [np.var([r.episode.returns[r.key.seat] for r in one.rollouts]) for one in mine]
        error = float(np.sqrt((shares**2 * spread).sum() / 400))
        assert 0 < error < 0.05
        assert abs(found.against[name].payoff - known.payoff) < 4 * error
        assert abs(found.against[name].margin - known.margin) < 8 * error  # twice, in zero-sum
    assert np.isnan(found.c)
    assert np.isnan(found.x)
