"""Golden numbers of one round, by enumeration, by the exact solver and by OpenSpiel."""

from itertools import combinations, product

import numpy as np
import pytest
from open_spiel.python.algorithms import exploitability

from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.exact.bridge import OpenSpielGame, tabular_policy
from sepo_envs.games.repeated_auction.rules import RepeatedAuction
from sepo_envs.games.repeated_auction.stage import (
    MOST_STRATEGIES,
    SymmetricPlay,
    all_bid_lowest,
    asymmetric_equilibria,
    equilibria,
    symmetric_play,
)

GOLDEN = (
    SymmetricPlay((1, 2), profit=0.875, revenue=1.75),
    SymmetricPlay((2, 2), profit=0.5, revenue=2.0),
    SymmetricPlay((2, 3), profit=0.375, revenue=2.75),
)
ONE, TWO = (GameTree(RepeatedAuction(rounds=rounds)) for rounds in (1, 2))
FLOORED = RepeatedAuction(rounds=1, values=(2,), bids=(1, 2, 3), floor_losses=True)


def table(tree: GameTree, strategy) -> ActionTable:
    """Bid by value, whatever has happened."""
    bids = dict(zip(tree.game.values, strategy, strict=True))
    return ActionTable({key: {bids[int(key[-1])]: 1.0} for key in tree.situations})


def test_the_three_symmetric_pure_equilibria_are_the_golden_ones():
    assert equilibria(RepeatedAuction()) == GOLDEN


def test_of_all_81_pairs_of_strategies_only_the_symmetric_ones_leave_nothing_to_gain():
    """The second implementation: profits of every pair of deals and bids, by the rules alone."""
    strategies = list(product((1, 2, 3), repeat=2))

    def profit(mine, theirs):
        """Summed over the four deals; a tie is won half the time."""
        return sum(
            (value - mine[i]) * ((mine[i] > theirs[j]) + (mine[i] == theirs[j]) / 2)
            for i, value in enumerate((2, 4))
            for j in range(2)
        )

    def best(mine, theirs):
        return profit(mine, theirs) == max(profit(other, theirs) for other in strategies)

    found = {(a, b) for a, b in product(strategies, repeat=2) if best(a, b) and best(b, a)}
    assert found == {(play.bids, play.bids) for play in GOLDEN}
    assert asymmetric_equilibria(ONE.game) == ()


@pytest.mark.parametrize("game", [ONE.game, FLOORED], ids=str)
def test_the_exact_solver_agrees_about_every_asymmetric_pair(game):
    tree, strategies = GameTree(game), list(product(game.bids, repeat=len(game.values)))
    tables = {bids: table(tree, bids) for bids in strategies}
    best = {
        bids: [tree.best_response(played, 1 - seat).value for seat in (1, 0)]
        for bids, played in tables.items()
    }
    found = []
    for one, other in combinations(strategies, 2):
        got = tree.returns((tables[one], tables[other]))
        if got == pytest.approx([best[other][0], best[one][1]], abs=1e-12):
            found.append((one, other))
    assert asymmetric_equilibria(game) == tuple(found)


def test_where_overbidding_costs_nothing_there_is_an_asymmetric_equilibrium():
    """By hand: with value 2 bids of 2 and 3 pay nothing, and 1 pays only against 1."""
    assert asymmetric_equilibria(FLOORED) == (((2,), (3,)),)


def test_asymmetric_equilibria_are_those_of_two_bidders():
    with pytest.raises(ValueError, match=r"3 bidders and 36 pairs.*for 2 bidders"):
        asymmetric_equilibria(RepeatedAuction(bidders=3))


def test_bidding_1_always_pays_the_bidders_more_than_any_equilibrium():
    assert all_bid_lowest(RepeatedAuction()) == SymmetricPlay((1, 1), profit=1.0, revenue=1.0)


@pytest.mark.parametrize("strategy", [*product((1, 2, 3), repeat=2)], ids=str)
def test_the_exact_solver_calls_the_same_strategies_equilibria(strategy):
    value = symmetric_play(ONE.game, strategy)
    assert ONE.returns(table(ONE, strategy)).tolist() == pytest.approx([value.profit] * 2)
    is_one = ONE.nash_conv(table(ONE, strategy)) == pytest.approx(0.0, abs=1e-12)
    assert is_one == (strategy in {play.bids for play in GOLDEN})


@pytest.mark.parametrize("play", GOLDEN, ids=str)
def test_an_equilibrium_of_one_round_is_one_of_two_rounds(play):
    assert TWO.nash_conv(table(TWO, play.bids)) == pytest.approx(0.0, abs=1e-12)
    assert TWO.returns(table(TWO, play.bids)).tolist() == pytest.approx([2 * play.profit] * 2)


def test_the_best_reply_to_always_1_bids_2_with_a_value_of_4_only():
    """By hand: with 4, a sure 2 against half of 3; with 2, half of 1 against 0."""
    reply = ONE.best_response(table(ONE, (1, 1)), 0)
    assert reply.value == 0.5 * 0.5 + 0.5 * 2
    assert [max(reply.table[key], key=reply.table[key].get) for key in ("0|2", "0|4")] == [1, 2]


def test_one_round_has_4_situations_and_two_rounds_100():
    """By hand: a round can end in 9 + 3 public ways, the three ties in two."""
    assert (len(ONE.situations), len(TWO.situations)) == (4, 2 * (2 + 2 * 12 * 2))


@pytest.mark.slow
def test_three_rounds_are_solved_too():
    """By hand: a round is seen in 2 * 12 ways. An equilibrium of one round is one of three."""
    tree = GameTree(RepeatedAuction(rounds=3))
    assert len(tree.situations) == 2 * (2 + 2 * 24 + 2 * 24**2)
    assert tree.nash_conv(table(tree, (1, 2))) == pytest.approx(0.0, abs=1e-12)


def test_openspiel_computes_the_same_nash_conv():
    shown, rng = OpenSpielGame(ONE.game), np.random.default_rng(0)
    for _ in range(5):
        rows = {
            key: dict(zip(ONE.game.bids, rng.dirichlet((1, 1, 1)), strict=True))
            for key in ONE.situations
        }
        policy = ActionTable(rows)
        theirs = exploitability.nash_conv(shown, tabular_policy(shown, policy))
        assert ONE.nash_conv(policy) == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("bids", [(1, 1), (1, 2), (2, 3), (3, 1)], ids=str)
def test_three_bidders_earn_what_the_exact_solver_says(bids):
    tree = GameTree(RepeatedAuction(rounds=1, bidders=3))
    assert tree.returns(table(tree, bids)).tolist() == pytest.approx(
        [symmetric_play(tree.game, bids).profit] * 3
    )


def test_every_point_of_welfare_goes_to_a_bidder_or_to_the_seller():
    """Where bids rise with values the best value wins: E max(v) = 3.5."""
    for bids in [(1, 2), (1, 3), (2, 3)]:
        play = symmetric_play(RepeatedAuction(), bids)
        assert 2 * play.profit + play.revenue == 3.5


def test_floored_losses_let_overbidding_be_an_equilibrium():
    """With value 2 a loss of 1 costs nothing, so 3 against 3 is as good as anything."""
    floored = equilibria(RepeatedAuction(floor_losses=True))
    assert [play.bids for play in floored] == [(1, 2), (2, 2), (2, 3), (3, 3)]


def test_a_grid_with_too_many_strategies_gets_no_answer_rather_than_a_long_wait():
    wide = RepeatedAuction(values=tuple(range(1, 9)), bids=tuple(range(8)))
    assert len(wide.bids) ** len(wide.values) > MOST_STRATEGIES
    assert equilibria(wide) == ()
