from random import Random

import pytest

from opponents import Adaptive, Opponent, OpponentError, Pool, from_table
from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.kuhn_poker.rules import KuhnPoker

LEGAL = ("pass", "bet")


def answering(row) -> Opponent:
    return Opponent("odd", lambda observation: row, "none")


def test_moves_are_drawn_by_their_probabilities():
    """2,000 draws at 1/4: a standard deviation is under .01."""
    rng = Random(0)
    drawn = [answering({"pass": 0.75, "bet": 0.25}).act("Q", LEGAL, rng) for _ in range(2_000)]
    assert drawn.count("bet") / 2_000 == pytest.approx(0.25, abs=0.04)


def test_the_same_generator_draws_the_same_moves():
    coin = answering({"pass": 0.5, "bet": 0.5})
    matches = [[coin.act("Q", LEGAL, rng) for _ in range(20)] for rng in (Random(7), Random(7))]
    assert matches[0] == matches[1]


def test_an_illegal_move_without_probability_is_no_offence():
    assert answering({"bet": 1.0, "raise": 0.0}).act("Q", LEGAL, Random(0)) == "bet"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"raise": 1.0}, r"plays 'raise' in 'Q', where only .* Mend its policy so that illegal"),
        ({"bet": 0.5}, "must be at least 0 and sum to 1. Mend its policy"),
        ({"pass": 2.0, "bet": -1.0}, "must be at least 0 and sum to 1"),
        ({"pass": float("nan"), "bet": 1.0}, "must be at least 0 and sum to 1"),
        ({}, "must be at least 0 and sum to 1"),
        ("bet", "raised ValueError.*must answer every observation with move probabilities"),
        (None, "raised TypeError.*must answer every observation with move probabilities"),
    ],
)
def test_an_answer_that_is_no_distribution_is_an_error_with_the_mend(row, reason):
    with pytest.raises(OpponentError, match=f"(?s)opponent 'odd' .*{reason}"):
        answering(row).act("Q", LEGAL, Random(0))


def test_an_opponent_that_raises_is_named_and_never_moves():
    def policy(observation):
        raise ConnectionError("server gone")

    with pytest.raises(OpponentError, match="'far' raised ConnectionError: server gone") as caught:
        Opponent("far", policy, "none").act("Q", LEGAL, Random(0))
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_a_row_from_single_precision_may_be_played():
    table = ActionTable({"Q": {"pass": 0.1, "bet": 0.9 + 1e-7}})

    class Seen:
        situation = "Q"

    assert from_table("rounded", table, "none").act(Seen(), LEGAL, Random(0)) in LEGAL


def test_a_pool_works_out_its_adaptive_members_against_the_policy_it_meets():
    tree, met = GameTree(KuhnPoker()), []

    def against(tree, table):
        met.append(table)
        return fixed

    fixed = answering({"bet": 1.0})
    pool = Pool("exploit", (fixed, Adaptive("shadow", against, "none")))
    table = tree.uniform()
    assert pool.met_by(table, tree=tree) == (fixed, fixed)
    assert met == [table]
