"""Dynamic programming over public histories, against the game tree and numbers by hand.

They share no code but the rules: one never builds a tree, the other enumerates every node.
OpenSpiel's word on both is in `test_nash_conv_in_openspiel`.
"""

import resource
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opponents.prisoners_dilemma import GRADUAL, POOLS, TIT_FOR_TAT
from opponents.split_negotiation import POOLS as SPLIT_POOLS
from sepo_envs.batch import Board
from sepo_envs.exact import ActionTable, Batched, GameTree, RepeatedSolver, solver
from sepo_envs.exact.induction import pure_equilibria, subgame_perfect
from sepo_envs.game import FORFEIT
from sepo_envs.games.kuhn_poker.rules import KuhnPoker
from sepo_envs.games.prisoners_dilemma.rules import Luck, Move, PrisonersDilemma
from sepo_envs.games.split_negotiation.rules import SplitNegotiation

SMALL = (
    PrisonersDilemma(rounds=2),
    PrisonersDilemma(rounds=3),
    PrisonersDilemma(rounds=3, continuation=0.75),
    PrisonersDilemma(rounds=2, reward=0.5, sucker=-3.0, temptation=2.5, punishment=-1.0),
    SplitNegotiation(rounds=1),
    SplitNegotiation(rounds=2, pie=4),
)
BOTH = {game: (RepeatedSolver(game), GameTree(game)) for game in SMALL}
BY_NAME = pytest.mark.parametrize("game", SMALL, ids=str)


def drawn(game, data: st.DataObject, *, slips: bool = False) -> ActionTable:
    """Random probabilities, many of them 0, and if asked for some uncovered."""
    tree = BOTH[game][1]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    size = len(game.moves)
    weights = rng.random((len(tree.situations), size)) ** 3 * (
        rng.random((len(tree.situations), size)) < 0.7
    )
    weights[:, rng.integers(size)] += 0.1
    rows = {
        key: dict(zip(game.moves, (row / row.sum()).tolist(), strict=True))
        for key, row in zip(tree.situations, weights, strict=True)
    }
    uncovered = {key: float(rng.random() / 20) for key in tree.situations if rng.random() < 0.5}
    return ActionTable(rows, uncovered if slips else {})


@settings(max_examples=15)
@BY_NAME
@given(data=st.data())
def test_the_tree_finds_the_same_returns_responses_and_nash_conv(game, data):
    quick, tree = BOTH[game]
    table, other = drawn(game, data), drawn(game, data)
    assert quick.nash_conv(table) == pytest.approx(tree.nash_conv(table), abs=1e-12)
    assert quick.returns(table) == pytest.approx(tree.returns(table), abs=1e-12)
    assert quick.returns([table, other]) == pytest.approx(tree.returns([table, other]), abs=1e-12)
    for seat in (0, 1):
        response = quick.best_response(table, seat)
        assert response.value == pytest.approx(tree.best_response(table, seat).value, abs=1e-12)
        pair = [response.table, table] if seat == 0 else [table, response.table]
        assert tree.returns(pair)[seat] == pytest.approx(response.value, abs=1e-12)


@settings(max_examples=15)
@BY_NAME
@given(data=st.data())
def test_the_tree_finds_the_same_interval_for_what_was_not_covered(game, data):
    quick, tree = BOTH[game]
    table = drawn(game, data, slips=True)
    ours, theirs = quick.exploitability_interval(table), tree.exploitability_interval(table)
    for one, other in zip(
        (ours.value, ours.low, ours.high), (theirs.value, theirs.low, theirs.high), strict=True
    ):
        assert one == pytest.approx(other, abs=1e-12)
    assert (ours.kind, ours.how) == (theirs.kind, theirs.how)


@BY_NAME
def test_its_situations_are_those_of_the_rules_so_tables_are_interchangeable(game):
    quick, tree = BOTH[game]
    assert quick.uniform().rows.keys() == tree.uniform().rows.keys()
    assert quick.histories == len(tree.situations) / 2
    assert quick.best_response(tree.uniform(), 0).table.rows.keys() == {
        key for key in tree.situations if tree.seat(key) == 0
    }


@BY_NAME
def test_after_is_where_play_leads(game):
    for rounds in product(product(game.moves, repeat=2), repeat=game.rounds - 1):
        state = game.start()
        for pair in rounds:
            state = game.play(state, dict(enumerate(pair)))
            if game.chance_outcomes(state):
                state = game.play(state, {-1: Luck.GO_ON})
        assert game.after(rounds) == state


def test_the_whole_match_has_21845_histories_and_tit_for_tat_loses_two_points_a_seat():
    """Golden numbers: the best reply to tit-for-tat earns 26 where tit-for-tat itself earns 24."""
    match = RepeatedSolver(PrisonersDilemma())
    assert match.histories == sum(4**k for k in range(8)) == 21_845
    for seat in (0, 1):
        response = match.best_response(TIT_FOR_TAT, seat)
        assert response.value == 26.0
        assert len(response.table.rows) == 21_845
    assert match.returns(TIT_FOR_TAT).tolist() == [24.0, 24.0]
    assert match.exploitability(TIT_FOR_TAT) == 2.0
    assert str(match.exploitability_interval(TIT_FOR_TAT)) == "2.0000 (exact)"


@pytest.mark.parametrize("opponent", [*POOLS["train"].opponents, GRADUAL], ids=lambda o: o.name)
def test_an_opponent_and_its_table_are_one_policy(opponent):
    game = PrisonersDilemma(rounds=4)
    quick, tree = RepeatedSolver(game), GameTree(game)
    table = quick.written_out(opponent)
    assert table.rows == tree.written_out(opponent).rows
    assert quick.nash_conv(opponent) == quick.nash_conv(table)
    assert tree.nash_conv(opponent) == pytest.approx(quick.nash_conv(table), abs=1e-12)


@pytest.mark.parametrize("opponent", SPLIT_POOLS["train"].opponents, ids=lambda o: o.name)
def test_two_rounds_of_the_split_are_exact_against_its_scripts(opponent):
    """Each is deterministic and never answers its partner, so the best reply takes the rest."""
    quick = RepeatedSolver(SplitNegotiation(rounds=2))
    demands, game = [], quick.game
    for length in range(2):
        seen = game.observe(game.after(((5, 5),) * length), 0)
        [demand] = opponent.policy(seen)
        demands.append(demand)
    rest = sum(game.pie - demand for demand in demands)
    met = sum(demand for demand in demands if 2 * demand <= game.pie)
    assert quick.nash_conv(opponent) == 2 * (rest - met)


@pytest.mark.slow
def test_four_rounds_of_the_split_fit_in_memory_and_ask_in_batches():
    """By hand: against uniform demands 5 earns 25/9 a round, and uniform itself 165/81."""
    asked = []

    def uniform(seen, legal):
        asked.append(len(seen))
        return np.full((len(seen), len(legal)), 1 / len(legal))

    split = RepeatedSolver(SplitNegotiation())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = split.nash_conv(Batched(uniform, size=1000))
    assert found == pytest.approx(2 * 4 * (25 / 9 - 165 / 81), abs=1e-12)
    assert split.histories == 1 + 81 + 81**2 + 81**3
    assert sum(asked) == 2 * split.histories
    assert max(asked) == 1000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_a_batch_may_leave_something_uncovered_and_gets_an_interval():
    """By hand: 1 % of each answer, in two rounds; a round spans 5 points; so (.02 + .04) * 10."""
    quick = RepeatedSolver(PrisonersDilemma(rounds=2))
    found = quick.exploitability_interval(Batched(lambda seen, legal: [[0.0, 0.99]] * len(seen)))
    assert (found.value, found.low, found.high) == pytest.approx((0.0, 0.0, 0.6))
    assert found.label == "not exact: up to 1.0e-02 of an answer uncovered"


def test_a_policy_that_gives_no_probabilities_is_refused():
    quick = RepeatedSolver(PrisonersDilemma(rounds=2))
    for answer in ([[0.5, 0.6]], [[-0.1, 1.1]], [[0.0, 0.0]], [[np.nan, 1.0]], [[1.0]]):
        policy = Batched(lambda seen, legal, answer=answer: answer * len(seen))
        with pytest.raises(ValueError, match="does not answer with probabilities of the legal"):
            quick.nash_conv(policy)
    with pytest.raises(ValueError, match="nothing about situation '0:CC'"):
        quick.nash_conv(ActionTable({}))


class Answering:
    name = "odd"

    def __init__(self, row):
        self.row = row

    def probabilities(self, observation, legal):
        return self.row


C, D = Move.COOPERATE, Move.DEFECT


@pytest.mark.parametrize("make", [RepeatedSolver, GameTree])
@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({C: 1.0, "raise": 0.5}, r"odd.*it plays 'raise', where only .* are legal. Mend it"),
        ({C: 1.0, "raise": 1e-9}, "it plays 'raise'"),
        ({C: 0.5}, "sum to 0.5, not to 1. Mend it"),
        ({C: 1.5, D: -0.5}, "a probability is negative"),
        ({C: float("nan"), D: 1.0}, "sum to nan"),
        ({}, "sum to 0, not to 1"),
        ({C: 0.75, FORFEIT: 0.25}, "'odd' forfeits with probability 0.25 .*no move of the exact"),
    ],
)
def test_what_a_policy_answers_beside_legal_moves_is_refused_rather_than_lost(make, row, reason):
    solver = make(PrisonersDilemma(rounds=2))
    for measure in (solver.exploitability, solver.returns, solver.written_out):
        with pytest.raises(ValueError, match=reason):
            measure(Answering(row))


@pytest.mark.parametrize(
    "row",
    [{C: 1.0, "raise": 0.5}, {C: 0.5}, {C: 1.5, D: -0.5}, {C: float("nan"), D: 1.0}, {}, {C: 1.0}],
)
def test_batched_play_and_the_exact_solvers_refuse_the_same_answers(row):
    """One validator: FORFEIT alone, which can be played, is no move of the solvers."""
    game, policy = PrisonersDilemma(rounds=1), Answering(row)

    def refusal(measure):
        try:
            measure()
        except ValueError as error:
            return str(error)
        return None

    played = refusal(lambda: Board(game).play((policy, policy), [0]))
    assert played == refusal(lambda: RepeatedSolver(game).nash_conv(policy))
    assert (played is None) == (row == {C: 1.0})


def test_noise_is_refused_with_what_to_use_instead():
    with pytest.raises(ValueError, match=r"is no repeated stage.*GameTree\(game\) at a short"):
        RepeatedSolver(PrisonersDilemma(noise=0.1))


def test_a_match_too_long_is_refused_before_time_is():
    with pytest.raises(ValueError, match=r"22,369,621 histories, more than 1,000,000.*shorter"):
        RepeatedSolver(PrisonersDilemma(rounds=13))


def test_the_solver_of_a_game_is_the_one_it_needs():
    assert isinstance(solver(PrisonersDilemma()), RepeatedSolver)
    assert isinstance(solver(PrisonersDilemma(rounds=1, noise=0.1)), GameTree)
    assert isinstance(solver(KuhnPoker()), GameTree)


@pytest.mark.parametrize(
    "game",
    [
        PrisonersDilemma(),
        PrisonersDilemma(rounds=5, continuation=0.5),
        PrisonersDilemma(rounds=4, reward=4.0, sucker=-1.0, temptation=4.5, punishment=0.0),
    ],
    ids=str,
)
def test_all_defect_is_the_only_subgame_perfect_equilibrium_of_the_dilemma(game):
    table = subgame_perfect(game)
    assert all(row[Move.DEFECT] == 1.0 for row in table.rows.values())
    assert RepeatedSolver(game).nash_conv(table) == 0.0
    assert pure_equilibria(game) == ((Move.DEFECT, Move.DEFECT),)


def test_splits_pure_equilibria_are_the_demands_that_sum_to_the_pie():
    """Golden; and playing one of them in every round is an equilibrium of the whole game."""
    game = SplitNegotiation(rounds=2)
    found = pure_equilibria(game)
    assert found == tuple((mine, 10 - mine) for mine in range(1, 10))
    quick = RepeatedSolver(game)
    for pair in found:
        rows = {key: {pair[int(key[0])]: 1.0} for key in quick.uniform().rows}
        assert quick.nash_conv(ActionTable(rows)) == 0.0


def test_where_dominance_does_not_decide_subgame_perfect_play_is_not_guessed():
    with pytest.raises(ValueError, match="dominance leaves several moves in round 2"):
        subgame_perfect(SplitNegotiation(rounds=2))
