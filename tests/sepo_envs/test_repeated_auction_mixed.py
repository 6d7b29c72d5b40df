"""Symmetric equilibria of one round in pure and mixed strategies, each verified by the solver."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from sepo_envs.exact import ActionTable, GameTree
from sepo_envs.games.repeated_auction import stage
from sepo_envs.games.repeated_auction.mixed import asymmetric_equilibria, symmetric_equilibria
from sepo_envs.games.repeated_auction.rules import RepeatedAuction
from sepo_envs.games.repeated_auction.stage import equilibria

HALF = Fraction(1, 2)
FLOORED = RepeatedAuction(rounds=1, floor_losses=True)
GRIDS = (
    RepeatedAuction(rounds=1),
    FLOORED,
    RepeatedAuction(rounds=1, values=(4,), bids=(0, 2, 3)),
    RepeatedAuction(rounds=1, values=(4, 6), bids=(1, 3, 4)),
    RepeatedAuction(rounds=1, values=(3, 7), bids=(0, 2, 4)),
)
BY_GRID = pytest.mark.parametrize("game", GRIDS, ids=str)


def by_bids(tree, strategy) -> ActionTable:
    game = tree.game
    rows = {
        key: dict(
            zip(
                game.bids,
                map(float, strategy[game.values.index(int(key.partition("|")[2]))]),
                strict=True,
            )
        )
        for key in tree.situations
    }
    return ActionTable(rows)


def nash_conv(game, strategy) -> float:
    tree = GameTree(game)
    return tree.nash_conv(by_bids(tree, strategy))


@BY_GRID
def test_each_equilibrium_leaves_nobody_anything_to_gain(game):
    for strategy in symmetric_equilibria(game):
        assert nash_conv(game, strategy) == pytest.approx(0.0, abs=1e-12)


@BY_GRID
def test_the_pure_ones_are_those_found_by_trying_all_pure_strategies(game):
    pure = {
        tuple(game.bids[row.index(1)] for row in strategy)
        for strategy in symmetric_equilibria(game)
        if all(1 in row for row in strategy)
    }
    assert pure == {play.bids for play in equilibria(game)}


def test_the_default_round_has_three_and_no_mixed_one():
    """Golden. By hand: with value 2 a bid of 2 pays nothing and one of 1 pays as soon as anybody
    bids 1, so nobody mixes; against either, 4 mixes nothing that pays alike."""
    found = symmetric_equilibria(RepeatedAuction(rounds=1))
    assert found == (
        ((0, 1, 0), (0, 0, 1)),
        ((0, 1, 0), (0, 1, 0)),
        ((1, 0, 0), (0, 1, 0)),
    )


def test_one_value_and_two_bids_can_be_solved_by_hand():
    """Value 3: bidding 0 pays 3 x / 2 if the other bids 0 with x, bidding 2 pays (1 + x) / 2:
    alike at x = 1/2."""
    found = symmetric_equilibria(RepeatedAuction(rounds=1, values=(3,), bids=(0, 2)))
    assert found == (((0, 1),), ((HALF, HALF),), ((1, 0),))


def test_where_a_loss_is_floored_all_between_two_corners_are_equilibria():
    """By hand: with value 2 both a bid of 2 and one of 3 pay nothing, whoever wins."""
    low, high = ((0, 1, 0), (0, 0, 1)), ((0, 0, 1), (0, 0, 1))
    assert {low, high} <= set(symmetric_equilibria(FLOORED))
    assert nash_conv(FLOORED, ((0, HALF, HALF), (0, 0, 1))) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("game", [game for game in GRIDS if game is not FLOORED], ids=str)
def test_of_a_fine_grid_of_strategies_none_far_from_them_is_an_equilibrium(game):
    """The second implementation: NashConv in closed form for every strategy in steps of 1/12."""
    steps = [np.array([a, b, 12 - a - b]) / 12 for a in range(13) for b in range(13 - a)]
    values, bids = np.array(game.values), np.array(game.bids)
    profit = np.vectorize(game.profit)(values[:, None], bids)
    wins = (bids[None, :] < bids[:, None]) + (bids[None, :] == bids[:, None]) / 2
    every = np.array(steps if len(values) == 1 else [(a, b) for a in steps for b in steps])
    every = every.reshape(len(every), len(values), len(bids))
    payoff = profit * (every.mean(1) @ wins.T)[:, None]
    gain = (payoff.max(2) - (payoff * every).sum(2)).mean(1)
    known = np.array(symmetric_equilibria(game), dtype=float).reshape(-1, len(values), len(bids))
    distance = np.abs(every[:, None] - known).max((2, 3)).min(1)
    assert (gain[distance < 1e-9] < 1e-12).all()
    assert gain[distance > 0.2].min() > 1e-3


def test_by_default_no_two_different_strategies_are_an_equilibrium():
    """The second implementation: every pair of strategies in steps of 1/6, in closed form. Of those
    that leave nobody anything to gain none differ, and the corners found say so of all others."""
    game = RepeatedAuction(rounds=1)
    assert asymmetric_equilibria(game) == ()
    payoff = pair_payoffs(game, steps=6)
    gain = payoff.max(0) - payoff  # of the row player; every pure strategy is on the grid
    one, other = np.nonzero(np.maximum(gain, gain.T) < 1e-12)
    assert one.tolist() == other.tolist()
    assert len(one) == 3


def pair_payoffs(game, steps):
    """What each strategy in steps of 1 / ``steps`` earns against each; ``(mine, theirs)``."""
    rows = [
        np.array([a, b, steps - a - b]) / steps
        for a in range(steps + 1)
        for b in range(steps + 1 - a)
    ]
    every = np.array(list(product(rows, repeat=len(game.values))))
    values, bids = np.array(game.values), np.array(game.bids)
    profit = np.vectorize(game.profit)(values[:, None], bids)
    wins = (bids[None, :] < bids[:, None]) + (bids[None, :] == bids[:, None]) / 2
    paid = profit * (every.mean(1) @ wins.T)[:, None]  # (theirs, value, bid)
    return np.einsum("svb,tvb->st", every, paid) / len(values)


@BY_GRID
def test_each_asymmetric_equilibrium_leaves_neither_anything_to_gain(game):
    tree = GameTree(game)
    for pair in asymmetric_equilibria(game)[:6]:
        tables = [by_bids(tree, strategy) for strategy in pair]
        best = [tree.best_response(tables[1 - seat], seat).value for seat in (0, 1)]
        assert tree.returns(tables) == pytest.approx(best, abs=1e-12)


@BY_GRID
def test_the_pure_asymmetric_ones_are_those_found_by_trying_all_pairs(game):
    pure = {
        frozenset(tuple(game.bids[row.index(1)] for row in strategy) for strategy in pair)
        for pair in asymmetric_equilibria(game)
        if all(1 in row for strategy in pair for row in strategy)
    }
    assert pure == {frozenset(pair) for pair in stage.asymmetric_equilibria(game)}


def test_what_cannot_be_enumerated_is_refused_with_what_can():
    with pytest.raises(ValueError, match=r"3 bidders.*stage\.equilibria for the pure ones"):
        symmetric_equilibria(RepeatedAuction(bidders=3))
    with pytest.raises(ValueError, match="a smaller grid"):
        symmetric_equilibria(RepeatedAuction(bids=tuple(range(1, 4)), values=(2, 4, 6)))
