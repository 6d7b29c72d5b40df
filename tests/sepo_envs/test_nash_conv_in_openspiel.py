"""NashConv of random policies in every game small enough for OpenSpiel to walk in Python."""

import numpy as np
import pytest
from open_spiel.python.algorithms import exploitability

from sepo_envs.exact import ActionTable, GameTree, solver
from sepo_envs.exact.bridge import OpenSpielGame, tabular_policy
from sepo_envs.games.item_negotiation.rules import ItemNegotiation
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.prisoners_dilemma.rules import PrisonersDilemma
from sepo_envs.games.repeated_auction.rules import RepeatedAuction
from sepo_envs.games.split_negotiation.rules import SplitNegotiation

SMALL = (
    KuhnPoker(),
    PrisonersDilemma(rounds=2),
    PrisonersDilemma(rounds=3),
    PrisonersDilemma(rounds=4),
    PrisonersDilemma(rounds=3, continuation=0.75),
    PrisonersDilemma(rounds=2, noise=0.125),
    SplitNegotiation(rounds=1),
    SplitNegotiation(rounds=2, pie=5),
    RepeatedAuction(rounds=1),
    RepeatedAuction(rounds=1, bidders=3),
    pytest.param(RepeatedAuction(rounds=2), marks=pytest.mark.slow),
    # The fewest (values, demands) of one table: 4 value vectors a seat and 48 demands.
    pytest.param(ItemNegotiation(rounds=1, tables=((2, 3, 3),)), marks=pytest.mark.slow),
)


@pytest.mark.parametrize("game", SMALL, ids=str)
def test_openspiel_computes_the_same_nash_conv(game):
    """A mixed policy, and a deterministic one, where ties and unreached situations live."""
    shown, ours, rng = OpenSpielGame(game), solver(game), np.random.default_rng(1950)
    tree = GameTree(game)
    for certain in (False, True):
        rows = {}
        for situation in tree.situations:
            legal = tree.legal_moves(situation)
            row = rng.dirichlet([0.5] * len(legal))
            row = np.eye(len(legal))[row.argmax()] if certain else row
            rows[situation] = dict(zip(legal, row.tolist(), strict=True))
        table = ActionTable(rows)
        theirs = exploitability.nash_conv(shown, tabular_policy(shown, table))
        assert ours.nash_conv(table) == pytest.approx(theirs, abs=1e-12)
        assert tree.nash_conv(table) == pytest.approx(theirs, abs=1e-12)
